"""Labels and encoded images in parquet files, read a few rows at a time, so that large files need not fit in memory."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fusionseq.datasets import EncodedImage
from fusionseq.datasets.columns import Columns
from fusionseq.errors import BadImageError, PipelineError

if TYPE_CHECKING:
    from datasets import Features
    from pyarrow import Array
    from pyarrow.parquet import ParquetFile

# 32 images of a few million bytes each take about 100 MB.
_ROWS_AT_ONCE = 32
_BUFFER_BYTES = 2**20
_EXTENSION = re.compile(r"\.[A-Za-z0-9]{1,5}$")


@dataclass(frozen=True)
class Part:
    """One of the files that make up a split.

    Attributes
    ----------
    path
        Its name in messages.
    location
        Where it lies on the disk.
    split
        The split that it belongs to.
    start
        How many rows the files of the split before it have.
    """

    path: str
    location: Path
    split: str
    start: int


def read_features(part: Part) -> "Features":
    """Read what the file itself says of its columns."""
    from datasets import Features

    with _opening(part) as file:
        return Features.from_arrow_schema(file.schema_arrow)


def count_rows(part: Part) -> int:
    """Count the rows of a file, of which only the end is read."""
    with _opening(part) as file:
        return int(file.metadata.num_rows)


def read_labels(parts: Sequence[Part], columns: Columns) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """Read the labels of all images.

    Parameters
    ----------
    parts
        The files, in order.
    columns
        Which column holds the labels.

    Returns
    -------
    class_names
        Of the classes that have images: in the order of the dataset where it numbers its classes, else sorted.
    labels
        Positions in them, int64 of shape (num_images,).

    Raises
    ------
    PipelineError
        An image has no label, there are fewer than two classes, or a file cannot be read.
    """
    values: list[Any] = []
    for part in parts:
        start = len(values)
        values += _iterate_rows(part, columns.label, columns.cast_labels)
        for row, value in enumerate(values[start:], start=part.start):
            # The library numbers classes from 0, and marks what has no label by -1.
            if value is None or value == "" or (columns.are_numbered and value < 0):
                raise PipelineError(
                    f"{part.path}: row {row} of split {part.split} has no label in the column {columns.label}; name "
                    "another column in data.label_column in params.yaml, or another dataset."
                )
    present = sorted(set(values))
    if len(present) < 2:
        raise PipelineError(
            f"all images have one label in the column {columns.label}, and a comparison needs two classes at least; "
            "name another column in data.label_column in params.yaml."
        )
    position = {value: label for label, value in enumerate(present)}
    return columns.name_classes(present), np.fromiter(map(position.__getitem__, values), np.int64, len(values))


def read_images(
    parts: Sequence[Part], columns: Columns, labels: NDArray[np.int64], subsets: Mapping[str, str]
) -> Iterator[EncodedImage | BadImageError]:
    """Read the images one after the other.

    Parameters
    ----------
    parts
        The files, in order.
    columns
        Which column holds the images.
    labels
        Of all images.
    subsets
        The subset of each split.
    """
    label = iter(labels)
    for part in parts:
        for row, image in enumerate(_iterate_rows(part, columns.image, columns.cast_images), start=part.start):
            content, path = (image or {}).get("bytes"), (image or {}).get("path") or ""
            extension = _EXTENSION.search(path)
            name = f"{part.split}/{row:06d}{extension.group().lower() if extension else ''}"
            of_image = int(next(label))
            if content is None:
                yield BadImageError(name, f"{part.path} holds {'only its path' if path else 'nothing'}")
            else:
                yield EncodedImage(name, of_image, content, subsets[part.split])


def _iterate_rows(part: Part, column: str, cast: Callable[["Array"], "Array"]) -> Iterator[Any]:
    with _opening(part) as file:
        if column not in file.schema_arrow.names:
            raise PipelineError(
                f"{part.path} has no column {column}, though the dataset is said to have one; name another column or "
                "dataset in params.yaml."
            )
        for batch in file.iter_batches(_ROWS_AT_ONCE, columns=[column]):
            yield from cast(batch.column(column)).to_pylist()


@contextmanager
def _opening(part: Part) -> Iterator["ParquetFile"]:
    from pyarrow import ArrowException
    from pyarrow.parquet import ParquetFile

    try:
        # Otherwise whole groups of rows are read at once, and there may be but one.
        with ParquetFile(part.location, buffer_size=_BUFFER_BYTES, pre_buffer=False) as file:
            yield file
    except (ArrowException, OSError, ValueError, TypeError, KeyError, NotImplementedError) as error:
        reason = str(error).splitlines()[0].replace(str(part.location), part.path)
        raise PipelineError(
            f"{part.path} cannot be read as the dataset is described: {reason}; name another dataset or revision in "
            "params.yaml."
        ) from error
