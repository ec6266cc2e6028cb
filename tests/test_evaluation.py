import math

import numpy as np
import pytest

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
    assert [type(value) for value in (evaluation.accuracy, evaluation.macro_f1, evaluation.loss)] == [float] * 3
    assert type(evaluation.num_correct) is int
