import math

import numpy as np
import pytest
from committed_predictions import read_predictions
from sklearn.metrics import f1_score, log_loss, precision_recall_fscore_support

from fusionseq.evaluation import evaluate_probabilities

# By hand: class 0 is right twice and once taken for 2, class 1 once right, class 2 always taken for 1.
Y_TRUE = np.array([0, 0, 0, 1, 2, 2])
PROBABILITIES = np.array(
    [
        [0.8, 0.1, 0.1],
        [0.5, 0.25, 0.25],
        [0.2, 0.2, 0.6],
        [0.1, 0.8, 0.1],
        [0.2, 0.6, 0.2],
        [0.0, 0.9, 0.1],
    ],
    dtype=np.float32,
)


def test_rows_of_the_confusion_are_the_true_classes() -> None:
    confusion = evaluate_probabilities(Y_TRUE, PROBABILITIES).confusion
    assert confusion.tolist() == [[2, 0, 1], [0, 1, 0], [0, 2, 0]]
    assert np.issubdtype(confusion.dtype, np.integer)


def test_metrics_by_hand() -> None:
    evaluation = evaluate_probabilities(Y_TRUE, PROBABILITIES)
    assert evaluation.num_correct == 3
    assert evaluation.accuracy == pytest.approx(3 / 6)
    # F1 is 2 tp / (2 tp + fp + fn): 4/5, 2/4 and 0.
    assert evaluation.macro_f1 == pytest.approx((4 / 5 + 2 / 4 + 0) / 3)
    expected = -sum(map(math.log, (0.8, 0.5, 0.2, 0.8, 0.2, 0.1))) / 6
    assert evaluation.loss == pytest.approx(expected, rel=1e-6)


def test_class_f1_by_hand() -> None:
    assert evaluate_probabilities(Y_TRUE, PROBABILITIES).class_f1 == pytest.approx([4 / 5, 2 / 4, 0])


def test_brier_score_by_hand() -> None:
    # Squared distances from (1, 0, 0) and so on, row by row.
    distances = (
        0.04 + 0.01 + 0.01,
        0.25 + 0.0625 + 0.0625,
        0.64 + 0.04 + 0.36,
        0.01 + 0.04 + 0.01,
        0.04 + 0.36 + 0.64,
        0 + 0.81 + 0.81,
    )
    assert evaluate_probabilities(Y_TRUE, PROBABILITIES).brier == pytest.approx(sum(distances) / 6, rel=1e-6)


def test_brier_score_of_two_classes_is_not_halved() -> None:
    evaluation = evaluate_probabilities(np.array([0, 1]), np.array([[0.0, 1.0], [1.0, 0.0]], np.float32))
    assert evaluation.brier == 2.0


@pytest.mark.parametrize("name", ["fusion", "sequential"])
def test_metrics_of_real_predictions_are_those_of_their_definitions(name: str) -> None:
    predictions = read_predictions()
    y_true, classes = predictions.y_true, np.arange(predictions.num_classes)
    for probabilities in predictions.probabilities[name]:
        evaluation = evaluate_probabilities(y_true, probabilities)
        y_pred = probabilities.argmax(axis=1)
        assert evaluation.accuracy == np.mean(y_pred == y_true)
        assert evaluation.num_correct == np.sum(y_pred == y_true) == np.trace(evaluation.confusion)
        assert evaluation.macro_f1 == pytest.approx(
            f1_score(y_true, y_pred, labels=classes, average="macro", zero_division=0.0)
        )
        of_class = precision_recall_fscore_support(y_true, y_pred, labels=classes, zero_division=0.0)[2]
        assert evaluation.class_f1 == pytest.approx(of_class)
        exact = probabilities.astype(np.float64) / probabilities.astype(np.float64).sum(axis=1, keepdims=True)
        assert evaluation.loss == pytest.approx(log_loss(y_true, exact, labels=classes))
        assert evaluation.brier == pytest.approx(np.square(exact - np.eye(len(classes))[y_true]).sum(axis=1).mean())


def test_everything_right_or_undecided() -> None:
    y_true = np.array([0, 1, 2])
    perfect = evaluate_probabilities(y_true, np.eye(3, dtype=np.float32))
    assert (perfect.accuracy, perfect.macro_f1, perfect.brier, perfect.calibration_error) == (1.0, 1.0, 0.0, 0.0)
    assert perfect.loss == pytest.approx(0, abs=1e-12)
    undecided = evaluate_probabilities(y_true, np.full((3, 3), 1 / 3, dtype=np.float32))
    assert undecided.loss == pytest.approx(math.log(3))
    assert undecided.calibration_error == pytest.approx(0, abs=1e-7)


def test_class_without_images_still_has_its_row() -> None:
    evaluation = evaluate_probabilities(np.array([0, 1]), np.array([[0.9, 0.1, 0.0], [0.1, 0.9, 0.0]], np.float32))
    assert evaluation.confusion.tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 0]]
    assert evaluation.accuracy == 1.0
    assert evaluation.macro_f1 == pytest.approx(2 / 3)


def test_softmax_in_float32_needs_not_sum_to_one_exactly() -> None:
    logits = np.random.default_rng(0).normal(size=(500, 10)) * 5
    exact = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    rounded = exact.astype(np.float32) * np.float32(1 + 3e-7)
    labels = np.arange(500) % 10
    expected = -np.log(exact[np.arange(500), labels]).mean()
    assert evaluate_probabilities(labels, rounded).loss == pytest.approx(expected, rel=1e-5)


def test_certain_and_wrong_has_a_finite_loss() -> None:
    evaluation = evaluate_probabilities(np.array([0, 1]), np.array([[0.0, 1.0], [0.0, 1.0]], np.float32))
    assert math.isfinite(evaluation.loss)
    assert evaluation.loss > 10
    assert evaluation.num_correct == 1


def test_numbers_are_plain_python() -> None:
    evaluation = evaluate_probabilities(Y_TRUE, PROBABILITIES)
    names = ("accuracy", "macro_f1", "loss", "brier", "calibration_error")
    assert [type(getattr(evaluation, name)) for name in names] == [float] * 5
    assert type(evaluation.num_correct) is int
