import math

import numpy as np
import pytest
from committed_predictions import read_predictions
from numpy.typing import NDArray
from scipy.special import log_softmax, softmax
from sklearn.calibration import calibration_curve
from sklearn.metrics import log_loss

from fusionseq.calibration import (
    NUM_BINS,
    TEMPERATURES,
    ReliabilityBin,
    apply_temperature,
    bin_by_confidence,
    compute_calibration_error,
    fit_temperature,
    take_logarithm,
)

RUNS = [(name, place) for name in ("fusion", "sequential") for place in range(len(read_predictions().y_pred[name]))]


def draw(num_images: int, temperature: float) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Classes drawn with the chances of logits, and the probabilities of logits that are larger by a factor."""
    generator = np.random.default_rng(0)
    logits = generator.normal(size=(num_images, 4)) * 2
    chances = softmax(logits, axis=1).cumsum(axis=1)
    return (generator.random((num_images, 1)) > chances).sum(axis=1), softmax(logits * temperature, axis=1)


@pytest.mark.parametrize(("name", "place"), RUNS)
def test_bins_of_real_predictions_are_those_of_scikit_learn(name: str, place: int) -> None:
    predictions = read_predictions()
    probabilities = predictions.probabilities[name][place]
    is_right = probabilities.argmax(axis=1) == predictions.y_true
    accuracy, confidence = calibration_curve(
        is_right, probabilities.max(axis=1).astype(np.float64), n_bins=NUM_BINS, strategy="quantile"
    )
    bins = bin_by_confidence(predictions.y_true, probabilities)
    assert [of_bin.accuracy for of_bin in bins] == pytest.approx(accuracy)
    assert [of_bin.confidence for of_bin in bins] == pytest.approx(confidence)
    assert sum(of_bin.num_images for of_bin in bins) == len(is_right)


def test_bins_by_hand() -> None:
    # 30 confidences, no two equal: fifteen bins of two.
    confidence = np.linspace(0.6, 0.89, 30)
    probabilities = np.stack([confidence, 1 - confidence], axis=1)
    y_true = np.zeros(30, dtype=np.int64)
    y_true[:3] = 1
    bins = bin_by_confidence(y_true, probabilities)
    assert [of_bin.num_images for of_bin in bins] == [2] * 15
    assert [of_bin.accuracy for of_bin in bins] == [0, 0.5, *[1] * 13]
    assert [of_bin.confidence for of_bin in bins] == pytest.approx(0.605 + 0.02 * np.arange(15))
    # 0.605 + (0.625 - 0.5) + thirteen times 1 - confidence.
    expected = (0.605 + 0.125 + sum(1 - (0.605 + 0.02 * place) for place in range(2, 15))) / 15
    assert compute_calibration_error(y_true, probabilities) == pytest.approx(expected)


def test_equal_confidences_stay_together_whatever_the_order_of_the_images() -> None:
    probabilities = np.full((40, 2), [0.75, 0.25])
    y_true = np.repeat([0, 1], [30, 10])
    assert bin_by_confidence(y_true, probabilities) == [ReliabilityBin(0.75, 0.75, 40)]
    assert compute_calibration_error(y_true, probabilities) == 0.0


def test_saturated_probabilities_are_one_bin() -> None:
    confidence = np.concatenate([np.linspace(0.5, 0.9, 20), np.ones(80)])
    probabilities = np.stack([confidence, 1 - confidence], axis=1).astype(np.float32)
    bins = bin_by_confidence(np.zeros(100, dtype=np.int64), probabilities)
    assert bins[-1].num_images >= 80
    assert sum(of_bin.num_images for of_bin in bins) == 100


def test_two_images_make_two_bins() -> None:
    bins = bin_by_confidence(np.array([0, 0]), np.array([[0.9, 0.1], [0.4, 0.6]], dtype=np.float32))
    assert [(of_bin.accuracy, of_bin.num_images) for of_bin in bins] == [(0.0, 1), (1.0, 1)]


def test_calibration_error_of_probabilities_that_are_true_vanishes_with_the_number_of_images() -> None:
    assert compute_calibration_error(*draw(100_000, 1.0)) < 0.006
    assert compute_calibration_error(*draw(100_000, 3.0)) > 0.1


@pytest.mark.parametrize(("name", "place"), RUNS)
def test_temperature_of_real_predictions_is_the_best_of_a_grid(name: str, place: int) -> None:
    predictions = read_predictions()
    probabilities = predictions.probabilities[name][place]
    found = fit_temperature(predictions.y_true, probabilities)
    # As scikit-learn evaluates them; no probability is so small here that it cuts the loss off.
    grid = np.geomspace(*TEMPERATURES, 200)
    logarithms = np.log(probabilities.astype(np.float64))
    losses = [log_loss(predictions.y_true, softmax(logarithms / t, axis=1), labels=range(probabilities.shape[1]))
              for t in grid]  # fmt: skip
    best = int(np.argmin(losses))
    assert grid[max(best - 1, 0)] <= found <= grid[min(best + 1, len(grid) - 1)]


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_planted_temperature_is_found(temperature: float) -> None:
    y_true, probabilities = draw(20_000, temperature)
    assert fit_temperature(y_true, probabilities) == pytest.approx(temperature, rel=0.03)


def test_temperature_by_hand() -> None:
    # Three of four images are right, at odds of 9 to 1: they should be 3 to 1, and 9 ** (1 / 2) = 3.
    probabilities = np.full((4, 2), [0.9, 0.1])
    y_true = np.array([0, 0, 0, 1])
    assert fit_temperature(y_true, probabilities) == pytest.approx(2, rel=1e-4)
    assert apply_temperature(probabilities, 2) == pytest.approx(np.full((4, 2), [0.75, 0.25]))


def test_temperature_stops_at_the_ends_of_its_range() -> None:
    probabilities = np.full((4, 2), [0.9, 0.1], dtype=np.float32)
    assert fit_temperature(np.array([0, 0, 0, 0]), probabilities) == TEMPERATURES[0]
    assert fit_temperature(np.array([1, 1, 1, 1]), probabilities) == TEMPERATURES[1]


def test_temperature_is_one_where_none_is_better() -> None:
    assert fit_temperature(np.array([0, 1, 2]), np.full((3, 3), 1 / 3, dtype=np.float32)) == 1.0
    assert fit_temperature(np.array([0, 1]), np.eye(2, dtype=np.float32)) == 1.0


def test_probabilities_of_exactly_zero_have_a_temperature() -> None:
    probabilities = np.array([[1, 0], [1, 0], [1, 0], [1, 0]], dtype=np.float32)
    y_true = np.array([0, 0, 0, 1])
    found = fit_temperature(y_true, probabilities)
    assert found == TEMPERATURES[1]
    calibrated = apply_temperature(probabilities, found)
    assert np.isfinite(take_logarithm(probabilities)).all()
    assert calibrated.sum(axis=1) == pytest.approx(1)
    assert 0 < calibrated[0, 1] < 0.001


def test_temperature_changes_no_prediction() -> None:
    probabilities = read_predictions().probabilities["sequential"][0]
    for temperature in TEMPERATURES:
        calibrated = apply_temperature(probabilities, temperature)
        assert (calibrated.argmax(axis=1) == probabilities.argmax(axis=1)).all()
        expected = log_softmax(np.log(probabilities.astype(np.float64)) / temperature, axis=1)
        assert np.log(calibrated[calibrated > 0]) == pytest.approx(expected[calibrated > 0])
    assert apply_temperature(probabilities, 1.0) == pytest.approx(probabilities, abs=1e-6)


def test_logarithm_of_zero_is_that_of_the_smallest_float32() -> None:
    assert take_logarithm(np.zeros(1, dtype=np.float32))[0] == pytest.approx(-126 * math.log(2))
