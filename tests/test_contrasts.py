import gc
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from committed_predictions import read_predictions
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score, f1_score

from fusionseq.comparing import compare_predictions, find_smallest_difference, flip_signs
from fusionseq.contrasts import build_comparisons
from fusionseq.resampling import bootstrap_metrics, resample_seeds

NUM_IMAGES = 40
Y_TRUE = np.arange(NUM_IMAGES) % 4
NUM_RESAMPLES = 400


@pytest.fixture(scope="module", autouse=True)
def few_objects() -> Iterator[None]:
    """The correction of statsmodels collects garbage, a quarter of a second beside all that TensorFlow made."""
    gc.freeze()
    yield
    gc.unfreeze()


def misclassify(*wrong: range) -> NDArray[np.int64]:
    """Predictions of one seed after the other, which take some images for the next class."""
    y_pred = np.tile(Y_TRUE, (len(wrong), 1))
    for of_run, images in zip(y_pred, wrong, strict=True):
        of_run[list(images)] = (of_run[list(images)] + 1) % 4
    return y_pred


def build(
    y_pred: dict[str, NDArray[np.int64]], confidence: float = 0.95, y_true: NDArray[np.int64] = Y_TRUE
) -> dict[str, dict[str, Any]]:
    num_classes = int(max(y_true.max(), *(of_model.max() for of_model in y_pred.values()))) + 1
    classes = np.arange(num_classes)
    models = {}
    for name, of_model in y_pred.items():
        per_seed = [
            {
                "seed": seed,
                "accuracy": float(accuracy_score(y_true, of_run)),
                "macro_f1": float(f1_score(y_true, of_run, labels=classes, average="macro", zero_division=0.0)),
            }
            for seed, of_run in enumerate(of_model)
        ]
        f1 = float(np.mean([row["macro_f1"] for row in per_seed]))
        models[name] = {"macro_f1": {"mean": f1}, "loss": {"mean": 1 - f1}, "per_seed": per_seed}
    resampled = bootstrap_metrics(y_true, y_pred, num_classes, NUM_RESAMPLES)
    return build_comparisons(y_true, y_pred, models, resampled, confidence)


BETTER = misclassify(range(2), range(1), range(2))
WORSE = misclassify(range(14), range(2, 18), range(1, 15))


def test_clearly_better_first_model_is_shown() -> None:
    comparison = build({"a": BETTER, "b": WORSE})["b"]
    assert (comparison["first"], comparison["second"]) == ("a", "b")
    assert (comparison["better"], comparison["verdict"], comparison["num_significant"]) == ("a", "shown", 3)
    assert comparison["accuracy_difference"]["mean"] == pytest.approx((44 - 5) / 120)
    assert 0 < comparison["accuracy_difference"]["interval"][0] < (44 - 5) / 120
    assert comparison["macro_f1_difference"]["interval"][0] > 0
    assert comparison["loss_difference"]["mean"] < 0
    assert comparison["outperforming"]["probability"] == 1.0
    assert comparison["outperforming"]["interval"] == [1.0, 1.0]
    assert (comparison["seeds_p_value"], comparison["seeds_smallest_p_value"]) == (pytest.approx(0.25), 0.25)


def test_clearly_better_second_model_is_shown() -> None:
    comparison = build({"a": WORSE, "b": BETTER})["b"]
    assert (comparison["better"], comparison["verdict"], comparison["num_significant"]) == ("b", "shown", 3)
    assert comparison["accuracy_difference"]["mean"] == pytest.approx(-(44 - 5) / 120)
    assert comparison["accuracy_difference"]["interval"][1] < 0
    assert comparison["outperforming"] == {"probability": 0.0, "interval": [0.0, 0.0]}


def test_small_difference_stays_open() -> None:
    comparison = build({"a": misclassify(range(2), range(3)), "b": misclassify(range(3), range(3))})["b"]
    assert (comparison["better"], comparison["verdict"], comparison["num_significant"]) == ("a", "open", 0)
    assert comparison["outperforming"]["probability"] == 0.75
    assert comparison["p_value"] == 1.0


def test_difference_that_other_seeds_might_not_show_stays_open() -> None:
    # Twenty images in one seed and none in four: beyond doubt for these models, and not for others.
    comparison = build({"a": misclassify(*[range(0)] * 5), "b": misclassify(range(20), *[range(0)] * 4)})["b"]
    assert comparison["p_value_corrected"] < 0.001
    assert comparison["accuracy_difference"]["interval"][0] == 0.0
    assert comparison["verdict"] == "open"


