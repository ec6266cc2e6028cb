"""The fetched dataset on disk: one file with all encoded images, one table that says where each begins."""

import csv
import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO, Literal

from fusionseq.artifacts import describe_missing, replacing, write_json, write_table
from fusionseq.datasets import Dataset, EncodedImage
from fusionseq.errors import BadImageError, PipelineError
from fusionseq.shards import SHARD_SIZE, Shard, name_shard


@dataclass(frozen=True)
class RawImage:
    """One fetched image.

    Attributes
    ----------
    name
        Unique in the dataset.
    label
        Number of the class.
    subset
        "train", "validation" or "test" where the dataset came split, else "".
    digest
        SHA-256 of the encoded image, in hexadecimal.
    content
        The encoded image.
    """

    name: str
    label: int
    subset: str
    digest: str
    content: bytes


def list_raw_shards(folder: Path) -> list[Shard]:
    """List the shards of the fetched dataset, and where each begins in its table."""
    table = _Table(folder)
    shards: list[Shard] = []
    position = table.position
    while num_images := sum(1 for _ in islice(table.rows, SHARD_SIZE)):
        shards.append(Shard(name_shard(len(shards)), num_images, position))
        position = table.position
    return shards


def read_raw_images(folder: Path, shard: Shard | None = None) -> Iterator[RawImage]:
    """Read the images of one shard, or all, one after the other."""
    table = _Table(folder, shard.position if shard else 0)
    rows = islice(table.rows, shard.num_images) if shard else table.rows
    with _opening(folder / "images.bin") as file:
        for name, label, subset, offset, size, digest in rows:
            file.seek(int(offset))
            yield RawImage(name, int(label), subset, digest, file.read(int(size)))


class _Table:
    """The table, read row by row from some byte on; `position` is where the next row begins."""

    def __init__(self, folder: Path, position: int = 0) -> None:
        self._path = folder / "images.csv"
        self.position = 0
        self.rows = csv.reader(self._read_lines(position))
        if not position:
            next(self.rows)

    def _read_lines(self, position: int) -> Iterator[str]:
        with _opening(self._path) as file:
            file.seek(position)
            self.position = position
            for line in file:
                self.position += len(line)
                yield line.decode("utf-8")


def _opening(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise describe_missing(path, error) from error


@dataclass(frozen=True)
class Skipped:
    """One image that was left out, and why."""

    image: str
    reason: str


def write_raw_images(
    folder: Path,
    dataset: Dataset,
    images: Iterable[EncodedImage | BadImageError],
    on_bad_image: Literal["error", "skip"],
) -> None:
    """Write the images one after the other into one file, since many small files are slow to share.

    Parameters
    ----------
    folder
        Where to write.
    dataset
        What the images belong to.
    images
        Those of `dataset`, perhaps passed through a progress bar.
    on_bad_image
        Whether an image that cannot be read stops the run or is left out.

    Raises
    ------
    BadImageError
        An image cannot be read, and none is to be left out.
    PipelineError
        Two images have one name, or there is none.
    """
    rows: dict[str, tuple[object, ...]] = {}
    skipped: list[Skipped] = []
    offset = 0
    with replacing(folder / "images.bin") as temporary, temporary.open("wb") as file:
        for image in images:
            if isinstance(image, BadImageError):
                if on_bad_image == "error":
                    raise image
                skipped.append(Skipped(image.name, image.reason))
                continue
            if image.name in rows:
                raise PipelineError(f"two images are called {image.name}; rename one of them.")
            size = file.write(image.content)
            digest = hashlib.sha256(image.content).hexdigest()
            rows[image.name] = (image.name, image.label, image.subset, offset, size, digest)
            offset += size
        if not rows:
            raise PipelineError("the dataset holds no image that can be read; look at data in params.yaml.")
    write_table(folder / "images.csv", ("image", "label", "subset", "offset", "size", "sha256"), rows.values())
    write_json(folder / "classes.json", dataset.class_names)
    origin = dict(dataset.origin)
    write_json(folder / "manifest.json", {"origin": origin, "skipped": [asdict(one) for one in skipped]})
