"""The files that stages hand to each other: written whole or not at all, and the same bytes for the same values."""

import csv
import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load as load_tensors

from fusionseq.errors import PipelineError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path to write, which takes the place of `path` once the block has succeeded."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 with plain line feeds, whatever the locale."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def read_json(path: Path) -> Any:
    """Read a JSON file."""
    try:
        return json.loads(read_bytes(path))
    except ValueError as error:
        raise PipelineError(f"{path} is not valid JSON: {error}. Run `dvc repro` to make it anew.") from error


def write_json(path: Path, content: object) -> None:
    """Write indented JSON, the keys in the order they come in."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_bytes(path: Path) -> bytes:
    """Read a file whole."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise describe_missing(path, error) from error


def describe_missing(path: Path, error: OSError) -> PipelineError:
    """Tell that a file that a stage makes cannot be read."""
    reason = "does not exist" if isinstance(error, FileNotFoundError) else f"cannot be read: {error.strerror or error}"
    return PipelineError(f"{path} {reason}. Run `dvc repro` to make it.")


def read_table(path: Path) -> list[dict[str, str]]:
    """Read a CSV file with a header, a dictionary for each row."""
    return list(iterate_table(path))


def iterate_table(path: Path) -> Iterator[dict[str, str]]:
    """Read a CSV file with a header, one row after the other, so that long ones need not fit in memory."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            yield from csv.DictReader(file)
    except OSError as error:
        raise describe_missing(path, error) from error


class _LineFeeds:
    """Ends rows with a line feed. Told so itself, csv would no longer quote a carriage return within a value."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def write(self, row: str) -> None:
        self._file.write(row.removesuffix("\r\n") + "\n")


def write_table(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a CSV file with a header and plain line feeds. Floats keep all their digits."""
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(_LineFeeds(file))
        writer.writerow(columns)
        writer.writerows(rows)


def read_array(path: Path) -> NDArray[Any]:
    """Map an array of a .npy file into memory, read-only."""
    try:
        array: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    except OSError as error:
        raise describe_missing(path, error) from error
    except (ValueError, EOFError) as error:
        raise PipelineError(f"{path} is damaged: {error}. Remove it and run `dvc repro`.") from error
    return array


def read_tensors(path: Path, sha256: str) -> dict[str, NDArray[Any]]:
    """Read a safetensors file whose digest is known: arrays by name.

    Raises
    ------
    PipelineError
        The file is missing, or its digest is another one.
    """
    content = read_bytes(path)
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise PipelineError(
            f"{path.name} has sha256 {found}, but params.yaml (weights.sha256) expects {sha256}. "
            f"Bring the file back with `git checkout`, or name its digest in params.yaml."
        )
    return load_tensors(content)


@dataclass(frozen=True)
class Subsets:
    """Which image is in which subset.

    Attributes
    ----------
    class_names
        Names of the classes.
    names
        Names of the images.
    labels
        int64 of shape (num_images,).
    subset
        "train", "validation" or "test", of shape (num_images,).
    """

    class_names: tuple[str, ...]
    names: tuple[str, ...]
    labels: NDArray[np.int64]
    subset: NDArray[np.str_]

    def rows(self, subset: str) -> NDArray[np.int64]:
        """Positions of the images of a subset, in order."""
        return np.flatnonzero(self.subset == subset)


def write_subsets(path: Path, subsets: Subsets) -> None:
    """Write a row for each image."""
    classes = (subsets.class_names[label] for label in subsets.labels)
    rows = zip(subsets.names, subsets.labels, classes, subsets.subset, strict=True)
    write_table(path, ("image", "label", "class", "subset"), rows)


def read_subsets(path: Path) -> Subsets:
    """Read a row for each image."""
    rows = read_table(path)
    classes = {int(row["label"]): row["class"] for row in rows}
    return Subsets(
        class_names=tuple(classes[label] for label in range(len(classes))),
        names=tuple(row["image"] for row in rows),
        labels=np.array([row["label"] for row in rows], dtype=np.int64),
        subset=np.array([row["subset"] for row in rows]),
    )
