import numpy as np
import pytest
from committed_predictions import read_predictions
from numpy.typing import NDArray
from scipy.stats import bootstrap
from sklearn.metrics import accuracy_score, f1_score

from fusionseq import resampling
from fusionseq.resampling import (
    average_over_seeds,
    bootstrap_metrics,
    compute_percentile_interval,
    resample_images,
    resample_seeds,
)

NUM_RESAMPLES = 60


def draw_images(num_images: int) -> NDArray[np.int64]:
    """The same resamples, as positions of images, of shape (NUM_RESAMPLES, num_images)."""
    (counts,) = resample_images(num_images, NUM_RESAMPLES, NUM_RESAMPLES)
    return np.stack([np.repeat(np.arange(num_images), drawn) for drawn in counts.T])


@pytest.mark.parametrize("name", ["fusion", "sequential"])
def test_metrics_of_real_predictions_are_those_of_scikit_learn_on_the_same_images(name: str) -> None:
    predictions = read_predictions()
    found = bootstrap_metrics(predictions.y_true, predictions.y_pred, predictions.num_classes, NUM_RESAMPLES)[name]
    y_pred = predictions.y_pred[name]
    classes = np.arange(predictions.num_classes)
    for place, drawn in enumerate(draw_images(len(predictions.y_true))):
        y_true = predictions.y_true[drawn]
        accuracy = [accuracy_score(y_true, of_run[drawn]) for of_run in y_pred]
        macro_f1 = [
            f1_score(y_true, of_run[drawn], labels=classes, average="macro", zero_division=0.0) for of_run in y_pred
        ]
        assert found.accuracy[place] == pytest.approx(accuracy)
        assert found.macro_f1[place] == pytest.approx(macro_f1)


@pytest.mark.parametrize("confidence", [0.9, 0.95])
def test_interval_of_real_predictions_is_that_of_scipy(confidence: float) -> None:
    predictions = read_predictions()
    y_true, resamples = predictions.y_true, 1000
    found = bootstrap_metrics(y_true, predictions.y_pred, predictions.num_classes, resamples)
    rights = [predictions.y_pred[name][0] == y_true for name in ("fusion", "sequential")]
    # scipy draws all images of all resamples from the generator, as is done here.
    expected = bootstrap(
        rights,
        lambda first, second, axis: first.mean(axis=axis) - second.mean(axis=axis),
        paired=True,
        n_resamples=resamples,
        confidence_level=confidence,
        method="percentile",
        rng=np.random.default_rng(0),
    ).confidence_interval
    difference = found["fusion"].accuracy[:, 0] - found["sequential"].accuracy[:, 0]
    assert compute_percentile_interval(difference, confidence) == pytest.approx([expected.low, expected.high])


def test_metrics_by_hand() -> None:
    # Of three images, the second is taken for class 0, and no image is of class 2.
    y_true, y_pred = np.array([0, 1, 1]), np.array([[0, 0, 1]])
    found = bootstrap_metrics(y_true, {"a": y_pred}, 3, NUM_RESAMPLES)["a"]
    (counts,) = resample_images(3, NUM_RESAMPLES, NUM_RESAMPLES)
    for place, (first, second, third) in enumerate(counts.T):
        assert found.accuracy[place, 0] == pytest.approx((first + third) / 3)
        of_zero = 2 * first / max(1, 2 * first + second)
        of_one = 2 * third / max(1, 2 * third + second)
        assert found.macro_f1[place, 0] == pytest.approx((of_zero + of_one + 0) / 3)


def test_each_image_is_drawn_as_often_as_chance_has_it() -> None:
    (counts,) = resample_images(50, 4000, 4000)
    assert (counts.sum(axis=0) == 50).all()
    assert counts.mean(axis=1) == pytest.approx(np.ones(50), abs=0.08)
    # A binomial count of 50 draws of chance 1 / 50.
    assert counts.var() == pytest.approx(0.98, rel=0.02)


@pytest.mark.parametrize("num_images", [7, 10])
def test_blocks_do_not_change_the_resamples(num_images: int, monkeypatch: pytest.MonkeyPatch) -> None:
    (whole,) = resample_images(num_images, 11, 11)
    parts = list(resample_images(num_images, 11, 3))
    assert [part.shape[1] for part in parts] == [3, 3, 3, 2]
    assert (np.concatenate(parts, axis=1) == whole).all()
    y_true = np.arange(num_images) % 3
    y_pred = {"a": np.stack([y_true, np.roll(y_true, 1)])}
    expected = bootstrap_metrics(y_true, y_pred, 3, 11)["a"]
    monkeypatch.setattr(resampling, "_BLOCK_SIZE", 4 * num_images)
    found = bootstrap_metrics(y_true, y_pred, 3, 11)["a"]
    assert (found.accuracy == expected.accuracy).all()
    assert (found.macro_f1 == expected.macro_f1).all()


