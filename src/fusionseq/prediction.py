"""Probabilities from trained models."""

from collections.abc import Sequence

import keras
import numpy as np
from numpy.typing import NDArray

_BATCH_SIZE = 64


def predict_rows(
    tail: keras.Model, activations: Sequence[NDArray[np.float32]], rows: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Predict some images from the activations at the cut, as the whole model would from their pixels.

    Parameters
    ----------
    tail
        See `fusionseq.models.cutting.get_tail`.
    activations
        For each backbone those of all images, float32 of shape (num_images, height, width, channels).
    rows
        Positions of the images to predict.

    Returns
    -------
    NDArray[np.float32]
        Probabilities of shape (len(rows), num_classes).
    """
    batches = [rows[start : start + _BATCH_SIZE] for start in range(0, len(rows), _BATCH_SIZE)]
    return np.concatenate([tail.predict_on_batch([values[batch] for values in activations]) for batch in batches])
