"""What the frozen layers said of each image, on disk."""

from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from fusionseq.artifacts import read_array, writing_array
from fusionseq.features import Features


def read_features(folder: Path, backbone: str) -> Features:
    """Map the features of one backbone into memory."""
    return Features(*(read_array(folder / backbone / f"{kind}.npy") for kind in ("cut", "pooled")))


def write_features(
    folder: Path, frozen: keras.Model, num_images: int, features: Iterable[Mapping[str, NDArray[np.float32]]]
) -> None:
    """Write the features of one image after the other, so that they need not fit in memory."""
    with ExitStack() as stack:
        arrays = {}
        for kind, output in frozen.output.items():
            shape = (num_images, *output.shape[1:])
            arrays[kind] = stack.enter_context(writing_array(folder / f"{kind}.npy", shape, np.float32))
        for row, of_image in enumerate(features):
            for kind, values in of_image.items():
                arrays[kind][row] = values
