"""Probabilities from trained models, the same bits from images as from what was stored of them."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from fusionseq.features import Inputs
from fusionseq.forward import BATCH_SIZE, compute_batch, narrow
from fusionseq.models.cutting import get_fine_tuning_phase, list_frozen


class CutModel:
    """A trained model in the parts that the pipeline computes apart: up to the cut of each backbone, and from there.

    Parameters
    ----------
    model
        The whole model; weights may be loaded into it at any time.
    first_trained_layers
        By the name of the backbone.
    cut_dtype
        What the model was trained from has between the parts: "float32" or "float16".
    """

    def __init__(self, model: keras.Model, first_trained_layers: Mapping[str, str], cut_dtype: str) -> None:
        # With the pooled features, which nobody needs here: these are the graphs that stored features come from, but
        # for those of a stem, where the bits agree nevertheless.
        self._frozen = list_frozen(model, first_trained_layers)
        tail = get_fine_tuning_phase(model, first_trained_layers)
        self._tail, self._stored = tail.part, tail.stored
        self._cut_dtype = cut_dtype

    def predict_images(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Predict images.

        Parameters
        ----------
        images
            uint8 of shape (num_images, image_size, image_size, 3), RGB; at most `fusionseq.forward.BATCH_SIZE`.

        Returns
        -------
        NDArray[np.float32]
            Probabilities of shape (num_images, num_classes).
        """
        outputs = {name: values for frozen in self._frozen for name, values in compute_batch(frozen, images).items()}
        return self._predict_cuts([narrow(outputs[name], self._cut_dtype) for name in self._stored])

    def predict_rows(self, inputs: Inputs, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Predict some images of a dataset, from stored features where there are any.

        Parameters
        ----------
        inputs
            Features of all images, or the images.
        rows
            Positions of the images to predict.

        Returns
        -------
        NDArray[np.float32]
            Probabilities of shape (len(rows), num_classes).
        """
        batches = [rows[start : start + BATCH_SIZE] for start in range(0, len(rows), BATCH_SIZE)]
        if isinstance(inputs, Mapping):
            cuts = [inputs[name] for name in self._stored]
            return np.concatenate([self._predict_cuts([values[batch] for values in cuts]) for batch in batches])
        return np.concatenate([self.predict_images(inputs[batch]) for batch in batches])

    def _predict_cuts(self, cuts: list[NDArray[Any]]) -> NDArray[np.float32]:
        probabilities: NDArray[np.float32] = compute_batch(self._tail, cuts)
        return probabilities
