import hashlib
import os
from pathlib import Path

import pytest

from fusionseq.datasets import Dataset, EncodedImage
from fusionseq.datasets.imagefolder import check_names, load_image_folder
from fusionseq.errors import BadImageError, PipelineError

ODD_NAMES = ("50%_off & more", "{x}^2 \\input", "naïve 猫", "~tilde #hash $", 'a, "quoted"', "new\nline")


def fill(folder: Path, *names: str) -> Path:
    """Write files whose content is their name."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    return folder


def read(dataset: Dataset) -> list[tuple[str, str]]:
    images = [image for image in dataset.images if isinstance(image, EncodedImage)]
    assert all(image.content == image.name.encode() for image in images)
    assert all(image.subset == "" for image in images)
    return [(image.name, dataset.class_names[image.label]) for image in images]


def read_error(folder: Path, labels: str | None = None) -> str:
    with pytest.raises(PipelineError) as caught:
        list(load_image_folder(folder, labels).images)
    message = str(caught.value)
    assert "\n" not in message
    return message


def list_state(folder: Path) -> list[tuple[str, int, int, str]]:
    return [
        (str(path), path.stat().st_mtime_ns, path.stat().st_mode, hashlib.sha256(path.read_bytes()).hexdigest())
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    ]


def test_each_folder_is_a_class(tmp_path: Path) -> None:
    fill(
        tmp_path, "dogs/b.jpg", "cats/z/1.jpg", "cats/a.jpg", "cats/B.jpg", "dogs/.hidden", "cats/Thumbs.db", ".x/y.jpg"
    )
    before = list_state(tmp_path)
    dataset = load_image_folder(tmp_path, None)
    assert dataset.class_names == ("cats", "dogs")
    assert dataset.num_images == 4
    assert read(dataset) == [
        ("cats/B.jpg", "cats"),
        ("cats/a.jpg", "cats"),
        ("cats/z/1.jpg", "cats"),
        ("dogs/b.jpg", "dogs"),
    ]
    assert dataset.origin == {"source": "imagefolder", "layout": "folders"}
    assert list_state(tmp_path) == before, "a person's images are read, and nothing else"


def test_class_names_may_be_anything(tmp_path: Path) -> None:
    fill(tmp_path, *(f"{name}/1.jpg" for name in ODD_NAMES))
    dataset = load_image_folder(tmp_path, None)
    assert dataset.class_names == tuple(sorted(ODD_NAMES))
    assert len(read(dataset)) == len(ODD_NAMES)


def test_a_table_names_paths_and_labels(tmp_path: Path) -> None:
    fill(tmp_path, "1.jpg", "deep/down/2.jpg", "3.jpg", "not listed.jpg")
    rows = '\ufeffpath,ignored,label\n3.jpg,x,"b, c"\ndeep/down/2.jpg,y,a\n"1.jpg",z,"b, c"\n'
    (tmp_path / "labels.csv").write_text(rows, encoding="utf-8")
    dataset = load_image_folder(tmp_path, "labels.csv")
    assert dataset.class_names == ("a", "b, c")
    assert read(dataset) == [("3.jpg", "b, c"), ("deep/down/2.jpg", "a"), ("1.jpg", "b, c")]
    assert dataset.origin["layout"] == "table"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "the first line must name the columns path and label. Got nothing."),
        ("file,label\n1.jpg,a\n", "must name the columns path and label. Got file, label."),
        ("path,label\n1.jpg,\n", "line 2: path and label must not be empty"),
        ("path,label\n1.jpg\n", "line 2: path and label must not be empty"),
        ("path,label\n,a\n", "line 2: path and label must not be empty"),
        ("path,label\n/etc/passwd,a\n", "line 2: the path must lead into the folder"),
        ("path,label\na/../../1.jpg,a\n", "line 2: the path must lead into the folder"),
        ("path,label\n1.jpg,a\n2.jpg,b\n1.jpg,b\n", "line 4: 1.jpg stands in line 2 already"),
        ("path,label\n1.jpg,a\n2.jpg,a\n", "at least two classes"),
        ("path,label\n", "at least two classes"),
        ('path,label\n"1.jpg,a\n', "must be a CSV file"),
    ],
)
def test_bad_tables_are_one_error(tmp_path: Path, text: str, expected: str) -> None:
    (tmp_path / "labels.csv").write_text(text, encoding="utf-8")
    assert expected in read_error(tmp_path, "labels.csv")


def test_tables_in_other_encodings_or_missing_are_one_error(tmp_path: Path) -> None:
    assert "labels.csv (data.labels) cannot be read" in read_error(tmp_path, "labels.csv")
    (tmp_path / "labels.csv").write_bytes("path,label\nna\xefve.jpg,a\n".encode("latin-1"))
    assert "is not UTF-8; save it as UTF-8" in read_error(tmp_path, "labels.csv")


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ((), "at least two classes with files in them"),
        (("cats/1.jpg",), "Got 'cats'."),
        (("cats/1.jpg", "dogs/.hidden"), "Got 'cats'."),
        (("cats/1.jpg", "dogs/1.jpg", "stray.jpg"), "stray.jpg lies in no folder of a class"),
        (("caf\u00e9/1.jpg", "cafe\u0301/1.jpg"), "are spelled 'café' with different code points"),
    ],
)
def test_bad_layouts_are_one_error(tmp_path: Path, names: tuple[str, ...], expected: str) -> None:
    assert expected in read_error(fill(tmp_path, *names))


def test_missing_folder_is_one_error(tmp_path: Path) -> None:
    assert "(data.path) is not a folder" in read_error(tmp_path / "nowhere")
    assert "(data.path) is not a folder" in read_error(fill(tmp_path, "file") / "file")


def test_name_that_is_not_utf8_is_found_and_named(tmp_path: Path) -> None:
    fill(tmp_path, "cats/1.jpg", "dogs/1.jpg")
    check_names(tmp_path)
    (Path(os.fsdecode(os.fsencode(tmp_path) + b"/dogs/na\xefve.jpg"))).write_bytes(b"")
    with pytest.raises(PipelineError, match=r"na\\xefve\.jpg' is not UTF-8; rename it"):
        check_names(tmp_path)
    assert "is not UTF-8" in read_error(tmp_path)


def test_link_to_a_folder_is_refused_and_link_to_a_file_is_read(tmp_path: Path) -> None:
    fill(tmp_path, "cats/1.jpg", "dogs/1.jpg")
    (tmp_path / "cats" / "2.jpg").symlink_to(tmp_path / "dogs" / "1.jpg")
    images = [image for image in load_image_folder(tmp_path, None).images if isinstance(image, EncodedImage)]
    assert [image.content for image in images] == [b"cats/1.jpg", b"dogs/1.jpg", b"dogs/1.jpg"]
    (tmp_path / "cats" / "loop").symlink_to(tmp_path)
    assert "loop is a link to a folder" in read_error(tmp_path)


def test_what_cannot_be_read_arrives_as_an_error_in_its_place(tmp_path: Path) -> None:
    fill(tmp_path, "cats/1.jpg", "dogs/1.jpg", "dogs/3.jpg")
    os.mkfifo(tmp_path / "cats" / "0.jpg")
    (tmp_path / "cats" / "2.jpg").symlink_to(tmp_path / "gone.jpg")
    with (tmp_path / "dogs" / "2.jpg").open("wb") as file:
        file.truncate(2**28 + 1)
    images = list(load_image_folder(tmp_path, None).images)
    found = [(image.name, image.reason if isinstance(image, BadImageError) else "") for image in images]
    assert found == [
        ("cats/0.jpg", "not a regular file"),
        ("cats/1.jpg", ""),
        ("cats/2.jpg", "no such file or directory"),
        ("dogs/1.jpg", ""),
        ("dogs/2.jpg", "more than 256 MiB"),
        ("dogs/3.jpg", ""),
    ]


def test_file_that_a_table_names_and_that_is_missing_is_a_bad_image(tmp_path: Path) -> None:
    fill(tmp_path, "1.jpg")
    (tmp_path / "labels.csv").write_text("path,label\n1.jpg,a\n2.jpg,b\n", encoding="utf-8")
    images = list(load_image_folder(tmp_path, "labels.csv").images)
    assert isinstance(images[1], BadImageError)
    assert images[1].reason == "no such file or directory"
