"""The fetched dataset on disk: one file with all encoded images, one table that says where each begins."""

import hashlib
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

from fusionseq.artifacts import iterate_table, read_json, replacing, write_json, write_table
from fusionseq.datasets import Dataset, EncodedImage
from fusionseq.errors import BadImageError, PipelineError


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
    subsets
        "train", "validation" or "test" where the dataset came split, else "".
    digests
        SHA-256 of each encoded image, in hexadecimal.
    """

    class_names: tuple[str, ...]
    names: tuple[str, ...]
    labels: NDArray[np.int64]
    subsets: tuple[str, ...]
    digests: tuple[str, ...]
    _offsets: NDArray[np.int64]
    _sizes: NDArray[np.int64]
    _path: Path

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read the table; the images themselves are read when they are asked for."""
        names, subsets, digests = [], [], []
        numbers = array("q")
        for row in iterate_table(folder / "images.csv"):
            names.append(row["image"])
            subsets.append(row["subset"])
            digests.append(row["sha256"])
            numbers.extend((int(row["label"]), int(row["offset"]), int(row["size"])))
        labels, offsets, sizes = np.array(numbers, dtype=np.int64).reshape(-1, 3).T
        return cls(
            class_names=tuple(read_json(folder / "classes.json")),
            names=tuple(names),
            labels=labels,
            subsets=tuple(subsets),
            digests=tuple(digests),
            _offsets=offsets,
            _sizes=sizes,
            _path=folder / "images.bin",
        )

    def __len__(self) -> int:
        return len(self.names)

    def contents(self, start: int = 0) -> Iterator[bytes]:
        """Yield the encoded images in order, from one of them on."""
        with self._path.open("rb") as file:
            for offset, size in zip(self._offsets[start:], self._sizes[start:], strict=True):
                file.seek(offset)
                yield file.read(size)


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
