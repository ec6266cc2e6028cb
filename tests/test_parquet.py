"""Rows of parquet files."""

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from datasets import ClassLabel, Features, Image, Value
from pyarrow.parquet import write_table

from fusionseq.datasets import EncodedImage
from fusionseq.datasets.columns import Columns, find_columns
from fusionseq.datasets.parquet import Part, count_rows, read_features, read_images, read_labels
from fusionseq.errors import BadImageError, PipelineError

SOURCE = Path(__file__).parent.parent / "src"


def write_part(folder: Path, split: str, columns: Mapping[str, Sequence[Any]], start: int = 0) -> Part:
    location = folder / f"{split}-{start}.parquet"
    write_table(pa.table(dict(columns)), location, row_group_size=3)
    return Part(f"data/{location.name}", location, split, start)


def describe(label: object) -> Columns:
    return find_columns(Features({"image": Image(), "label": label}), None, None)


def read_names(folder: Path, labels: Sequence[Any], feature: object) -> tuple[tuple[str, ...], list[int]]:
    names, positions = read_labels([write_part(folder, "train", {"label": labels})], describe(feature))
    assert positions.dtype == np.int64
    return names, positions.tolist()


@pytest.mark.parametrize(
    ("labels", "feature", "names", "positions"),
    [
        ([0, 1, 1, 0, 1], ClassLabel(names=["dog", "cat"]), ("dog", "cat"), [0, 1, 1, 0, 1]),
        ([3, 1, 3], ClassLabel(names=["a", "b", "c", "d"]), ("b", "d"), [1, 0, 1]),
        (["dog", "cat"], ClassLabel(names=["dog", "cat"]), ("dog", "cat"), [0, 1]),
        (["dog", "cat", "emu", "cat"], Value("string"), ("cat", "dog", "emu"), [1, 0, 2, 0]),
        ([10, 9, -1, 9], Value("int16"), ("-1", "9", "10"), [2, 1, 0, 1]),
        ([True, False], Value("bool"), ("false", "true"), [1, 0]),
    ],
)
def test_classes_are_those_with_images(
    tmp_path: Path, labels: Sequence[Any], feature: object, names: tuple[str, ...], positions: list[int]
) -> None:
    assert read_names(tmp_path, labels, feature) == (names, positions)


@pytest.mark.parametrize(
    ("labels", "feature", "message"),
    [
        ([0, 1, None], ClassLabel(names=["a", "b"]), "row 2 of split train has no label in the column label"),
        ([0, -1, 1], ClassLabel(names=["a", "b"]), "row 1 of split train has no label"),
        (["a", "", "b"], Value("string"), "row 1 of split train has no label"),
        ([0, 0], ClassLabel(names=["a", "b"]), "all images have one label in the column label"),
        ([0, 2], ClassLabel(names=["a", "b"]), "data/train-0.parquet cannot be read as the dataset is described"),
        (["a", "b"], Value("int64"), "data/train-0.parquet cannot be read as the dataset is described"),
    ],
)
def test_labels_that_are_refused(tmp_path: Path, labels: Sequence[Any], feature: object, message: str) -> None:
    with pytest.raises(PipelineError, match=message) as caught:
        read_names(tmp_path, labels, feature)
    assert "\n" not in str(caught.value)
    assert str(tmp_path) not in str(caught.value)


def test_rows_are_numbered_within_their_split(tmp_path: Path) -> None:
    rows = [{"bytes": f"image {number}".encode(), "path": path} for number, path in enumerate(PATHS)]
    parts = [
        write_part(tmp_path, "train", {"image": rows, "label": [0, 1, 0, 1, 0]}),
        write_part(tmp_path, "train", {"image": rows, "label": [1, 1, 1, 1, 1]}, start=5),
        write_part(tmp_path, "test", {"image": rows[:2], "label": [1, 0]}),
    ]
    columns = describe(ClassLabel(names=["a", "b"]))
    names, labels = read_labels(parts, columns)
    images = list(read_images(parts, columns, labels, {"train": "train", "test": "test"}))
    assert [count_rows(part) for part in parts] == [5, 5, 2]
    assert names == ("a", "b")
    assert [image.name for image in images] == [
        *(f"train/{number:06d}{extension}" for number, extension in enumerate(EXTENSIONS * 2)),
        "test/000000.jpg",
        "test/000001.png",
    ]
    assert images[6] == EncodedImage("train/000006.png", 1, b"image 1", "train")
    assert images[-2] == EncodedImage("test/000000.jpg", 1, b"image 0", "test")


# Extensions are taken as far as they look like ones.
PATHS = ["a.JPG", "folder.d/b.png", "folder.d/c", None, "e.not an extension"]
EXTENSIONS = [".jpg", ".png", "", "", ""]


def test_what_has_no_bytes_is_an_error_in_its_place(tmp_path: Path) -> None:
    rows = [{"bytes": None, "path": "a.jpg"}, None, {"bytes": b"image", "path": None}]
    part = write_part(tmp_path, "train", {"image": rows, "label": [0, 1, 1]})
    bad, empty, good = read_images([part], describe(Value("int64")), np.array([0, 1, 1]), {"train": ""})
    assert isinstance(bad, BadImageError)
    assert (bad.name, bad.reason) == ("train/000000.jpg", "data/train-0.parquet holds only its path")
    assert isinstance(empty, BadImageError)
    assert (empty.name, empty.reason) == ("train/000001", "data/train-0.parquet holds nothing")
    assert good == EncodedImage("train/000002", 1, b"image", "")


def test_a_column_may_be_missing_in_one_file(tmp_path: Path) -> None:
    part = write_part(tmp_path, "train", {"photo": [b"image"]})
    with pytest.raises(PipelineError, match=r"data/train-0\.parquet has no column label"):
        read_labels([part], describe(Value("int64")))


def test_what_is_no_parquet_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"PAR1 and no more")
    with pytest.raises(PipelineError, match=r"^data/file cannot be read as the dataset is described: "):
        count_rows(Part("data/file", tmp_path / "file", "train", 0))


def test_a_file_describes_its_columns(tmp_path: Path) -> None:
    part = write_part(tmp_path, "train", {"image": [{"bytes": b"", "path": ""}], "label": [1]})
    assert read_features(part)["label"] == Value("int64")


def test_memory_does_not_grow_with_a_file(tmp_path: Path) -> None:
    content = np.random.default_rng(0).bytes(2**16)
    location = tmp_path / "file.parquet"
    # 64 MiB in one group of rows; not written twice, since a dictionary would hold it once.
    images = pa.array([number.to_bytes(4, "big") + content for number in range(1024)])
    write_table(pa.table({"image": images}), location, use_dictionary=False, compression="none", write_batch_size=8)
    code = f"""
import pyarrow as pa
from datasets import Features, Image, Value
from pathlib import Path
from fusionseq.datasets.columns import Columns
from fusionseq.datasets.parquet import Part, read_images
part = Part("file", Path({str(location)!r}), "train", 0)
images = read_images([part], Columns("image", "label", Value("int64")), [0] * 1024, {{"train": ""}})
print(sum(len(image.content) for image in images), pa.default_memory_pool().max_memory())
"""
    environment = {"PYTHONPATH": str(SOURCE)}
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    total, highest = map(int, done.stdout.split())
    assert total == 1024 * (2**16 + 4)
    assert highest < total / 4
