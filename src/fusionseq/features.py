"""What the frozen layers say of each image, computed once for all models and seeds."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from fusionseq.forward import BATCH_SIZE, compute_batch
from fusionseq.models.cutting import get_head, get_tail, list_backbones


@dataclass(frozen=True)
class Features:
    """What the frozen layers of one backbone say of each image.

    Attributes
    ----------
    cut
        Activations that enter the first trained layer, of shape (num_images, height, width, channels).
    pooled
        Pooled feature maps of the whole backbone before any training, of shape (num_images, channels).
    """

    cut: NDArray[np.floating[Any]]
    pooled: NDArray[np.floating[Any]]


# What training and prediction start from: features by the name of the backbone, or else the images themselves, uint8
# of shape (num_images, image_size, image_size, 3).
Inputs = Mapping[str, Features] | NDArray[np.uint8]


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


def select_frozen(model: keras.Model, inputs: Inputs) -> tuple[keras.Model, tuple[NDArray[Any], ...]]:
    """Give the part of a model that computes while its backbones are frozen, and what enters it."""
    if isinstance(inputs, Mapping):
        return get_head(model), tuple(inputs[name].pooled for name in list_backbones(model))
    return _take_list(model), (inputs,)


def select_fine_tuning(
    model: keras.Model, first_trained_layers: Mapping[str, str], inputs: Inputs
) -> tuple[keras.Model, tuple[NDArray[Any], ...]]:
    """Give the part of a model that computes once its last layers are trained, and what enters it."""
    if isinstance(inputs, Mapping):
        return get_tail(model, first_trained_layers), tuple(inputs[name].cut for name in list_backbones(model))
    return _take_list(model), (inputs,)


def _take_list(model: keras.Model) -> keras.Model:
    """Have a model take its one input as the parts of a model take theirs."""
    return keras.Model(model.inputs, model.output)
