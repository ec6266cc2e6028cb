"""Bootstrap: how much metrics would move with other test images, and with other seeds.

Source: B. Efron and R. J. Tibshirani, An Introduction to the Bootstrap, 1993, Chapter 13.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

# All models see the same resamples, so that comparisons are paired, and no interval depends on which other models are
# there.
_IMAGES_SEED, _SEEDS_SEED = 0, 1
# Numbers in one array of a block: 32 MiB as int64.
_BLOCK_SIZE = 2**22


def resample_images(num_images: int, num_resamples: int, block_size: int) -> Iterator[NDArray[np.int32]]:
    """Draw images with replacement.

    Parameters
    ----------
    num_images
        How many there are, and how many are drawn each time.
    num_resamples
        How many times.
    block_size
        How many resamples come together; the resamples are the same for all.

    Yields
    ------
    NDArray
        How often each image was drawn, int32 of shape (num_images, at most block_size).
    """
    generator = np.random.default_rng(_IMAGES_SEED)
    for start in range(0, num_resamples, block_size):
        size = min(block_size, num_resamples - start)
        drawn = generator.integers(num_images, size=(size, num_images))
        drawn += np.arange(size)[:, np.newaxis] * num_images
        counts = np.bincount(drawn.ravel(), minlength=size * num_images).reshape(size, num_images)
        yield np.ascontiguousarray(counts.T, dtype=np.int32)


def resample_seeds(num_seeds: int, num_resamples: int) -> NDArray[np.int64]:
    """Draw seeds with replacement: their positions, int64 of shape (num_resamples, num_seeds)."""
    return np.random.default_rng(_SEEDS_SEED).integers(num_seeds, size=(num_resamples, num_seeds))


@dataclass(frozen=True)
class Resampled:
    """The metrics of one model on resampled test images, each float64 of shape (num_resamples, num_seeds)."""

    accuracy: NDArray[np.float64]
    macro_f1: NDArray[np.float64]


def bootstrap_metrics(
    y_true: NDArray[np.int64], y_pred: Mapping[str, NDArray[np.int64]], num_classes: int, num_resamples: int
) -> dict[str, Resampled]:
    """Evaluate models on resampled test images, the same for all models and seeds.

    Parameters
    ----------
    y_true
        int64 of shape (num_images,).
    y_pred
        By the name of the model, int64 of shape (num_seeds, num_images).
    num_classes
        A class that a resample lacks counts as `Evaluation` counts it.
    num_resamples
        Number of bootstrap resamples.
    """
    num_images = len(y_true)
    # F1 takes no confusion matrix, which with 1,000 classes has a million cells: of each class, how many images are
    # its own, how many are predicted to be, and how many are both. Each is a product with the drawn counts.
    actual = _indicate(y_true, num_classes)
    resampled = {
        name: Resampled(*(np.empty((num_resamples, len(of_model))) for _ in range(2)))
        for name, of_model in y_pred.items()
    }
    indicators = [
        (resampled[name], place, _indicate(of_run, num_classes), _indicate(of_run, num_classes, of_run == y_true))
        for name, of_model in y_pred.items()
        for place, of_run in enumerate(of_model)
    ]
    block_size = max(1, _BLOCK_SIZE // max(num_images, num_classes))
    start = 0
    for counts in resample_images(num_images, num_resamples, block_size):
        block = slice(start, start + counts.shape[1])
        num_actual = actual @ counts
        for metrics, place, predicted, right in indicators:
            num_right = right @ counts
            either = num_actual + predicted @ counts
            f1 = np.divide(2.0 * num_right, either, out=np.zeros(either.shape), where=either > 0)
            metrics.accuracy[block, place] = num_right.sum(axis=0) / num_images
            metrics.macro_f1[block, place] = f1.mean(axis=0)
        start = block.stop
    return resampled


def _indicate(classes: NDArray[np.int64], num_classes: int, is_counted: NDArray[np.bool_] | bool = True) -> csr_array:
    """Of shape (num_classes, num_images): 1 where an image is of a class, and counted."""
    ones = np.broadcast_to(is_counted, classes.shape).astype(np.int32)
    indicator = csr_array((ones, (classes, np.arange(len(classes)))), shape=(num_classes, len(classes)))
    indicator.eliminate_zeros()
    return indicator


def average_over_seeds(values: NDArray[np.float64], seeds: NDArray[np.int64]) -> NDArray[np.float64]:
    """Average values of resampled images over resampled seeds.

    Parameters
    ----------
    values
        float64 of shape (num_resamples, num_seeds).
    seeds
        Positions of the seeds that each resample drew, int64 of shape (num_resamples, num_seeds).

    Returns
    -------
    NDArray
        float64 of shape (num_resamples,).
    """
    return np.asarray(np.take_along_axis(values, seeds, axis=1).mean(axis=1))


def compute_percentile_interval(values: NDArray[np.float64], confidence: float) -> list[float]:
    """Lower and upper end of the percentile interval of resampled values, of shape (num_resamples,)."""
    return [float(end) for end in np.quantile(values, [(1 - confidence) / 2, (1 + confidence) / 2])]
