import math

import numpy as np
import pytest
from numpy.typing import NDArray

from fusionseq.evaluation import evaluate_probabilities
from fusionseq.statistics import (
    Run,
    build_metrics,
    build_statistics,
    compare_models,
    compare_predictions,
    compute_wilson_interval,
    summarize,
    summarize_model,
)

NUM_IMAGES = 40
Y_TRUE = np.arange(NUM_IMAGES) % 4


def make_run(seed: int, wrong: range) -> Run:
    """A run that confuses the classes of some images with the next class."""
    y_pred = Y_TRUE.copy()
    y_pred[list(wrong)] = (y_pred[list(wrong)] + 1) % 4
    probabilities = np.full((NUM_IMAGES, 4), 0.1, dtype=np.float32)
    probabilities[np.arange(NUM_IMAGES), y_pred] = 0.7
    return Run(seed, probabilities, evaluate_probabilities(Y_TRUE, probabilities))


def predict(num_both: int, only_first: int, only_second: int) -> tuple[NDArray[np.int64], ...]:
    """True classes and two predictions with given numbers of right ones."""
    size = num_both + only_first + only_second + 3
    y_true, first, second = (np.zeros(size, dtype=np.int64) for _ in range(3))
    first[num_both + only_first :] = 1
    second[num_both : num_both + only_first] = 1
    second[num_both + only_first + only_second :] = 2
    return y_true, first, second


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


@pytest.mark.parametrize(
    ("num_correct", "confidence", "z"), [(355, 0.95, 1.959963985), (360, 0.95, 1.959963985), (0, 0.9, 1.644853627)]
)
def test_wilson_interval_is_the_closed_formula(num_correct: int, confidence: float, z: float) -> None:
    n = 360
    p = num_correct / n
    centre = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * math.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    low, high = compute_wilson_interval(num_correct, n, confidence)
    assert (low, high) == pytest.approx((centre - half, centre + half), abs=1e-9)


def test_summary_of_several_values() -> None:
    summary = summarize([0.5, 0.9, 0.7, 0.9])
    expected = {
        "mean": 0.75,
        "std": math.sqrt((0.0625 + 2 * 0.0225 + 0.0025) / 3),
        "min": 0.5,
        "median": 0.8,
        "max": 0.9,
    }
    assert summary == pytest.approx(expected)


def test_summary_of_one_value_has_no_deviation() -> None:
    assert summarize([0.5]) == {"mean": 0.5, "min": 0.5, "median": 0.5, "max": 0.5}


def test_model_is_summarized_over_its_seeds() -> None:
    runs = [make_run(3, range(4)), make_run(8, range(10))]
    summary = summarize_model(runs, 0.95)
    assert summary["accuracy"] == pytest.approx(summarize([0.9, 0.75]))
    assert [row["seed"] for row in summary["per_seed"]] == [3, 8]
    assert [row["num_correct"] for row in summary["per_seed"]] == [36, 30]
    assert [row["accuracy"] for row in summary["per_seed"]] == pytest.approx([0.9, 0.75])
    assert summary["per_seed"][1]["accuracy_interval"] == compute_wilson_interval(30, NUM_IMAGES, 0.95)
    expected = runs[0].evaluation.confusion + runs[1].evaluation.confusion
    assert summary["confusion"] == expected.tolist()
    assert np.trace(expected) == 66


def test_better_first_model_is_named_with_its_significant_seeds() -> None:
    runs = {"a": [make_run(0, range(2)), make_run(1, range(2))], "b": [make_run(0, range(12)), make_run(1, range(4))]}
    comparison = compare_models(Y_TRUE, runs, "a", "b", 0.95)
    assert comparison["better"] == "a"
    assert comparison["num_significant"] == 1
    assert comparison["accuracy_difference"] == pytest.approx((10 + 2) / 2 / NUM_IMAGES)
    assert comparison["macro_f1_difference"] > 0
    assert comparison["loss_difference"] < 0
    assert comparison["per_seed"] == [
        {"seed": 0, "only_first": 10, "only_second": 0, "p_value": pytest.approx(2 / 2**10)},
        {"seed": 1, "only_first": 2, "only_second": 0, "p_value": pytest.approx(0.5)},
    ]


def test_better_second_model_is_named_with_its_significant_seeds() -> None:
    runs = {"a": [make_run(0, range(12)), make_run(1, range(4))], "b": [make_run(0, range(2)), make_run(1, range(2))]}
    comparison = compare_models(Y_TRUE, runs, "a", "b", 0.95)
    assert (comparison["first"], comparison["second"]) == ("a", "b")
    assert comparison["better"] == "b"
    assert comparison["num_significant"] == 1
    assert comparison["accuracy_difference"] == pytest.approx(-(10 + 2) / 2 / NUM_IMAGES)


def test_significance_against_the_leading_model_is_not_counted() -> None:
    # The first leads by 20 images in one seed, the second by 10 in the other: both significant.
    runs = {"a": [make_run(0, range(0)), make_run(1, range(10))], "b": [make_run(0, range(20)), make_run(1, range(0))]}
    comparison = compare_models(Y_TRUE, runs, "a", "b", 0.95)
    assert all(row["p_value"] < 0.05 for row in comparison["per_seed"])
    assert (comparison["better"], comparison["num_significant"]) == ("a", 1)


def test_models_of_equal_mean_accuracy_have_no_better_one() -> None:
    runs = {"a": [make_run(0, range(0)), make_run(1, range(10))], "b": [make_run(0, range(10)), make_run(1, range(0))]}
    comparison = compare_models(Y_TRUE, runs, "a", "b", 0.95)
    assert all(row["p_value"] < 0.05 for row in comparison["per_seed"])
    assert (comparison["better"], comparison["num_significant"]) == (None, 0)
    assert comparison["accuracy_difference"] == pytest.approx(0)


def test_significance_depends_on_confidence() -> None:
    runs = {"a": [make_run(0, range(0))], "b": [make_run(0, range(6))]}  # p = 1/32
    assert compare_models(Y_TRUE, runs, "a", "b", 0.95)["num_significant"] == 1
    assert compare_models(Y_TRUE, runs, "a", "b", 0.99)["num_significant"] == 0


def test_metrics_hold_mean_and_deviation_alone() -> None:
    metrics = build_metrics({"a": [make_run(0, range(4)), make_run(1, range(10))], "b": [make_run(0, range(4))]})
    assert list(metrics["a"]) == ["accuracy", "macro_f1", "loss"]
    assert metrics["a"]["accuracy"] == pytest.approx({"mean": 0.825, "std": 0.15 / math.sqrt(2)})
    assert metrics["b"]["accuracy"] == {"mean": 0.9}


def test_statistics_hold_what_the_paper_says() -> None:
    runs = {"a": [make_run(0, range(2)), make_run(5, range(2))], "b": [make_run(0, range(12)), make_run(5, range(4))]}
    contents = {name: {"layers": [name], "parameters": {"total": 1}, "operations": {"forward": 2}} for name in runs}
    statistics = build_statistics(Y_TRUE, runs, contents, 0.9)
    assert statistics["seeds"] == [0, 5]
    assert statistics["confidence"] == 0.9
    assert statistics["test"] == {"num_images": 40, "num_classes": 4}
    assert statistics["models"]["b"] == summarize_model(runs["b"], 0.9) | contents["b"]
    assert statistics["comparison"] == compare_models(Y_TRUE, runs, "a", "b", 0.9)
