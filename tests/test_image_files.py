import os
from pathlib import Path

import pytest

from fusionseq.errors import BadImageError, PipelineError
from fusionseq.image_files import find_images, read_image


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Files in folders, some of them hidden."""
    folder = tmp_path / "photos"
    for name in ("b.png", "a/z.jpg", "a/deeper/y.gif", "c d/é,.png", "a.txt", ".hidden.png", ".cache/x.png"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode())
    return folder


def test_folders_are_searched_in_order_and_hidden_files_left_out(folder: Path) -> None:
    names = [path.relative_to(folder).as_posix() for path in find_images([folder])]
    assert names == ["a/deeper/y.gif", "a/z.jpg", "a.txt", "b.png", "c d/é,.png"]


def test_what_is_named_keeps_its_order_and_comes_once(folder: Path) -> None:
    named = [folder / "b.png", folder / ".hidden.png", folder / "a", folder / "a/z.jpg", folder / "b.png"]
    assert find_images(named) == [*named[:2], folder / "a/deeper/y.gif", folder / "a/z.jpg"]


def test_missing_image_is_one_error(folder: Path) -> None:
    with pytest.raises(PipelineError, match=r"photos/d\.png: No such file or directory; name an image or a folder"):
        find_images([folder / "b.png", folder / "d.png"])


def test_folder_without_files_is_one_error(tmp_path: Path) -> None:
    (tmp_path / "empty" / "within").mkdir(parents=True)
    (tmp_path / "empty" / ".hidden").touch()
    with pytest.raises(PipelineError, match="empty holds no file that is not hidden"):
        find_images([tmp_path / "empty"])


def test_link_to_a_folder_is_one_error(folder: Path) -> None:
    (folder / "a" / "up").symlink_to(folder)
    with pytest.raises(PipelineError, match="a/up is a link to a folder"):
        find_images([folder])


def test_name_that_a_table_cannot_hold_is_one_error(folder: Path) -> None:
    (folder / os.fsdecode(b"\xff.png")).touch()
    with pytest.raises(PipelineError, match=r"\\xff\.png' is not UTF-8; rename it") as caught:
        find_images([folder])
    str(caught.value).encode()


def test_bytes_are_those_of_the_file(folder: Path) -> None:
    assert read_image(folder / "b.png", "b") == b"b.png"
    (folder / "link.png").symlink_to("b.png")
    assert read_image(folder / "link.png", "link") == b"b.png"


def test_what_cannot_be_read_is_a_bad_image(folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    (folder / "dangling").symlink_to("nowhere")
    with (folder / "large").open("wb") as file:
        file.truncate(2**28 + 1)
    for name, reason in (
        ("pipe", "not a regular file"),
        ("a", "not a regular file"),
        ("dangling", "no such file or directory"),
        ("large", "more than 256 MiB"),
    ):
        with pytest.raises(BadImageError) as caught:
            read_image(folder / name, name)
        assert (caught.value.name, caught.value.reason) == (name, reason)
