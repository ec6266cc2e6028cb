"""The work of the stage `preprocess`, shard by shard.

Source: the source paper, Section 5.
"""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import tee
from pathlib import Path
from typing import Any, Literal

import numpy as np

from fusionseq.artifacts import iterate_table, read_json, write_table
from fusionseq.errors import BadImageError, PipelineError
from fusionseq.preprocessing import preprocess_images
from fusionseq.processed_images import write_processed_images
from fusionseq.raw_images import list_raw_shards, read_raw_images
from fusionseq.shard_files import explaining_disk, writing_shard
from fusionseq.shards import Shard
from fusionseq.unfinished_work import find_unfinished

_COLUMNS = ("image", "label", "subset", "sha256", "perceptual_hash", "reason")


@dataclass(frozen=True)
class DecodeShards:
    """Decode and resize the images of one shard after the other; see `fusionseq.engines.Work`.

    Attributes
    ----------
    raw
        Folder of the encoded images.
    scratch
        Folder of all work that was killed.
    image_size
        Height and width in pixels.
    on_bad_image
        Whether an image that cannot be decoded stops the run or is left out.
    """

    raw: Path
    scratch: Path
    image_size: int
    on_bad_image: Literal["error", "skip"]
    num_cpus: int = 1
    uses_gpu: bool = False

    @cached_property
    def folder(self) -> Path:
        """Where finished shards lie until all are there."""
        return find_unfinished(
            self.scratch, "preprocess", [self.image_size, self.on_bad_image], [self.raw / "images.csv"]
        )

    def list_shards(self) -> list[Shard]:
        """List all shards, done or not."""
        return list_raw_shards(self.raw)

    def open(self, folder: Path, cores: int | None) -> Callable[[Shard], Iterator[None]]:
        """Give the function that decodes a shard on some cores, or on all."""
        return partial(self._decode, folder, cores)

    def _decode(self, folder: Path, cores: int | None, shard: Shard) -> Iterator[None]:
        # By a worker that died before it could tell.
        if self._is_done(folder, shard):
            return
        named, encoded, images = tee(read_raw_images(self.raw, shard), 3)
        contents, names = (image.content for image in encoded), (image.name for image in named)
        rows: list[tuple[Any, ...]] = []
        shape = (self.image_size, self.image_size, 3)
        with writing_shard(folder / f"{shard.name}.npy", shape, np.uint8) as append:
            decoded = preprocess_images(contents, names, self.image_size, cores)
            for image, result in zip(images, decoded, strict=True):
                known = (image.name, image.label, image.subset, image.digest)
                if isinstance(result, BadImageError):
                    if self.on_bad_image == "error":
                        raise result
                    rows.append((*known, "", result.reason))
                else:
                    append(result.pixels[None])
                    rows.append((*known, result.perceptual_hash, ""))
                yield
        # After the pixels: a shard that has its table is done.
        table = folder / f"{shard.name}.csv"
        with explaining_disk(table):
            write_table(table, _COLUMNS, rows)

    def is_done(self, shard: Shard) -> bool:
        """Whether a shard need not be decoded again."""
        return self._is_done(self.folder, shard)

    def _is_done(self, folder: Path, shard: Shard) -> bool:
        """Whether a shard has its table, and its pixels unless none of its images could be decoded."""
        table = folder / f"{shard.name}.csv"
        if not table.exists():
            return False
        # They are gone where a run was killed as it moved them.
        return table.with_suffix(".npy").exists() or all(row["reason"] for row in iterate_table(table))

    def finish(self, target: Path) -> int:
        """Put everything into its place, once all shards are done, and count the images that were left out.

        Raises
        ------
        PipelineError
            No image can be decoded.
        """
        tables = [self.folder / f"{shard.name}.csv" for shard in self.list_shards()]
        pixels = [path for path in (table.with_suffix(".npy") for table in tables) if path.exists()]
        if not pixels:
            raise PipelineError("no image of the dataset can be decoded; look at data in params.yaml.")

        def read_rows() -> Iterator[dict[str, str]]:
            return (row for table in tables for row in iterate_table(table))

        kept = (tuple(row[column] for column in _COLUMNS[:-1]) for row in read_rows() if not row["reason"])
        skipped = [(row["image"], row["reason"]) for row in read_rows() if row["reason"]]
        write_processed_images(target, pixels, read_json(self.raw / "classes.json"), kept, skipped)
        shutil.rmtree(self.folder, ignore_errors=True)
        return len(skipped)
