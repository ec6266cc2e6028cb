"""What the frozen layers say of each image, computed once for all models and seeds."""

from collections.abc import Iterator
from dataclasses import dataclass

import keras
import numpy as np
from numpy.typing import NDArray

# Does not change the result; larger ones only take more memory.
_BATCH_SIZE = 64


@dataclass(frozen=True)
class Features:
    """What the frozen layers of one backbone say of each image.

    Attributes
    ----------
    cut
        Activations that enter the first trained layer, float32 of shape (num_images, height, width, channels).
    pooled
        Pooled feature maps of the whole backbone before any training, float32 of shape (num_images, channels).
    """

    cut: NDArray[np.float32]
    pooled: NDArray[np.float32]


def extract_features(frozen: keras.Model, images: NDArray[np.uint8]) -> Iterator[dict[str, NDArray[np.float32]]]:
    """Pass images through frozen layers, a batch at a time.

    Parameters
    ----------
    frozen
        From images to a dictionary of features.
    images
        uint8 of shape (num_images, image_size, image_size, 3), RGB; may be a memory map.

    Yields
    ------
    dict[str, NDArray[np.float32]]
        Features of one image after the other, by the name of the output, without a batch axis.
    """
    for start in range(0, len(images), _BATCH_SIZE):
        batch = frozen.predict_on_batch(images[start : start + _BATCH_SIZE])
        for row in range(len(next(iter(batch.values())))):
            yield {kind: values[row] for kind, values in batch.items()}
