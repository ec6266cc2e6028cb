import gc
import json
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from committed_predictions import read_predictions
from numpy.typing import NDArray
from sklearn.metrics import confusion_matrix
from statsmodels.stats.proportion import proportion_confint

from fusionseq.calibration import apply_temperature, bin_by_confidence, fit_temperature
from fusionseq.evaluation import evaluate_probabilities
from fusionseq.resampling import bootstrap_metrics, compute_percentile_interval
from fusionseq.statistics import Run, build_metrics, build_statistics, compute_wilson_interval, summarize

NUM_IMAGES = 40
NUM_CLASSES = 4
Y_TRUE = np.arange(NUM_IMAGES) % NUM_CLASSES
Y_VALIDATION = np.arange(20) % NUM_CLASSES
NUM_RESAMPLES = 100


@pytest.fixture(scope="module", autouse=True)
def few_objects() -> Iterator[None]:
    """The correction of statsmodels collects garbage, a quarter of a second beside all that TensorFlow made."""
    gc.freeze()
    yield
    gc.unfreeze()


def predict(y_true: NDArray[np.int64], wrong: range, certainty: float) -> NDArray[np.float32]:
    """Probabilities that take some images for the next class."""
    y_pred = y_true.copy()
    y_pred[list(wrong)] = (y_pred[list(wrong)] + 1) % NUM_CLASSES
    probabilities = np.full((len(y_true), NUM_CLASSES), (1 - certainty) / (NUM_CLASSES - 1), dtype=np.float32)
    probabilities[np.arange(len(y_true)), y_pred] = certainty
    return probabilities


def make_run(seed: int, wrong: range, certainty: float = 0.7) -> Run:
    return Run(seed, predict(Y_TRUE, wrong, certainty), predict(Y_VALIDATION, range(10), certainty))


def build(runs: dict[str, list[Run]], confidence: float = 0.95) -> dict[str, Any]:
    contents = {name: {"title": name.title(), "members": []} for name in runs}
    return build_statistics(Y_TRUE, Y_VALIDATION, runs, contents, confidence, NUM_RESAMPLES)


TWO_SEEDS = {
    "a": [make_run(0, range(2)), make_run(5, range(2))],
    "b": [make_run(0, range(12)), make_run(5, range(4), 0.9)],
    "c": [make_run(0, range(1)), make_run(5, range(2))],
}


@pytest.mark.parametrize(
    ("num_correct", "confidence", "z"), [(355, 0.95, 1.959963985), (360, 0.95, 1.959963985), (0, 0.9, 1.644853627)]
)
def test_wilson_interval_is_the_closed_formula(num_correct: int, confidence: float, z: float) -> None:
    n = 360
    p = num_correct / n
    centre = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * math.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    assert compute_wilson_interval(num_correct, n, confidence) == pytest.approx(
        [centre - half, centre + half], abs=1e-9
    )


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


def test_run_predicts_the_most_probable_class() -> None:
    assert make_run(0, range(1)).y_pred.tolist() == [1, *Y_TRUE[1:]]


def test_statistics_hold_what_was_done() -> None:
    statistics = build(TWO_SEEDS, 0.9)
    assert (statistics["seeds"], statistics["confidence"], statistics["resamples"]) == ([0, 5], 0.9, NUM_RESAMPLES)
    assert statistics["test"] == {"num_images": 40, "num_classes": 4, "num_validation": 20}
    assert list(statistics["models"]) == ["a", "b", "c"]
    assert (statistics["models"]["b"]["title"], statistics["models"]["b"]["members"]) == ("B", [])
    assert list(statistics["comparisons"]) == ["b", "c"]
    assert {comparison["first"] for comparison in statistics["comparisons"].values()} == {"a"}
    assert statistics["corrections"] == {"num_comparisons": 2, "num_seed_tests": 4}


