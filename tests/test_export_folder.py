import os
from pathlib import Path

import pytest

from fusionseq.errors import PipelineError
from fusionseq.export_folder import check_output, replacing_folder

NAMES = ("README.md", "model")


def make_export(path: Path, text: str) -> Path:
    path.mkdir(parents=True)
    (path / "README.md").write_text(text)
    return path


def list_all(root: Path) -> list[str]:
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*"))


def test_a_folder_appears_whole(tmp_path: Path) -> None:
    output = tmp_path / "a" / "b"
    with replacing_folder(output, may_replace=False, names=NAMES) as new:
        (new / "README.md").write_text("new")
        assert not output.exists()
    assert list_all(tmp_path) == ["a", "a/b", "a/b/README.md"]
    mask = os.umask(0)
    os.umask(mask)
    # A temporary folder could be read by its owner alone.
    assert output.stat().st_mode & 0o777 == 0o777 & ~mask


@pytest.mark.parametrize("error", [PipelineError, KeyboardInterrupt, SystemExit])
def test_a_failure_leaves_nothing(tmp_path: Path, error: type[BaseException]) -> None:
    def fill() -> None:
        with replacing_folder(tmp_path / "a" / "b", may_replace=False, names=NAMES) as new:
            (new / "README.md").write_text("half")
            raise error

    with pytest.raises(error):
        fill()
    assert list_all(tmp_path) == []


def test_a_former_export_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    output = make_export(tmp_path / "x", "old")
    with pytest.raises(ZeroDivisionError), replacing_folder(output, may_replace=True, names=NAMES):
        _ = 1 / 0
    assert (output / "README.md").read_text() == "old"
    with replacing_folder(output, may_replace=True, names=NAMES) as new:
        (new / "model").write_text("new")
    assert list_all(tmp_path) == ["x", "x/model"]


def test_a_former_export_is_not_replaced_unasked(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match=r"holds an export already; .* or add --force to replace it"):
        check_output(make_export(tmp_path / "x", "old"), may_replace=False, names=NAMES)


def test_an_empty_folder_is_nothing(tmp_path: Path) -> None:
    with replacing_folder(tmp_path, may_replace=False, names=NAMES) as new:
        (new / "model").touch()
    assert list_all(tmp_path) == ["model"]


def test_nothing_else_is_ever_replaced(tmp_path: Path) -> None:
    output = make_export(tmp_path / "x", "old")
    (output / "thesis.txt").write_text("mine")
    with pytest.raises(PipelineError, match=r"x holds thesis\.txt, which no export makes"):
        check_output(output, may_replace=True, names=NAMES)


def test_what_comes_meanwhile_stays(tmp_path: Path) -> None:
    output = tmp_path / "x"
    with (
        pytest.raises(PipelineError, match="holds an export already"),
        replacing_folder(output, may_replace=False, names=NAMES),
    ):
        make_export(output, "theirs")
    assert list_all(tmp_path) == ["x", "x/README.md"]


@pytest.mark.parametrize("kind", ["file", "link", "dangling"])
def test_a_file_or_link_is_no_folder(tmp_path: Path, kind: str) -> None:
    output = tmp_path / "x"
    if kind == "file":
        output.touch()
    else:
        output.symlink_to(tmp_path if kind == "link" else tmp_path / "nowhere")
    with pytest.raises(PipelineError, match="x is no folder"):
        check_output(output, may_replace=True, names=NAMES)


def test_a_name_that_is_too_long_is_one_error(tmp_path: Path) -> None:
    with (
        pytest.raises(PipelineError, match=r"x cannot be written \(.*\); name another folder after --output"),
        replacing_folder(tmp_path / ("a" * 300) / "x", may_replace=False, names=NAMES),
    ):
        pytest.fail("there is no folder to fill")
    assert list_all(tmp_path) == []


def test_a_place_that_cannot_be_written_is_one_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(PipelineError, match=r"file/x cannot be written \(.*\); name another folder after --output"),
        replacing_folder(tmp_path / "file" / "x", may_replace=False, names=NAMES),
    ):
        pytest.fail("there is no folder to fill")
