import math

import numpy as np
import pytest
from committed_predictions import read_predictions

from fusionseq.worst_errors import MAX_ERRORS, find_worst_errors

# Two seeds, four images of two classes; the probability of class 1.
FIRST = np.array([[0.1, 0.9, 0.6, 0.9], [0.1, 0.5, 0.2, 0.9]], dtype=np.float32)
SECOND = np.array([[0.2, 0.8, 0.3, 0.1], [0.2, 0.8, 0.3, 0.1]], dtype=np.float32)
PROBABILITIES = {name: np.stack([1 - values, values], axis=2) for name, values in (("a", FIRST), ("b", SECOND))}
Y_TRUE = np.array([0, 1, 0, 1])


def test_worst_errors_by_hand() -> None:
    # The first model takes image 1 for class 0 with the second seed, a tie, and image 2 for class 1 with the first;
    # the second model takes image 3 for class 0. The losses are 0.58, 0.74 and 2.41.
    assert find_worst_errors(Y_TRUE, PROBABILITIES) == [
        {
            "position": 3,
            "actual": 1,
            "a": pytest.approx({"predicted": 1, "probability": 0.9, "probability_of_actual": 0.9}),
            "b": pytest.approx({"predicted": 0, "probability": 0.9, "probability_of_actual": 0.1}),
        },
        {
            "position": 2,
            "actual": 0,
            "a": pytest.approx({"predicted": 0, "probability": 0.6, "probability_of_actual": 0.6}),
            "b": pytest.approx({"predicted": 0, "probability": 0.7, "probability_of_actual": 0.7}),
        },
        {
            "position": 1,
            "actual": 1,
            "a": pytest.approx({"predicted": 1, "probability": 0.7, "probability_of_actual": 0.7}),
            "b": pytest.approx({"predicted": 1, "probability": 0.8, "probability_of_actual": 0.8}),
        },
    ]


def test_worst_errors_of_real_predictions_are_those_of_a_plain_search() -> None:
    predictions = read_predictions()
    y_true = predictions.y_true
    losses, wrong = [0.0] * len(y_true), set()
    for of_model in predictions.probabilities.values():
        for of_run in of_model.tolist():
            for image, (actual, row) in enumerate(zip(y_true, of_run, strict=True)):
                losses[image] -= math.log(max(row[actual], 1e-38)) / len(of_model)
                if max(row) > row[actual]:
                    wrong.add(image)
    expected = sorted(sorted(wrong), key=lambda image: -losses[image])[:MAX_ERRORS]
    assert [error["position"] for error in find_worst_errors(y_true, predictions.probabilities)] == expected


def test_images_that_all_get_right_are_no_errors() -> None:
    assert find_worst_errors(np.array([0, 1]), {"a": np.array([[[0.9, 0.1], [0.4, 0.6]]], dtype=np.float32)}) == []


def test_certain_errors_come_first_in_the_order_of_the_images() -> None:
    probabilities = np.zeros((1, 20, 2), dtype=np.float32)
    probabilities[..., 1] = 1
    errors = find_worst_errors(np.zeros(20, dtype=np.int64), {"a": probabilities})
    assert [error["position"] for error in errors] == list(range(MAX_ERRORS))
    assert errors[0]["a"] == {"predicted": 1, "probability": 1.0, "probability_of_actual": 0.0}
    assert not any(math.isnan(error["a"]["probability"]) for error in errors)
    assert [type(value) for value in errors[0]["a"].values()] == [int, float, float]