def test_model_is_summarized_over_its_seeds() -> None:
    model = build(TWO_SEEDS)["models"]["b"]
    evaluations = [evaluate_probabilities(Y_TRUE, run.probabilities) for run in TWO_SEEDS["b"]]
    assert model["accuracy"] == pytest.approx(summarize([0.7, 0.9]))
    for metric in ("macro_f1", "loss", "brier", "calibration_error"):
        assert model[metric] == summarize([getattr(evaluation, metric) for evaluation in evaluations])
        assert [row[metric] for row in model["per_seed"]] == [getattr(found, metric) for found in evaluations]
    assert [(row["seed"], row["num_correct"]) for row in model["per_seed"]] == [(0, 28), (5, 36)]
    assert model["per_seed"][1]["accuracy_interval"] == compute_wilson_interval(36, NUM_IMAGES, 0.95)
    assert np.trace(model["confusion"]) == 28 + 36
    assert np.sum(model["confusion"]) == 80
    assert model["confusion"][0][1] == 3 + 1, "rows are the true classes"
    by_class = np.stack([evaluation.class_f1 for evaluation in evaluations])
    assert [of_class["min"] for of_class in model["class_f1"]] == pytest.approx(by_class.min(axis=0))


def test_reliability_is_of_all_seeds_together() -> None:
    reliability = build(TWO_SEEDS)["models"]["b"]["reliability"]
    assert reliability == [
        {"confidence": pytest.approx(0.7), "accuracy": pytest.approx(28 / 40), "num_images": 40},
        {"confidence": pytest.approx(0.9), "accuracy": pytest.approx(36 / 40), "num_images": 40},
    ]


def test_temperature_comes_from_the_validation_images_alone() -> None:
    model = build(TWO_SEEDS)["models"]["b"]
    for row, run in zip(model["per_seed"], TWO_SEEDS["b"], strict=True):
        # Half of the validation images are wrong: too certain there, whatever the test images say.
        assert row["temperature"] == fit_temperature(Y_VALIDATION, run.validation_probabilities)
        assert row["temperature"] > 1.5
        calibrated = evaluate_probabilities(Y_TRUE, apply_temperature(run.probabilities, row["temperature"]))
        assert row["calibrated_loss"] == calibrated.loss
        assert row["calibrated_calibration_error"] == calibrated.calibration_error
    assert model["temperature"] == summarize([row["temperature"] for row in model["per_seed"]])
    other = {
        name: [Run(run.seed, np.roll(run.probabilities, 1, axis=1), run.validation_probabilities) for run in of_model]
        for name, of_model in TWO_SEEDS.items()
    }
    assert build(other)["models"]["b"]["temperature"] == model["temperature"]


def test_another_model_changes_no_interval_of_the_others() -> None:
    few = build({name: TWO_SEEDS[name] for name in ("a", "b")})
    many = build({name: TWO_SEEDS[name] for name in ("a", "c", "b")})
    for name in ("a", "b"):
        assert few["models"][name] == many["models"][name]
    for key in ("accuracy_difference", "macro_f1_difference", "outperforming", "p_value"):
        assert few["comparisons"]["b"][key] == many["comparisons"]["b"][key]


def test_worst_errors_are_of_the_first_two_models() -> None:
    errors = build(TWO_SEEDS)["errors"]
    assert len(errors) == 8
    assert set(errors[0]) == {"position", "actual", "a", "b"}
    # Both models are wrong there with both seeds.
    assert [error["position"] for error in errors[:2]] == [0, 1]


def test_metrics_hold_mean_and_deviation_alone() -> None:
    metrics = build_metrics(build(TWO_SEEDS))
    assert list(metrics) == ["a", "b", "c"]
    assert list(metrics["a"]) == ["accuracy", "macro_f1", "loss"]
    assert metrics["b"]["accuracy"] == pytest.approx({"mean": 0.8, "std": 0.2 / math.sqrt(2)})
    one_seed = build_metrics(build({name: of_model[:1] for name, of_model in TWO_SEEDS.items()}))
    assert one_seed["b"]["accuracy"] == {"mean": pytest.approx(0.7)}


@pytest.mark.parametrize("num_seeds", [1, 2])
def test_statistics_are_plain_and_finite_in_every_case(num_seeds: int) -> None:
    certain = np.eye(NUM_CLASSES, dtype=np.float32)
    uniform = np.full((NUM_IMAGES, NUM_CLASSES), 0.25, dtype=np.float32)
    cases = {
        "right": (certain[Y_TRUE], certain[Y_VALIDATION]),
        "wrong": (certain[(Y_TRUE + 1) % 4], certain[(Y_VALIDATION + 1) % 4]),
        "same": (certain[Y_TRUE], certain[Y_VALIDATION]),
        "uniform": (uniform, uniform[: len(Y_VALIDATION)]),
    }
    runs = {name: [Run(seed, *case) for seed in range(num_seeds)] for name, case in cases.items()}
    statistics = build(runs)
    # Neither NumPy's numbers nor NaN come through.
    assert json.loads(json.dumps(statistics, allow_nan=False)) == statistics
    assert [statistics["comparisons"][name]["verdict"] for name in ("wrong", "same", "uniform")] == (
        ["shown", "equal", "shown"]
    )
    assert statistics["models"]["right"]["per_seed"][0]["temperature"] == 1.0
    assert statistics["models"]["wrong"]["per_seed"][0]["temperature"] == 10.0
    assert statistics["models"]["uniform"]["per_seed"][0]["temperature"] == 1.0
    assert ("std" in statistics["models"]["right"]["accuracy"]) == (num_seeds > 1)


