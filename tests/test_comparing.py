import math
from itertools import product

import numpy as np
import pytest
from committed_predictions import read_predictions
from numpy.typing import NDArray
from scipy.stats import binomtest, permutation_test, ttest_1samp

from fusionseq.comparing import (
    POWER,
    compare_predictions,
    compute_outperforming,
    compute_power,
    compute_t_interval,
    correct_p_values,
    find_smallest_difference,
    flip_signs,
)


def predict(num_both: int, only_first: int, only_second: int) -> tuple[NDArray[np.int64], ...]:
    """True classes and two predictions with given numbers of right ones."""
    size = num_both + only_first + only_second + 3
    y_true, first, second = (np.zeros(size, dtype=np.int64) for _ in range(3))
    first[num_both + only_first :] = 1
    second[num_both : num_both + only_first] = 1
    second[num_both + only_first + only_second :] = 2
    return y_true, first, second


def count_exchanges(differences: NDArray[np.int64]) -> float:
    """The permutation test by all exchanges."""
    sums = [np.dot(signs, differences) for signs in product((-1, 1), repeat=len(differences))]
    return float(np.mean(np.abs(sums) >= abs(differences.sum())))


def read_leads() -> NDArray[np.int64]:
    """Of the real predictions, first right less second right, of shape (num_seeds, num_images)."""
    predictions = read_predictions()
    rights = [(predictions.y_pred[name] == predictions.y_true).astype(int) for name in ("fusion", "sequential")]
    return np.asarray(rights[0] - rights[1])


@pytest.mark.parametrize(("only_first", "only_second"), [(5, 21), (21, 5), (1, 8), (7, 7), (0, 1), (0, 6)])
def test_mcnemar_is_the_two_sided_binomial_test_of_the_discordant_pairs(only_first: int, only_second: int) -> None:
    discordant = only_first + only_second
    tail = sum(math.comb(discordant, k) for k in range(min(only_first, only_second) + 1)) / 2**discordant
    comparison = compare_predictions(*predict(100, only_first, only_second))
    assert (comparison.only_first, comparison.only_second) == (only_first, only_second)
    assert comparison.p_value == pytest.approx(min(1.0, 2 * tail), rel=1e-12)


def test_mcnemar_by_hand() -> None:
    # One against eight: 2 * (1 + 9) / 512.
    assert compare_predictions(*predict(3, 1, 8)).p_value == pytest.approx(0.0390625, rel=1e-12)


def test_models_that_agree_are_not_told_apart() -> None:
    comparison = compare_predictions(*predict(10, 0, 0))
    assert (comparison.only_first, comparison.only_second, comparison.p_value) == (0, 0, 1.0)


def test_mcnemar_of_real_predictions_is_that_of_scipy_and_the_permutation_test_of_one_seed() -> None:
    predictions = read_predictions()
    for place, leads in enumerate(read_leads()):
        comparison = compare_predictions(
            predictions.y_true, predictions.y_pred["fusion"][place], predictions.y_pred["sequential"][place]
        )
        pairs = (comparison.only_first, comparison.only_second)
        assert pairs == (np.sum(leads == 1), np.sum(leads == -1))
        expected = binomtest(pairs[0], sum(pairs)).pvalue if any(pairs) else 1.0
        assert comparison.p_value == pytest.approx(expected)
        assert flip_signs(leads) == pytest.approx(expected)


def test_permutation_by_hand() -> None:
    # Sums of +-1, +-1 and +-2 are 4, 2, 2, 0, 0, -2, -2 and -4: six of eight reach 2.
    assert flip_signs(np.array([1, -1, 2])) == pytest.approx(6 / 8)
    assert flip_signs(np.array([1, 1, 2])) == pytest.approx(2 / 8)
    assert flip_signs(np.array([5, 7, 4])) == pytest.approx(2 / 8)


def test_permutation_without_a_difference() -> None:
    assert flip_signs(np.zeros(4, dtype=np.int64)) == 1.0
    assert flip_signs(np.array([2, -2, 0])) == 1.0


@pytest.mark.parametrize("seed", range(5))
def test_permutation_counts_every_exchange(seed: int) -> None:
    differences = np.random.default_rng(seed).integers(-3, 5, size=10)
    assert flip_signs(differences) == pytest.approx(count_exchanges(differences))


