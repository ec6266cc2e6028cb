"""The fetched dataset on disk: one file with all encoded images, one table that says where each begins."""

import hashlib
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from fusionseq.artifacts import iterate_table, read_json, replacing, write_json, write_table
from fusionseq.datasets import Dataset, EncodedImage


@dataclass(frozen=True)
class RawImages:
    """The fetched dataset.

    Attributes
    ----------
    class_names
        Names of the classes.
    names
        Names of the images, unique.
    labels
        int64 of shape (num_images,).
    digests
        SHA-256 of each encoded image, in hexadecimal.
    """

    class_names: tuple[str, ...]
    names: tuple[str, ...]
    labels: NDArray[np.int64]
    digests: tuple[str, ...]
    _offsets: NDArray[np.int64]
    _sizes: NDArray[np.int64]
    _path: Path

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read the table; the images themselves are read when they are asked for."""
        names, digests = [], []
        numbers = array("q")
        for row in iterate_table(folder / "images.csv"):
            names.append(row["image"])
            digests.append(row["sha256"])
            numbers.extend((int(row["label"]), int(row["offset"]), int(row["size"])))
        labels, offsets, sizes = np.array(numbers, dtype=np.int64).reshape(-1, 3).T
        return cls(
            class_names=tuple(read_json(folder / "classes.json")),
            names=tuple(names),
            labels=labels,
            digests=tuple(digests),
            _offsets=offsets,
            _sizes=sizes,
            _path=folder / "images.bin",
        )

    def __len__(self) -> int:
        return len(self.names)

    def contents(self) -> Iterator[bytes]:
        """Yield the encoded images in order."""
        with self._path.open("rb") as file:
            for offset, size in zip(self._offsets, self._sizes, strict=True):
                file.seek(offset)
                yield file.read(size)


def write_raw_images(folder: Path, dataset: Dataset, images: Iterable[EncodedImage]) -> None:
    """Write the images one after the other into one file, since many small files are slow to share.

    `images` are those of `dataset`, perhaps passed through a progress bar.
    """
    rows = []
    offset = 0
    with replacing(folder / "images.bin") as temporary, temporary.open("wb") as file:
        for image in images:
            size = file.write(image.content)
            rows.append((image.name, image.label, offset, size, hashlib.sha256(image.content).hexdigest()))
            offset += size
    write_table(folder / "images.csv", ("image", "label", "offset", "size", "sha256"), rows)
    write_json(folder / "classes.json", dataset.class_names)
