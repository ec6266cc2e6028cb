"""The rate at which this machine can do floating-point operations."""

import math
import time

import keras
import numpy as np

_MATRIX_SIZE = 2048


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
