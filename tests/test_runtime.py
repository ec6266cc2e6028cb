import os
import platform
import random
import resource
import subprocess
import sys
from pathlib import Path
from typing import Literal

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import THREADS

from fusionseq.runtime import configure_runtime, hide_gpus, using_devices

ROOT = Path(__file__).parent.parent
pytestmark = pytest.mark.usefixtures("runtime")


def test_number_of_threads_is_as_asked() -> None:
    assert tf.config.threading.get_intra_op_parallelism_threads() == THREADS
    assert tf.config.threading.get_inter_op_parallelism_threads() == 2


def test_kernels_that_differ_from_run_to_run_are_refused() -> None:
    with pytest.raises(RuntimeError, match="determinism is enabled"):
        tf.random.Generator.from_non_deterministic_state()


def test_gpus_are_left_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    # Once a process has computed, TensorFlow no longer lets them be hidden.
    hidden: list[tuple[list[str], str]] = []
    monkeypatch.setattr(tf.config, "set_visible_devices", lambda *devices: hidden.append(devices))
    hide_gpus()
    assert hidden == [([], "GPU")]


# A product whose sums an AVX-512 kernel takes in another order.
PRODUCT = """
import numpy as np
from fusionseq.runtime import configure_runtime
configure_runtime(2, "float32", deterministic=True)
import tensorflow as tf
rng = np.random.default_rng(0)
left, right = (rng.normal(size=shape).astype(np.float32) for shape in ((32, 1792), (1792, 256)))
print(tf.matmul(left, right).numpy().tobytes().hex())
"""


def test_a_newer_processor_sums_as_others_do() -> None:
    products = []
    for kernels in ("DEFAULT", "AVX2"):
        environment = os.environ | {"PYTHONPATH": str(ROOT / "src"), "ONEDNN_MAX_CPU_ISA": kernels}
        done = subprocess.run(
            [sys.executable, "-c", PRODUCT], env=environment, check=True, capture_output=True, text=True
        )
        products.append(done.stdout)
    assert products[0] == products[1]


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


def test_precision_is_as_asked() -> None:
    configure_runtime(THREADS, "mixed_bfloat16", deterministic=True)
    try:
        assert keras.layers.Dense(1).compute_dtype == "bfloat16"
    finally:
        configure_runtime(THREADS, "float32", deterministic=True)
    assert keras.layers.Dense(1).compute_dtype == "float32"


@pytest.mark.parametrize("devices", ["one", "all"])
def test_a_machine_with_one_device_needs_no_strategy(devices: Literal["one", "all"]) -> None:
    if devices == "all" and tf.config.list_logical_devices("GPU"):
        pytest.skip("this machine has GPUs to share batches")
    with using_devices(devices) as num_devices:
        assert num_devices == 1
        assert not tf.distribute.has_strategy()


def test_freed_memory_is_used_again() -> None:
    """A large array that is freed and made again costs no new page from the system, once it was touched."""
    if platform.libc_ver()[0] != "glibc":
        pytest.skip("only glibc has the switch")
    for _ in range(3):
        np.ones(16 * 2**20)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(5):
        np.ones(16 * 2**20)
    pages = 5 * 16 * 2**20 * 8 // resource.getpagesize()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before < pages / 4
