import sys

import pytest

from fusionseq.errors import PipelineError
from fusionseq.export_formats import Format


def test_formats_are_spelled_as_on_the_command_line() -> None:
    assert [str(of_format) for of_format in Format] == ["onnx", "saved_model"]
    assert len({of_format.file_name for of_format in Format}) == len(Format)


def test_versions_are_those_of_the_packages() -> None:
    import keras

    assert Format.SAVED_MODEL.import_packages()["keras"] == keras.__version__


@pytest.mark.parametrize("name", Format.ONNX.packages)
def test_a_missing_package_is_one_error(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(PipelineError, match=f"an export to onnx needs the package {name}, which cannot be imported"):
        Format.ONNX.import_packages()


def test_a_saved_model_needs_no_onnx(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("onnx", "onnxruntime", "tf2onnx"):
        monkeypatch.setitem(sys.modules, name, None)
    assert set(Format.SAVED_MODEL.import_packages()) == {"tensorflow", "keras"}
