"""What the frozen layers say of each image, computed once for all models and seeds."""

from collections.abc import Iterator, Mapping
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from fusionseq.forward import BATCH_SIZE, compute_batch
from fusionseq.models.cutting import Phase
from fusionseq.shard_files import Rows

# What training and prediction start from: what was stored of the images, by the names of `fusionseq.models.cutting`,
# or else the images themselves, uint8 of shape (num_images, image_size, image_size, 3).
Inputs = Mapping[str, Rows] | Rows


def extract_features(frozen: keras.Model, images: NDArray[np.uint8]) -> Iterator[dict[str, NDArray[Any]]]:
    """Pass images through frozen layers, a batch at a time.

    Parameters
    ----------
    frozen
        From images to a dictionary of features.
    images
        uint8 of shape (num_images, image_size, image_size, 3), RGB; may be a memory map.

    Yields
    ------
    dict[str, NDArray]
        Features of one image after the other, by the name of the output, without a batch axis.
    """
    for start in range(0, len(images), BATCH_SIZE):
        batch = compute_batch(frozen, images[start : start + BATCH_SIZE])
        for row in range(len(next(iter(batch.values())))):
            yield {kind: values[row] for kind, values in batch.items()}


def select_inputs(model: keras.Model, phase: Phase, inputs: Inputs) -> tuple[keras.Model, tuple[Rows, ...]]:
    """Give the part of a model that computes in a phase of its training, and what enters it."""
    if isinstance(inputs, Mapping):
        return phase.part, tuple(inputs[name] for name in phase.stored)
    # A model takes its one input as its parts take theirs.
    return keras.Model(model.inputs, model.output), (inputs,)
