"""Batches read ahead of the training by `tf.data`, on a thread of its own."""

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from fusionseq.batches import Batches

_BATCHES_AHEAD = 2


def stream_batches(batches: Batches) -> tf.data.Dataset:
    """Read batches while the ones before them are computed with; memory holds but a few of them.

    Parameters
    ----------
    batches
        What to read; their order is asked for anew at the start of each epoch.

    Returns
    -------
    tf.data.Dataset
        The batches as `fusionseq.batches.Batches` has them.
    """
    first = batches[0]
    specs = [tf.TensorSpec((None, *values.shape[1:]), values.dtype) for values in keras.tree.flatten(first)]

    def read(index: tf.Tensor) -> tuple[tf.Tensor, ...]:
        def read_flat(chosen: np.int64) -> list[NDArray[np.generic]]:
            return list(keras.tree.flatten(batches[int(chosen)]))

        values = tf.numpy_function(read_flat, [index], [spec.dtype for spec in specs])
        for tensor, spec in zip(values, specs, strict=True):
            tensor.set_shape(spec.shape)
        packed: tuple[tf.Tensor, ...] = keras.tree.pack_sequence_as(first, values)
        return packed

    # Not `from_generator`: it has malloc give freed memory back at every step, see fusionseq.runtime.
    # One thread reads faster than a device trains; TensorFlow's deterministic mode would take a second one away again.
    dataset = tf.data.Dataset.range(len(batches)).map(read).prefetch(_BATCHES_AHEAD)
    options = tf.data.Options()
    options.deterministic = True
    # Its thread sleeps ever longer, and an epoch that ends may wait for it to wake: 5.1 instead of 3.2 seconds for half
    # of the epochs, measured.
    options.autotune.enabled = False
    # One machine reads for all its devices.
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.OFF
    return dataset.with_options(options)
