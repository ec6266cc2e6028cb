"""Floating-point operations of a model, counted from its layers, and the rate at which this machine can do them."""

import math
import time

import keras
import numpy as np

_MATRIX_SIZE = 2048


def count_operations(model: keras.Model) -> int:
    """Count the multiplications and additions of the convolutions and dense layers for one image."""
    return sum(_count(layer) for layer in model.layers)


def count_backward(model: keras.Model) -> int:
    """Count the operations of one backward pass for one image.

    Each layer is gone through once for its weights and once for its input; the first ones on every path need no
    gradient of their input.
    """
    inputs = {id(tensor) for tensor in model.inputs}
    first = sum(_count(layer) for layer in model.layers if id(layer.input) in inputs)
    return 2 * count_operations(model) - first


def measure_rate(repeats: int = 8) -> float:
    """Measure the best rate of a float32 matrix product, in operations per second, on all threads of the backend."""
    rng = np.random.default_rng(0)
    shape = (_MATRIX_SIZE, _MATRIX_SIZE)
    left, right = (keras.ops.convert_to_tensor(rng.standard_normal(shape, dtype=np.float32)) for _ in range(2))
    seconds = math.inf
    for _ in range(repeats):
        start = time.perf_counter()
        np.asarray(keras.ops.matmul(left, right))
        seconds = min(seconds, time.perf_counter() - start)
    return 2 * _MATRIX_SIZE**3 / seconds


def _count(layer: keras.Layer) -> int:
    if isinstance(layer, keras.layers.Dense):
        return int(2 * math.prod(layer.kernel.shape))
    if isinstance(layer, keras.layers.Conv2D | keras.layers.DepthwiseConv2D):
        _, height, width, _ = layer.output.shape
        # A kernel is applied at every position of the output.
        return int(2 * height * width * math.prod(layer.kernel.shape))
    return 0
