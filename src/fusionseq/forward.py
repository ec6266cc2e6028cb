"""A forward pass that gives an image the same bits whatever is computed beside it, now or in another process."""

from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from fusionseq.errors import PipelineError

# Kernels are chosen by the size of a batch, and sum in other orders: a single image differs from one among many in
# float32, and up to sixteen do in mixed_float16. So there is one size. It is a multiple of 24, since oneDNN multiplies
# rows that its blocks leave over in another way. At this one, VGG16 takes 1.8 GB for images of 224 px.
BATCH_SIZE = 48


def compute_batch(part: keras.Model, inputs: Any) -> Any:
    """Compute at most `BATCH_SIZE` examples, in a batch that is filled up to this size.

    Parameters
    ----------
    part
        A model or a part of one.
    inputs
        What enters it: an array, or a list of arrays, the first axis of each being the examples.

    Returns
    -------
    Any
        What leaves it, in its own structure, for the examples alone.
    """
    num_examples = len(keras.tree.flatten(inputs)[0])

    def fill(values: NDArray[Any]) -> NDArray[Any]:
        return np.concatenate([values, np.repeat(values[:1], BATCH_SIZE - num_examples, axis=0)])

    outputs = part.predict_on_batch(keras.tree.map_structure(fill, inputs))
    return keras.tree.map_structure(lambda values: values[:num_examples], outputs)


def narrow(values: NDArray[Any], dtype: str) -> NDArray[Any]:
    """Turn activations into the dtype that features are stored in.

    Raises
    ------
    PipelineError
        A value is too large for float16.
    """
    with np.errstate(over="ignore"):
        narrowed = values.astype(dtype)
    if dtype == "float16" and not np.isfinite(narrowed).all():
        raise PipelineError("a feature is too large for float16; set features.dtype: float32 in params.yaml.")
    return narrowed
