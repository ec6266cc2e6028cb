"""Arrays in shards, as the stages leave them."""

import shutil
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from conftest import CUTS, IMAGE_SIZE, RUNTIME
from numpy.typing import NDArray

from fusionseq.artifacts import write_table
from fusionseq.engines import Work, run_work
from fusionseq.shards import Shard, name_shard

if TYPE_CHECKING:
    import keras

    from fusionseq.extract_shards import ExtractShards


def write_shards(folder: Path, values: NDArray[Any], *ends: int) -> Path:
    """Write rows in shards that end before these rows, and with the last, in the place of what is there."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for number, (start, end) in enumerate(pairwise([0, *ends, len(values)])):
        np.save(folder / f"{name_shard(number)}.npy", values[start:end])
    return folder


def write_images(root: Path, images: NDArray[np.uint8], *ends: int) -> Path:
    """Write images as `preprocess` leaves them, and give the folder of their shards."""
    write_table(root / "processed" / "images.csv", ("image",), [(row,) for row in range(len(images))])
    return write_shards(root / "processed" / "images", images, *ends)


def make_work(
    root: Path,
    weights: Path,
    images: Path,
    backbones: Sequence[str],
    dtype: str = "float32",
    controls: Sequence[str] = (),
    frozen: "Sequence[keras.Model] | None" = None,
    scratch: str = "scratch",
) -> "ExtractShards":
    """Prepare the extraction of features; `frozen` stand in for the layers of the backbones."""
    from fusionseq.extract_shards import ExtractShards

    cuts = {name: CUTS[name] for name in backbones}
    work = ExtractShards(
        images, weights, root / scratch, tuple(backbones), tuple(controls), cuts, IMAGE_SIZE, dtype, RUNTIME
    )
    if frozen is not None:
        # Where the cached property keeps what it has loaded.
        vars(work)["frozen"] = list(frozen)
    return work


def run_all(work: Work, shards: Sequence[Shard]) -> int:
    """Compute all shards in this process, and count the images."""
    return sum(1 for _ in run_work(work, shards, "local", None))
