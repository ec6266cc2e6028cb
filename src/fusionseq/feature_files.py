"""What the frozen layers said of each image, on disk; or the decision that the images pass them in training."""

import math
import shutil
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Literal

import keras
import numpy as np
from numpy.typing import NDArray

from fusionseq.artifacts import read_array, read_json, write_json, writing_array
from fusionseq.console import logger
from fusionseq.errors import PipelineError
from fusionseq.features import Inputs
from fusionseq.forward import narrow

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


def write_features(
    folder: Path,
    mode: str,
    frozen: keras.Model,
    num_images: int,
    features: Iterable[Mapping[str, NDArray[Any]]],
    dtype: str,
) -> None:
    """Write the features of one image after the other, so that they need not fit in memory.

    Parameters
    ----------
    folder
        Of all features.
    mode
        "cached"; with "streaming" nothing is written.
    frozen
        Whose outputs the features are; their names, such as "vgg16/cut", are those of the files.
    num_images
        How many images there are.
    features
        Those of one image after the other; not asked for where nothing is stored.
    dtype
        "float32" or "float16".

    Raises
    ------
    PipelineError
        A feature is too large for float16.
    """
    if mode == "cached":
        with ExitStack() as stack:
            arrays = {}
            for name, output in frozen.output.items():
                shape = (num_images, *output.shape[1:])
                arrays[name] = stack.enter_context(writing_array(folder / f"{name}.npy", shape, dtype))
            for row, of_image in enumerate(features):
                for name, values in of_image.items():
                    arrays[name][row] = narrow(values, dtype)


def write_modes(folder: Path, mode: str, names: Iterable[str]) -> None:
    """Write for each backbone and model whether features are stored, so that each has a folder to depend on."""
    for name in names:
        write_json(folder / name / "mode.json", {"mode": mode})


def read_inputs(folder: Path, images: Path, names: Iterable[str]) -> Inputs:
    """Map what training starts from into memory: features by their names, or the images where none are stored."""
    files = {name: folder / f"{name}.npy" for name in names}
    if any(read_json(file.with_name("mode.json"))["mode"] == "streaming" for file in files.values()):
        return read_array(images)
    return {name: read_array(file) for name, file in files.items()}
