import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from conftest import CUTS, Experiment

from fusionseq.errors import PipelineError
from fusionseq.forward import BATCH_SIZE, compute_batch, narrow
from fusionseq.models.cutting import get_frozen


def test_an_image_gets_the_same_bits_whatever_is_beside_it(experiment: Experiment, sequential: keras.Model) -> None:
    frozen = get_frozen(sequential, CUTS["mobilenetv2"], "mobilenetv2")
    together = compute_batch(frozen, experiment.images)
    assert set(together) == {"mobilenetv2/cut", "mobilenetv2/pooled"}
    for rows in ([7], [19, 0], list(reversed(range(20))), [3] * BATCH_SIZE):
        for kind, values in compute_batch(frozen, experiment.images[rows]).items():
            np.testing.assert_array_equal(values, together[kind][rows])
    assert np.ptp(together["mobilenetv2/pooled"], axis=0).max() > 0


def test_an_image_gets_the_same_bits_in_every_place(experiment: Experiment, sequential: keras.Model) -> None:
    images = np.random.default_rng(0).permuted(np.repeat(experiment.images, 3, axis=0)[:BATCH_SIZE], axis=0)
    straight = compute_batch(sequential, images)
    assert len({row.tobytes() for row in straight}) == BATCH_SIZE
    for rows in (np.arange(BATCH_SIZE)[::-1], *(np.roll(np.arange(BATCH_SIZE), shift) for shift in range(1, 12))):
        np.testing.assert_array_equal(compute_batch(sequential, images[rows]), straight[rows])


def test_a_processor_without_avx_512_computes_alike() -> None:
    # So TensorFlow sees such a processor: it would leave oneDNN out by itself, and has the other kernels do as there.
    environment = os.environ | {"TF_ENABLE_ONEDNN_OPTS": "0", "ONEDNN_MAX_CPU_ISA": "AVX2"}
    name = test_an_image_gets_the_same_bits_whatever_is_beside_it.__name__
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"{Path(__file__)}::{name}"]
    root = Path(__file__).parent.parent
    done = subprocess.run(command, cwd=root, env=environment, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_several_inputs_are_filled_up_alike() -> None:
    first, second = keras.Input((2,)), keras.Input((3,))
    added = keras.layers.Concatenate()([first, second])
    values = [np.arange(8, dtype=np.float32).reshape(4, 2), -np.arange(12, dtype=np.float32).reshape(4, 3)]
    np.testing.assert_array_equal(
        compute_batch(keras.Model([first, second], added), values), np.concatenate(values, axis=1)
    )


def test_more_than_a_batch_is_refused(experiment: Experiment, sequential: keras.Model) -> None:
    with pytest.raises(ValueError, match="negative"):
        compute_batch(sequential, experiment.images[np.zeros(BATCH_SIZE + 1, np.int64)])


def test_activations_become_what_is_stored() -> None:
    values = np.array([1 / 3, 65504.0], dtype=np.float32)
    assert narrow(values, "float32").tobytes() == values.tobytes()
    assert narrow(values, "float16").tobytes() == values.astype(np.float16).tobytes()
    with pytest.raises(PipelineError, match=r"too large for float16; set features\.dtype"):
        narrow(np.array([1e5], dtype=np.float32), "float16")
