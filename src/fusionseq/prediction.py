"""Probabilities from trained models."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

_BATCH_SIZE = 64


def predict_rows(part: keras.Model, inputs: Sequence[NDArray[Any]], rows: NDArray[np.int64]) -> NDArray[np.float32]:
    """Predict some images from the activations at the cut, as the whole model does from their pixels.

    Parameters
    ----------
    part, inputs
        What computes, and what enters it for all images; see `fusionseq.features.select_fine_tuning`.
    rows
        Positions of the images to predict.

    Returns
    -------
    NDArray[np.float32]
        Probabilities of shape (len(rows), num_classes).
    """
    batches = [rows[start : start + _BATCH_SIZE] for start in range(0, len(rows), _BATCH_SIZE)]
    return np.concatenate([part.predict_on_batch([values[batch] for values in inputs]) for batch in batches])
