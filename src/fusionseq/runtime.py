"""What a computation runs under: threads, seeds and deterministic kernels."""

import os

# TensorFlow reads this once, when it is first imported: 2 leaves out its notes on the processor.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import tensorflow as tf


def configure_runtime(threads: int) -> None:
    """Fix the number of threads, and let only kernels run that give the same bits each time.

    Sums are split by thread, so another number of threads gives other last bits. Call it before any computation.

    Parameters
    ----------
    threads
        Threads that share one operation.
    """
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    # Without seeds, deterministic kernels refuse to draw random numbers at all.
    keras.utils.set_random_seed(0)
    tf.config.experimental.enable_op_determinism()
