"""What a computation runs under: threads, seeds and deterministic kernels."""

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
    # TensorFlow refuses to set them again once it has computed something, even to the same number.
    if tf.config.threading.get_intra_op_parallelism_threads() != threads:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(1)
    # Without seeds, deterministic kernels refuse to draw random numbers at all.
    keras.utils.set_random_seed(0)
    tf.config.experimental.enable_op_determinism()
