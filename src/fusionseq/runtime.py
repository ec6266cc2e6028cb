"""What a computation runs under: threads, seeds, precision, deterministic kernels and devices."""

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Literal

import keras
import tensorflow as tf

from fusionseq.device_lock import identify_gpus, keep_gpus

# Operations that do not depend on each other run side by side; each alone still gives the same bits.
_INTER_OP_THREADS = 2

# Of glibc's malloc.h.
_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4


def configure_runtime(threads: int, precision: str, deterministic: bool) -> None:
    """Fix the number of threads and the precision, and let only kernels run that give the same bits each time.

    Sums are split by thread, so another number of threads gives other last bits. Call it before any computation. The
    GPUs that this process sees are its own from here on.

    Parameters
    ----------
    threads
        Threads that share one operation.
    precision
        A dtype policy of Keras. Whatever it is, the softmax computes in float32.
    deterministic
        Whether kernels are refused that differ from run to run or, in float32, from one x86 processor to another; some
        on a GPU are faster, and those for AVX-512.

    Raises
    ------
    PipelineError
        Another process computes on one of the GPUs.
    """
    keep_gpus(identify_gpus(len(tf.config.list_physical_devices("GPU")), os.environ.get("CUDA_VISIBLE_DEVICES")))
    _keep_freed_memory()
    # TensorFlow refuses to set them again once it has computed something, even to the same number.
    if tf.config.threading.get_intra_op_parallelism_threads() != threads:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(_INTER_OP_THREADS)
    # Without seeds, deterministic kernels refuse to draw random numbers at all.
    keras.utils.set_random_seed(0)
    keras.config.set_dtype_policy(precision)
    # What every processor has; half precision needs a newer one. oneDNN reads it when it first computes.
    os.environ["ONEDNN_MAX_CPU_ISA"] = "AVX2" if deterministic and precision == "float32" else "DEFAULT"
    if deterministic:
        tf.config.experimental.enable_op_determinism()


def hide_gpus() -> None:
    """Leave the GPUs of this machine to other processes, and their memory. Call it before any computation."""
    tf.config.set_visible_devices([], "GPU")


@contextmanager
def using_devices(devices: Literal["one", "all"]) -> Iterator[int]:
    """Have the models that are built in this block train on one device, or on all of this machine's.

    Yields
    ------
    int
        Devices that share each batch: all GPUs, or without any all logical CPUs.
    """
    available = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    if devices == "one" or len(available) == 1:
        yield 1
        return
    with _mirror(tuple(device.name for device in available)).scope():
        yield len(available)


@cache
def _mirror(devices: tuple[str, ...]) -> tf.distribute.Strategy:
    """Make one strategy for a process: a second one would number its reductions from the same start."""
    return tf.distribute.MirroredStrategy(devices)


def _keep_freed_memory() -> None:
    """Have freed memory used again rather than given back to the system, which zeroes it anew at each step.

    A step of fine-tuning at 96 px takes a tenth less time so. Only glibc has the switch.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_MAX, 0)
        mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)
