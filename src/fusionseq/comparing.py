"""Tests of paired predictions, their correction, and what they could have shown.

Source: Q. McNemar, Psychometrika 12, 1947 (discordant pairs); E. J. G. Pitman, Journal of the Royal Statistical Society
4, 1937 (permutations); S. Holm, Scandinavian Journal of Statistics 6, 1979; X. Bouthillier et al., MLSys 2021
(probability of outperforming).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.stats import binom, t
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests

POWER = 0.8
# Numbers of discordant pairs that are less likely than this, on either side, add nothing to the power.
_NEGLIGIBLE = 1e-12


@dataclass(frozen=True)
class PairedComparison:
    """Two models on the same images.

    Attributes
    ----------
    only_first, only_second
        Number of images that one model alone classifies rightly.
    p_value
        Exact McNemar test of the hypothesis that both are right equally often.
    """

    only_first: int
    only_second: int
    p_value: float


def compare_predictions(
    y_true: NDArray[np.int64], first: NDArray[np.int64], second: NDArray[np.int64]
) -> PairedComparison:
    """Compare the predicted classes of two models, each int64 of shape (num_images,)."""
    first_right, second_right = first == y_true, second == y_true
    only_first = int(np.sum(first_right & ~second_right))
    only_second = int(np.sum(second_right & ~first_right))
    # The exact test looks at the discordant pairs alone.
    p_value = mcnemar([[0, only_first], [only_second, 0]], exact=True).pvalue
    return PairedComparison(only_first, only_second, float(p_value))


def flip_signs(differences: NDArray[np.int64]) -> float:
    """Paired permutation test, exact and two-sided, of the hypothesis that differences are as often positive.

    To exchange the two models at one item is to flip the sign of its difference. All 2 ** num_items exchanges are
    counted, not sampled: differences of one size make a binomial number of signs, and few sizes occur, so that the
    distribution of the sum is a short convolution. Where no difference is larger than 1, this is McNemar's test.

    Parameters
    ----------
    differences
        First model less second, int64 of shape (num_items,): of an image, in the number of seeds that are right; of a
        seed, in the number of images that are right.
    """
    sizes, numbers = np.unique(np.abs(differences[differences != 0]), return_counts=True)
    # Chances of each sum of the sizes with a positive sign.
    chances = np.ones(1)
    for size, number in zip(sizes, numbers, strict=True):
        spread = np.zeros(len(chances) + size * number)
        for num_positive, chance in enumerate(binom.pmf(np.arange(number + 1), number, 0.5)):
            spread[size * num_positive : size * num_positive + len(chances)] += chance * chances
        chances = spread
    total = len(chances) - 1
    sums = 2 * np.arange(total + 1) - total
    return min(1.0, float(chances[np.abs(sums) >= abs(differences.sum())].sum()))


def compute_t_interval(differences: NDArray[np.float64], confidence: float) -> list[float]:
    """Student's interval of the mean difference over trainings.

    It takes the trainings for a sample of normally distributed ones, and the test images for the only ones.

    Parameters
    ----------
    differences
        One of each seed, float64 of shape (num_seeds,), at least two.
    confidence
        Of the interval.
    """
    mean, deviation = float(differences.mean()), float(differences.std(ddof=1))
    half = float(t.ppf((1 + confidence) / 2, len(differences) - 1)) * deviation / len(differences) ** 0.5
    return [mean - half, mean + half]


def correct_p_values(p_values: Sequence[float]) -> list[float]:
    """Correct p-values of a family of tests after Holm, so that the chance of any false positive keeps the level."""
    return [float(p_value) for p_value in multipletests(p_values, method="holm")[1]]


def compute_outperforming(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """Tell where the first model is better: 1, where it is not: 0, and where both are equal: 0.5."""
    return np.where(first > second, 1.0, np.where(first < second, 0.0, 0.5))


def compute_power(num_images: int, discordant_share: float, difference: float, level: float) -> float:
    """Chance that the exact McNemar test finds a difference significant.

    Parameters
    ----------
    num_images
        Size of the test subset.
    discordant_share
        Expected share of images that one of the models alone classifies rightly; how many there are is random too.
    difference
        True difference of the accuracies, from 0 to discordant_share.
    level
        Significance is a p-value below it.
    """
    low, high = (int(binom.ppf(tail, num_images, discordant_share)) for tail in (_NEGLIGIBLE, 1 - _NEGLIGIBLE))
    discordant = np.arange(low, high + 1)
    # Largest number of pairs in favour of one model with which the other is significantly better; -1: none is.
    critical = binom.ppf(level / 2, discordant, 0.5).astype(np.int64)
    critical -= 2 * binom.cdf(critical, discordant, 0.5) >= level
    advantage = (1 + difference / discordant_share) / 2
    # The chance of a significant result in the wrong direction is none that one would call power.
    found = binom.cdf(critical, discordant, 1 - advantage)
    return float(np.sum(binom.pmf(discordant, num_images, discordant_share) * found))


def find_smallest_difference(num_images: int, discordant_share: float, level: float) -> float | None:
    """Accuracy difference that one McNemar test detects with 80 % power.

    Where even a difference as large as the share of discordant pairs would not be detected, that share is taken to grow
    with the difference: all discordant pairs then favour one model.

    Parameters
    ----------
    num_images
        Size of the test subset.
    discordant_share
        Observed share of images that one of the models alone classifies rightly.
    level
        Significance is a p-value below it.

    Returns
    -------
    float
        None where no pair is discordant, or the test subset is too small to show any difference.
    """

    def lack_power(difference: float) -> float:
        return POWER - compute_power(num_images, max(discordant_share, difference), difference, level)

    if not discordant_share or lack_power(1.0) > 0:
        return None
    return float(brentq(lack_power, 0.0, 1.0, xtol=1e-9))
