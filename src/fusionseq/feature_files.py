"""What the frozen layers said of each image, on disk; or the decision that the images pass them in training."""

import math
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import keras
import numpy as np

from fusionseq.artifacts import read_json, write_json
from fusionseq.console import logger
from fusionseq.errors import PipelineError
from fusionseq.features import Inputs
from fusionseq.shard_files import ShardedArray

# The workspace and DVC's cache hold a copy each, unless the file system shares them.
_COPIES = 2
_GIB = 2**30


def estimate_size(frozen: Iterable[keras.Model], num_images: int, dtype: str) -> int:
    """Count the bytes of the features of all images, before any is computed."""
    sizes = (math.prod(output.shape[1:]) for model in frozen for output in model.output.values())
    return int(num_images * sum(sizes) * np.dtype(dtype).itemsize)


def choose_mode(mode: Literal["auto", "cached", "streaming"], augmented: bool, size: int, folder: Path) -> str:
    """Decide whether features are stored, or the images pass the frozen layers in every epoch.

    Parameters
    ----------
    mode
        As asked for. "auto" stores them, unless images are augmented or the disk is too small.
    augmented
        Whether training sees each image changed; stored features would all be of the same one.
    size
        Bytes of the features.
    folder
        Where they would lie.

    Raises
    ------
    PipelineError
        They are to be stored, but the disk is too small.
    """
    existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
    free = shutil.disk_usage(existing).free
    needed = (
        f"stored features take {_COPIES} times {size / _GIB:.2f} GiB, in the workspace and in DVC's cache, "
        f"and {free / _GIB:.2f} GiB are free"
    )
    fits = _COPIES * size <= free
    if mode == "cached" and not fits:
        raise PipelineError(
            f"{needed}; free some of the disk, or set features.dtype: float16 or features.mode: streaming in "
            "params.yaml."
        )
    chosen = ("cached" if fits and not augmented else "streaming") if mode == "auto" else mode
    logger.info("features: %s; mode %s", needed, chosen)
    return chosen


def write_modes(folder: Path, mode: str, names: Iterable[str]) -> None:
    """Write for each backbone and model whether features are stored, so that each has a folder to depend on."""
    for name in names:
        write_json(folder / name / "mode.json", {"mode": mode})


def read_inputs(folder: Path, images: Path, names: Iterable[str]) -> Inputs:
    """Map what training starts from into memory: features by their names, or the images where none are stored."""
    folders = {name: folder / name for name in names}
    if any(read_json(path.with_name("mode.json"))["mode"] == "streaming" for path in folders.values()):
        return ShardedArray(images)
    return {name: ShardedArray(path) for name, path in folders.items()}