def test_permutation_of_real_predictions_is_that_of_scipy() -> None:
    def subtract(first: NDArray[np.float64], second: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
        return np.asarray((first - second).sum(axis=axis))

    leads = read_leads().sum(axis=0)
    # Exact, on images of which some differ: the first few, or all exchanges would be too many.
    few = leads[np.flatnonzero(leads)[:9]]
    exact = permutation_test((few, np.zeros(len(few))), subtract, permutation_type="samples", n_resamples=np.inf,
                             vectorized=True)  # fmt: skip
    assert flip_signs(few) == pytest.approx(exact.pvalue)
    # Sampled, on all images; images that do not differ change nothing.
    sampled = permutation_test((leads, np.zeros(len(leads))), subtract, permutation_type="samples", n_resamples=4000,
                               vectorized=True, rng=np.random.default_rng(0))  # fmt: skip
    expected = flip_signs(leads)
    assert sampled.pvalue == pytest.approx(expected, abs=4 * math.sqrt(expected * (1 - expected) / 4000) + 1e-3)
    assert flip_signs(leads[leads != 0]) == expected


def test_permutation_of_real_accuracies_over_seeds_counts_every_exchange() -> None:
    by_seed = read_leads().sum(axis=1)
    assert flip_signs(by_seed) == pytest.approx(count_exchanges(by_seed))


def test_permutation_of_many_images_is_the_normal_approximation() -> None:
    differences = np.repeat([1, 2, 3, -1, -2, -3], [900, 400, 100, 850, 350, 100])
    deviation = math.sqrt((differences**2).sum())
    # One half of the lattice's step, for continuity.
    expected = math.erfc((abs(differences.sum()) - 1) / deviation / math.sqrt(2))
    assert flip_signs(differences) == pytest.approx(expected, rel=0.01)


def test_permutation_keeps_its_level_where_models_are_equal() -> None:
    # Three seeds of each model, whose images share their difficulty; p-values below 0.05 in at most as many cases.
    generator = np.random.default_rng(0)
    false_positives = 0
    for _ in range(500):
        rates = generator.beta(4, 1, size=60)
        rights = generator.random((2, 3, 60)) < rates
        false_positives += flip_signs((rights[0].astype(int) - rights[1]).sum(axis=0)) < 0.05
    # The test is exact, and discrete: a little less than the level. Four standard deviations above it are 0.089.
    assert 0.015 < false_positives / 500 < 0.089


def test_permutation_finds_what_is_there() -> None:
    generator = np.random.default_rng(0)
    found = 0
    for _ in range(100):
        rights = generator.random((2, 3, 200)) < np.array([0.9, 0.75]).reshape(2, 1, 1)
        found += flip_signs((rights[0].astype(int) - rights[1]).sum(axis=0)) < 0.05
    assert found > 95


def test_correction_by_hand() -> None:
    # 3 * 0.01; 2 * 0.03; 1 * 0.04 would come before the one before it.
    assert correct_p_values([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    assert correct_p_values([0.7, 0.6]) == [1.0, 1.0]
    assert correct_p_values([0.2]) == [0.2]


def test_correction_rejects_what_the_stepwise_procedure_rejects() -> None:
    # Holm's own words: from the smallest on, as long as p is below level / (number of tests that are left).
    p_values = (np.random.default_rng(0).random(9) ** 4).tolist()
    corrected = correct_p_values(p_values)
    for level in (0.01, 0.05, 0.3):
        rejected = set()
        for step, place in enumerate(np.argsort(p_values)):
            if p_values[place] > level / (len(p_values) - step):
                break
            rejected.add(int(place))
        assert {place for place, p_value in enumerate(corrected) if p_value <= level} == rejected


def test_ties_count_half_for_outperforming() -> None:
    found = compute_outperforming(np.array([0.9, 0.7, 0.8]), np.array([0.8, 0.8, 0.8]))
    assert found.tolist() == [1.0, 0.0, 0.5]


@pytest.mark.parametrize(("num_images", "share", "difference"), [(12, 0.6, 0.5), (25, 0.4, 0.2), (25, 0.5, 0.5)])
def test_power_is_the_chance_of_all_significant_outcomes(num_images: int, share: float, difference: float) -> None:
    chances = ((share + difference) / 2, (share - difference) / 2, 1 - share)
    power = 0.0
    for only_first in range(num_images + 1):
        for only_second in range(num_images - only_first + 1):
            pairs = (only_first, only_second, num_images - only_first - only_second)
            if only_first > only_second and compare_predictions(*predict(0, *pairs[:2])).p_value < 0.05:
                ways = math.comb(num_images, only_first) * math.comb(num_images - only_first, only_second)
                power += ways * math.prod(chance**number for chance, number in zip(chances, pairs, strict=True))
    assert compute_power(num_images, share, difference, 0.05) == pytest.approx(power, abs=1e-9)


def test_power_of_real_predictions_is_that_of_simulated_ones() -> None:
    leads = read_leads()
    num_images, share = leads.shape[1], max(float(np.abs(leads).mean()), 1 / leads.shape[1])
    difference = find_smallest_difference(num_images, share, 0.05)
    assert difference is not None
    share = max(share, difference)
    generator = np.random.default_rng(0)
    chances = [(share + difference) / 2, (share - difference) / 2, 1 - share]
    outcomes = generator.multinomial(num_images, chances, size=2000)
    distinct, numbers = np.unique(outcomes[:, :2], axis=0, return_counts=True)
    found = [first > second and flip_signs(np.repeat([1, -1], [first, second])) < 0.05 for first, second in distinct]
    assert np.average(found, weights=numbers) == pytest.approx(POWER, abs=0.04)


def test_smallest_difference_has_the_power_that_it_says() -> None:
    difference = find_smallest_difference(2000, 0.02, 0.05)
    assert difference is not None
    assert 0.005 < difference < 0.02
    assert compute_power(2000, 0.02, difference, 0.05) == pytest.approx(POWER, abs=1e-5)


def test_smallest_difference_by_hand() -> None:
    # With few discordant pairs all of them must favour one model. Six do: 2 / 2 ** 6 < 0.05 < 2 / 2 ** 5. So six of 100
    # images or more must differ, which with a chance of 0.079 they do in four of five cases.
    difference = find_smallest_difference(100, 0.01, 0.05)
    assert difference is not None
    fewer = sum(math.comb(100, k) * difference**k * (1 - difference) ** (100 - k) for k in range(6))
    assert 1 - fewer == pytest.approx(0.8, abs=1e-5)


def test_larger_test_subsets_and_fewer_discordant_pairs_show_smaller_differences() -> None:
    def find(num_images: int, share: float) -> float:
        difference = find_smallest_difference(num_images, share, 0.05)
        assert difference is not None
        return difference

    assert find(10_000, 0.05) < find(2000, 0.05) < find(360, 0.05)
    assert find(2000, 0.02) < find(2000, 0.1)
    # The square root of the share over the number of images, at 80 % power: 2.8 standard deviations.
    assert find(50_000, 0.1) == pytest.approx(2.80 * math.sqrt(0.1 / 50_000), rel=0.02)


def test_no_difference_can_be_shown_without_discordant_pairs_or_with_few_images() -> None:
    assert find_smallest_difference(1000, 0.0, 0.05) is None
    assert find_smallest_difference(5, 0.4, 0.05) is None
    assert find_smallest_difference(2, 0.5, 0.05) is None
    assert find_smallest_difference(6, 0.5, 0.05) is not None


def test_t_interval_is_that_of_scipy() -> None:
    differences = np.array([5, 9, 3]) / 360
    expected = ttest_1samp(differences, 0).confidence_interval(0.95)
    np.testing.assert_allclose(compute_t_interval(differences, 0.95), [expected.low, expected.high], rtol=1e-12)
    # By hand: mean 17/3 images, standard deviation 3.0551, t of two degrees of freedom 4.3027.
    half = 4.302653 * 3.055050 / 3**0.5
    np.testing.assert_allclose(compute_t_interval(differences * 360, 0.95), [17 / 3 - half, 17 / 3 + half], rtol=1e-6)


def test_t_interval_of_equal_differences_is_a_point() -> None:
    assert compute_t_interval(np.array([0.5, 0.5, 0.5]), 0.95) == [0.5, 0.5]