def test_models_of_equal_mean_accuracy_have_no_better_one() -> None:
    comparison = build({"a": misclassify(range(0), range(10)), "b": misclassify(range(10), range(0))})["b"]
    assert all(row["p_value_corrected"] < 0.05 for row in comparison["per_seed"])
    assert (comparison["better"], comparison["verdict"], comparison["num_significant"]) == (None, "equal", 0)
    assert comparison["accuracy_difference"]["mean"] == 0.0
    assert comparison["outperforming"]["probability"] == 0.5
    assert comparison["p_value"] == comparison["seeds_p_value"] == 1.0


def test_identical_models_are_equal() -> None:
    comparison = build({"a": BETTER, "b": BETTER})["b"]
    assert (comparison["better"], comparison["verdict"]) == (None, "equal")
    assert comparison["accuracy_difference"] == {"mean": 0.0, "interval": [0.0, 0.0]}
    assert comparison["p_value"] == comparison["seeds_p_value"] == 1.0
    assert comparison["outperforming"] == {"probability": 0.5, "interval": [0.5, 0.5]}
    assert comparison["smallest_difference"] is None


def test_significance_against_the_leading_model_is_not_counted() -> None:
    # The first leads by 20 images in one seed, the second by 10 in the other: both significant.
    comparison = build({"a": misclassify(range(0), range(10)), "b": misclassify(range(20), range(0))})["b"]
    assert all(row["p_value_corrected"] < 0.05 for row in comparison["per_seed"])
    assert (comparison["better"], comparison["num_significant"]) == ("a", 1)


def test_significance_depends_on_confidence() -> None:
    y_pred = {"a": misclassify(range(0)), "b": misclassify(range(6))}  # p = 1/32
    assert build(y_pred, 0.95)["b"]["num_significant"] == 1
    assert build(y_pred, 0.95)["b"]["verdict"] == "shown"
    assert build(y_pred, 0.99)["b"]["num_significant"] == 0
    assert build(y_pred, 0.99)["b"]["verdict"] == "open"


def test_one_seed_has_the_exact_mcnemar_test_and_none_over_seeds() -> None:
    comparison = build({"a": BETTER[:1], "b": WORSE[:1]})["b"]
    assert comparison["p_value"] == pytest.approx(comparison["per_seed"][0]["p_value"])
    assert comparison["p_value"] == pytest.approx(2 / 2**12)
    over_seeds = ("seeds_p_value", "seeds_p_value_corrected", "seeds_smallest_p_value")
    assert [comparison[key] for key in over_seeds] == [None] * 3
    assert comparison["accuracy_difference"]["interval"] == comparison["per_seed"][0]["accuracy_difference_interval"]


def test_each_family_of_tests_is_corrected_as_a_whole() -> None:
    # Six and seven discordant pairs, all against the reference: 2 / 2 ** 6 and 2 / 2 ** 7, in each of two seeds.
    y_pred = {"a": misclassify(range(7), range(7)), "b": misclassify(range(1), range(1)),
              "c": misclassify(range(0), range(0))}  # fmt: skip
    comparisons = build(y_pred)
    assert [comparison["p_value"] for comparison in comparisons.values()] == pytest.approx([2 / 2**6, 2 / 2**7])
    corrected = [comparison["p_value_corrected"] for comparison in comparisons.values()]
    assert corrected == pytest.approx([2 / 2**6, 2 * 2 / 2**7])
    rows = [row for comparison in comparisons.values() for row in comparison["per_seed"]]
    assert [row["p_value"] for row in rows] == pytest.approx([2 / 2**6] * 2 + [2 / 2**7] * 2)
    # Four tests; the two smallest are multiplied by four, and no later one comes out smaller.
    assert [row["p_value_corrected"] for row in rows] == pytest.approx([4 * 2 / 2**7] * 4)
    assert [comparison["seeds_p_value_corrected"] for comparison in comparisons.values()] == pytest.approx([1.0] * 2)
    assert comparisons["b"]["verdict"] == "shown"
    assert comparisons["b"]["num_significant"] == 0


