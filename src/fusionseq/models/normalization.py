"""Batch normalization whose inference gives the same bits on every processor.

Keras multiplies by `rsqrt`, which TensorFlow refines from an estimate of the processor's, and those of AMD and Intel
differ. Square roots and quotients are rounded as IEEE 754 has it everywhere.
"""

from typing import Any

import keras
from keras import KerasTensor, ops


class ExactBatchNormalization(keras.layers.BatchNormalization):  # type: ignore[misc]
    """The layer of Keras, with other operations in inference mode."""

    def call(self, inputs: KerasTensor, training: bool | None = None, mask: Any = None) -> KerasTensor:
        """Normalize with the moving statistics, or in training as Keras does.

        Parameters
        ----------
        inputs
            Of shape (batch, ..., channels).
        training
            Whether in training mode, in which a layer that is not trainable never is.
        mask
            Of training alone.
        """
        if training and self.trainable:
            return super().call(inputs, training=training, mask=mask)
        # The moving variance could overflow in float16.
        dtype = keras.backend.result_type(inputs.dtype, "float32")
        mean, variance = ops.cast(self.moving_mean, dtype), ops.cast(self.moving_variance, dtype) + self.epsilon
        # 1 / sqrt(variance), in a form that TensorFlow's optimizer makes no estimate of.
        factor = ops.sqrt(variance) / variance
        if self.scale:
            factor *= ops.cast(self.gamma, dtype)
        offset = -mean * factor
        if self.center:
            offset += ops.cast(self.beta, dtype)
        return ops.cast(ops.cast(inputs, dtype) * factor + offset, self.compute_dtype)


def make_exact(layer: keras.Layer) -> None:
    """Have a layer that `keras.applications` built compute exactly, if it is batch normalization.

    It stays the same layer in the same graph: builders take no other, and a clone would be another graph.
    """
    if type(layer) is keras.layers.BatchNormalization:
        layer.__class__ = ExactBatchNormalization