def test_two_images_of_which_no_class_is_the_third() -> None:
    y_true = np.array([0, 1])
    runs = {
        name: [Run(0, np.array(rows, dtype=np.float32), np.array(rows, dtype=np.float32))]
        for name, rows in (("a", [[0.8, 0.1, 0.1], [0.3, 0.6, 0.1]]), ("b", [[0.8, 0.1, 0.1], [0.6, 0.3, 0.1]]))
    }
    statistics = build_statistics(y_true, y_true, runs, {"a": {}, "b": {}}, 0.95, NUM_RESAMPLES)
    assert json.dumps(statistics, allow_nan=False)
    assert [of_class["mean"] for of_class in statistics["models"]["a"]["class_f1"]] == [1.0, 1.0, 0.0]
    assert statistics["comparisons"]["b"]["verdict"] == "open"
    assert [error["position"] for error in statistics["errors"]] == [1]


def test_statistics_of_real_predictions_are_those_of_their_parts() -> None:
    predictions = read_predictions()
    # No validation predictions are kept: half of the test images stand in for them.
    half = len(predictions.y_true) // 2
    y_validation, y_true = predictions.y_true[:half], predictions.y_true[half:]
    runs = {
        name: [Run(seed, of_run[half:], of_run[:half]) for seed, of_run in enumerate(of_model)]
        for name, of_model in predictions.probabilities.items()
    }
    statistics = build_statistics(y_true, y_validation, runs, {name: {} for name in runs}, 0.95, NUM_RESAMPLES)
    assert json.loads(json.dumps(statistics, allow_nan=False)) == statistics
    y_pred = {name: of_model[:, half:] for name, of_model in predictions.y_pred.items()}
    resampled = bootstrap_metrics(y_true, y_pred, predictions.num_classes, NUM_RESAMPLES)
    for name, model in statistics["models"].items():
        classes = range(predictions.num_classes)
        confusions = [confusion_matrix(y_true, of_run, labels=classes) for of_run in y_pred[name]]
        assert model["confusion"] == sum(confusions).tolist()
        together = predictions.probabilities[name][:, half:].reshape(-1, predictions.num_classes)
        bins = bin_by_confidence(np.tile(y_true, len(runs[name])), together)
        assert [row["num_images"] for row in model["reliability"]] == [of_bin.num_images for of_bin in bins]
        for place, row in enumerate(model["per_seed"]):
            interval = compute_percentile_interval(resampled[name].macro_f1[:, place], 0.95)
            assert row["macro_f1_interval"] == interval
            assert row["accuracy_interval"] == pytest.approx(
                proportion_confint(row["num_correct"], len(y_true), method="wilson")
            )


def test_calibration_lowers_the_loss_of_a_model_that_is_too_certain() -> None:
    generator = np.random.default_rng(0)
    y_all = generator.integers(0, NUM_CLASSES, 3000)
    logits = generator.normal(size=(3000, NUM_CLASSES)) + 1.5 * np.eye(NUM_CLASSES)[y_all]
    probabilities = (np.exp(3 * logits) / np.exp(3 * logits).sum(axis=1, keepdims=True)).astype(np.float32)
    run = Run(0, probabilities[:1500], probabilities[1500:])
    statistics = build_statistics(
        y_all[:1500], y_all[1500:], {"a": [run], "b": [run]}, {"a": {}, "b": {}}, 0.95, NUM_RESAMPLES
    )
    row = statistics["models"]["a"]["per_seed"][0]
    # Normal scores of variance 1 whose mean moves by 1.5 are worth a factor of 1.5, and 3 was taken.
    assert row["temperature"] == pytest.approx(2, rel=0.1)
    assert row["calibrated_loss"] < row["loss"]
    assert row["calibrated_calibration_error"] < row["calibration_error"] / 3