def test_verdict_is_of_the_corrected_test() -> None:
    # 2 / 2 ** 6 is below 0.05, and twice as much is not.
    y_pred = {"a": misclassify(range(0)), "b": misclassify(range(6)), "c": misclassify(range(10, 16))}
    assert build({"a": y_pred["a"], "b": y_pred["b"]})["b"]["verdict"] == "shown"
    assert [comparison["verdict"] for comparison in build(y_pred).values()] == ["open", "open"]


def test_another_comparison_changes_nothing_but_corrections() -> None:
    few = build({"a": BETTER, "b": WORSE})["b"]
    many = build({"a": BETTER, "c": misclassify(range(5), range(4), range(3)), "b": WORSE})["b"]
    for row in (few, many, *few["per_seed"], *many["per_seed"]):
        for key in [key for key in row if key.endswith("_corrected")]:
            row.pop(key)
    assert few == many


def test_comparison_of_real_predictions_is_that_of_its_parts() -> None:
    predictions = read_predictions()
    y_true, y_pred = predictions.y_true, predictions.y_pred
    comparison = build(y_pred, 0.9, y_true)["sequential"]
    rights = [y_pred[name] == y_true for name in ("fusion", "sequential")]
    leads = rights[0].astype(int) - rights[1]
    accuracies = [of_model.mean(axis=1) for of_model in rights]
    assert comparison["accuracy_difference"]["mean"] == pytest.approx(accuracies[0].mean() - accuracies[1].mean())
    assert comparison["p_value"] == comparison["p_value_corrected"] == flip_signs(leads.sum(axis=0))
    wins = np.mean(accuracies[0] > accuracies[1]) + np.mean(accuracies[0] == accuracies[1]) / 2
    assert comparison["outperforming"]["probability"] == pytest.approx(wins)
    low, high = comparison["outperforming"]["interval"]
    assert 0 <= low <= wins <= high <= 1
    share = np.mean(rights[0] != rights[1])
    assert comparison["smallest_difference"] == find_smallest_difference(len(y_true), share, 1 - 0.9)
    for place, row in enumerate(comparison["per_seed"]):
        pair = compare_predictions(y_true, y_pred["fusion"][place], y_pred["sequential"][place])
        assert (row["only_first"], row["only_second"], row["p_value"]) == (
            pair.only_first, pair.only_second, pair.p_value
        )  # fmt: skip
        assert row["accuracy_difference"] == pytest.approx((pair.only_first - pair.only_second) / len(y_true))
        assert row["accuracy_difference_interval"][0] <= row["accuracy_difference"]


def test_intervals_over_images_and_seeds_are_those_of_a_plain_bootstrap() -> None:
    predictions = read_predictions()
    y_true = predictions.y_true
    resampled = bootstrap_metrics(y_true, predictions.y_pred, predictions.num_classes, NUM_RESAMPLES)
    first, second = (resampled[name] for name in ("fusion", "sequential"))
    num_seeds = first.accuracy.shape[1]
    differences, wins = [], []
    for place, seeds in enumerate(resample_seeds(num_seeds, NUM_RESAMPLES)):
        pairs = [(first.accuracy[place, seed], second.accuracy[place, seed]) for seed in seeds]
        differences.append(sum(one - other for one, other in pairs) / num_seeds)
        wins.append(sum(float(one > other) + float(one == other) / 2 for one, other in pairs) / num_seeds)
    comparison = build(predictions.y_pred, 0.95, y_true)["sequential"]
    assert comparison["accuracy_difference"]["interval"] == pytest.approx(np.percentile(differences, [2.5, 97.5]))
    assert comparison["outperforming"]["interval"] == pytest.approx(np.percentile(wins, [2.5, 97.5]))


def test_two_images_can_be_compared() -> None:
    comparison = build({"a": np.array([[0, 1]]), "b": np.array([[0, 0]])}, y_true=np.array([0, 1]))["b"]
    assert (comparison["better"], comparison["verdict"], comparison["p_value"]) == ("a", "open", 1.0)
    assert comparison["smallest_difference"] is None


def test_verdicts_under_no_difference_keep_the_level() -> None:
    generator = np.random.default_rng(0)
    y_true = np.zeros(80, dtype=np.int64)
    shown = 0
    for _ in range(100):
        wrong = generator.random((2, 3, 80)) > generator.beta(4, 1, size=80)
        shown += build({"a": wrong[0].astype(int), "b": wrong[1].astype(int)}, y_true=y_true)["b"]["verdict"] == "shown"
    assert shown / 100 < 0.05 + 3 * math.sqrt(0.05 * 0.95 / 100)