def test_a_thousand_classes_take_no_matrix_of_them() -> None:
    y_true = np.arange(1500) % 1000
    y_pred = np.where(np.arange(1500) % 3, y_true, 0)
    found = bootstrap_metrics(y_true, {"a": y_pred[np.newaxis]}, 1000, 20)["a"]
    assert found.accuracy.mean() == pytest.approx(np.mean(y_true == y_pred), abs=0.02)
    # A resample lacks a share of the classes, which count as 0.
    assert 0.3 < found.macro_f1.mean() < f1_score(y_true, y_pred, average="macro")


def test_another_model_changes_no_resample_of_the_first() -> None:
    predictions = read_predictions()
    alone = {"fusion": predictions.y_pred["fusion"]}
    found, expected = (
        bootstrap_metrics(predictions.y_true, y_pred, predictions.num_classes, 20)["fusion"]
        for y_pred in (alone, {"other": predictions.y_pred["sequential"], **alone})
    )
    assert (found.accuracy == expected.accuracy).all()
    assert (found.macro_f1 == expected.macro_f1).all()


def test_all_right_and_two_images() -> None:
    y_true = np.array([0, 1])
    found = bootstrap_metrics(y_true, {"a": y_true[np.newaxis]}, 2, 50)["a"]
    assert (found.accuracy == 1).all()
    assert set(found.macro_f1.ravel()) == {0.5, 1.0}, "a resample of one class lacks the other"


def test_seeds_are_drawn_with_replacement() -> None:
    seeds = resample_seeds(3, 5000)
    assert seeds.shape == (5000, 3)
    assert np.bincount(seeds.ravel()) / seeds.size == pytest.approx(np.full(3, 1 / 3), abs=0.02)
    # Three times the same: one in nine.
    assert np.mean(seeds.min(axis=1) == seeds.max(axis=1)) == pytest.approx(1 / 9, abs=0.02)
    assert (resample_seeds(1, 4) == 0).all()


def test_average_takes_each_resample_over_its_own_seeds() -> None:
    values = np.array([[0.0, 1.0, 5.0], [2.0, 4.0, 9.0]])
    assert average_over_seeds(values, np.array([[0, 0, 1], [2, 1, 1]])) == pytest.approx([1 / 3, 17 / 3])


def test_variance_over_images_and_seeds_is_that_of_both() -> None:
    # Binomial noise of 400 images and a spread of the seeds' accuracies, which one resample of three seeds takes over.
    generator = np.random.default_rng(1)
    y_true = np.zeros(400, dtype=np.int64)
    rates = np.array([0.6, 0.75, 0.9])
    y_pred = (generator.random((3, 400)) > rates[:, np.newaxis]).astype(np.int64)
    accuracy = bootstrap_metrics(y_true, {"a": y_pred}, 2, 4000)["a"].accuracy
    of_seeds = (y_pred == 0).mean(axis=1)
    of_images = np.mean(of_seeds * (1 - of_seeds)) / 400 / 3
    expected = of_seeds.var() / 3 + of_images
    assert average_over_seeds(accuracy, resample_seeds(3, 4000)).var() == pytest.approx(expected, rel=0.1)


def test_percentile_interval_by_hand() -> None:
    values = np.random.default_rng(0).permutation(np.arange(101.0))
    assert compute_percentile_interval(values, 0.9) == pytest.approx([5, 95])
    assert compute_percentile_interval(values, 0.5) == pytest.approx([25, 75])


def test_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    generator = np.random.default_rng(0)
    hits = 0
    for _ in range(200):
        y_pred = (generator.random((1, 150)) > 0.8).astype(np.int64)
        accuracy = bootstrap_metrics(np.zeros(150, dtype=np.int64), {"a": y_pred}, 2, 200)["a"].accuracy
        low, high = compute_percentile_interval(accuracy[:, 0], 0.9)
        hits += low <= 0.8 <= high
    assert 0.84 <= hits / 200 <= 0.95
