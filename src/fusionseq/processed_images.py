"""Decoded images on disk: one array in shards, and a table of what is in it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from fusionseq.artifacts import iterate_table, read_json, write_json, write_table
from fusionseq.shard_files import move_shards

_COLUMNS = ("image", "label", "subset", "sha256", "perceptual_hash")


@dataclass(frozen=True)
class ProcessedImages:
    """What is known of each decoded image.

    Attributes
    ----------
    class_names, names, labels, subsets, digests
        As in `fusionseq.raw_images.RawImage`, of the images that could be decoded.
    perceptual_hashes
        16 hexadecimal digits each.
    """

    class_names: tuple[str, ...]
    names: tuple[str, ...]
    labels: NDArray[np.int64]
    subsets: tuple[str, ...]
    digests: tuple[str, ...]
    perceptual_hashes: tuple[str, ...]

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read the table; the pixels lie beside it."""
        rows = [tuple(row[column] for column in _COLUMNS) for row in iterate_table(folder / "images.csv")]
        names, labels, subsets, digests, hashes = zip(*rows, strict=True)
        class_names = tuple(read_json(folder / "classes.json"))
        return cls(class_names, names, np.array(labels, dtype=np.int64), subsets, digests, hashes)


def write_processed_images(
    folder: Path,
    shards: Iterable[Path],
    class_names: Sequence[str],
    rows: Iterable[Sequence[object]],
    skipped: Iterable[Sequence[str]],
) -> None:
    """Put arrays that are finished into their place, and write the tables that go with them.

    Parameters
    ----------
    folder
        Where to put everything.
    shards
        .npy files of the images, which are moved.
    class_names
        Names of the classes.
    rows
        Name, label, subset, digest and perceptual hash of each image.
    skipped
        Name of each image that was left out, and the reason.
    """
    write_table(folder / "images.csv", _COLUMNS, rows)
    write_table(folder / "skipped.csv", ("image", "reason"), skipped)
    write_json(folder / "classes.json", class_names)
    move_shards(shards, folder / "images")
