import random

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import THREADS

from fusionseq.runtime import configure_runtime

pytestmark = pytest.mark.usefixtures("runtime")


def test_number_of_threads_is_as_asked() -> None:
    assert tf.config.threading.get_intra_op_parallelism_threads() == THREADS
    assert tf.config.threading.get_inter_op_parallelism_threads() == 2


def test_kernels_that_differ_from_run_to_run_are_refused() -> None:
    with pytest.raises(RuntimeError, match="determinism is enabled"):
        tf.random.Generator.from_non_deterministic_state()


def test_every_generator_starts_anew() -> None:
    draws = []
    for _ in range(2):
        configure_runtime(THREADS, "float32", deterministic=True)
        numbers = [random.random(), np.random.random(), float(tf.random.uniform(())), float(keras.random.uniform(()))]  # noqa: S311
        draws.append(numbers)
    assert draws[0] == draws[1]
    assert len(set(draws[0])) > 1


def test_initial_weights_are_the_same_after_each_start() -> None:
    kernels = []
    for _ in range(2):
        configure_runtime(THREADS, "float32", deterministic=True)
        layer = keras.layers.Dense(3)
        layer.build((None, 4))
        kernels.append(np.array(layer.kernel))
    np.testing.assert_array_equal(kernels[0], kernels[1])
