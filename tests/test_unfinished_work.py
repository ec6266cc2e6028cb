import os
import shutil
from importlib.metadata import version
from pathlib import Path

import pytest

import fusionseq
from fusionseq import unfinished_work
from fusionseq.unfinished_work import describe_code, find_unfinished


@pytest.fixture
def inputs(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / "a" / "images.csv", tmp_path / "b" / "vgg16.weights.h5"]
    for path in paths:
        path.parent.mkdir()
        path.write_bytes(path.name.encode())
    return paths


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package in the place of this one."""
    package = tmp_path / "fusionseq"
    (package / "stages").mkdir(parents=True)
    for name in ("__init__.py", "decoding.py", "stages/preprocess.py"):
        (package / name).write_text("1\n", encoding="utf-8")
    monkeypatch.setattr(fusionseq, "__file__", str(package / "__init__.py"))
    return package


def find(scratch: Path, inputs: list[Path], stage: str = "preprocess", settings: object = (48, {"a": 1})) -> Path:
    return find_unfinished(scratch, stage, settings, inputs)


def test_same_work_has_the_same_folder_wherever_it_lies(inputs: list[Path], tmp_path: Path) -> None:
    folder = find(tmp_path / "scratch", inputs)
    assert folder.parent == tmp_path / "scratch"
    assert folder.name.startswith("preprocess-")
    assert not folder.parent.exists(), "it is looked for, not made"
    moved = [Path(shutil.copytree(path.parent, tmp_path / "moved" / path.parent.name)) / path.name for path in inputs]
    for path in moved:
        os.utime(path, (1, 1))
    assert find(tmp_path / "elsewhere", moved).name == folder.name


def test_what_decides_the_work_decides_its_folder(inputs: list[Path], tmp_path: Path) -> None:
    folders = {
        find(tmp_path, inputs),
        find(tmp_path, inputs, stage="features"),
        find(tmp_path, inputs, settings=(49, {"a": 1})),
        find(tmp_path, inputs, settings=(48, {"a": 2})),
        find(tmp_path, inputs[:1]),
    }
    inputs[0].write_bytes(b"other images")
    folders.add(find(tmp_path, inputs))
    inputs[1].write_bytes(b"other weights")
    folders.add(find(tmp_path, inputs))
    folders.add(find(tmp_path, [*inputs[:1], inputs[1].rename(inputs[1].with_name("mobilenetv2.weights.h5"))]))
    assert len(folders) == 8


@pytest.mark.parametrize("name", ["decoding.py", "stages/preprocess.py", "new.py"])
def test_work_of_other_code_begins_anew(inputs: list[Path], tmp_path: Path, package: Path, name: str) -> None:
    before = find(tmp_path, inputs)
    assert find(tmp_path, inputs) == before
    (package / name).write_text("2\n", encoding="utf-8")
    assert find(tmp_path, inputs) != before


def test_what_python_leaves_beside_the_code_decides_nothing(package: Path) -> None:
    before = describe_code()
    (package / "__pycache__").mkdir()
    (package / "__pycache__" / "decoding.cpython-311.pyc").write_bytes(b"0")
    assert describe_code() == before


@pytest.mark.parametrize("name", ["numpy", "pillow", "scipy", "imagehash", "keras", "h5py"])
def test_work_of_another_library_begins_anew(
    inputs: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    before = find(tmp_path, inputs)
    assert describe_code()[name] == version(name)
    monkeypatch.setattr(unfinished_work, "version", lambda one: "0.0.1" if one == name else version(one))
    assert describe_code()[name] == "0.0.1"
    assert find(tmp_path, inputs) != before


def test_tensorflow_counts_under_either_name() -> None:
    assert {"tensorflow", "tensorflow-cpu"} & describe_code().keys()
