"""Rows of the tables in reports/, ready to be written."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fusionseq.artifacts import Subsets

if TYPE_CHECKING:
    # It imports statsmodels, which takes a moment that a prediction need not wait for.
    from fusionseq.statistics import Run

PREDICTION_COLUMNS = ("image", "seed", "actual", "predicted")


def tabulate_predictions(subsets: Subsets, runs: "Sequence[Run]") -> Iterator[tuple[str, int, str, str]]:
    """Tell for each seed and test image the true class and the predicted one, by their names."""
    for run in runs:
        for row, label in zip(subsets.rows("test"), run.y_pred, strict=True):
            actual = subsets.class_names[subsets.labels[row]]
            yield subsets.names[row], run.seed, actual, subsets.class_names[label]


def tabulate_probabilities(subsets: Subsets, runs: "Sequence[Run]") -> Iterator[tuple[str | int, ...]]:
    """Tell for each seed and test image the probability of each class, with all digits that float32 has."""
    for run in runs:
        for row, probabilities in zip(subsets.rows("test"), run.probabilities, strict=True):
            yield subsets.names[row], run.seed, *format_exactly(probabilities)


def format_exactly(values: NDArray[np.float32]) -> list[str]:
    """Give numbers all digits that float32 has, and no more than it takes to tell them from all others."""
    return [np.format_float_scientific(value, unique=True, trim="-") for value in values]
