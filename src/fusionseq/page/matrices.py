"""Confusion matrices as tables, and the confusions that matter most where a table would be too large to read."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

# With more classes, a table of all of them is no longer read.
MAX_TABLE_CLASSES = 40
MAX_CONFUSIONS = 40
# Of shading; level 0 is none.
NUM_LEVELS = 8


@dataclass(frozen=True)
class Cell:
    """How many images of a class were predicted to be of another, or of the same.

    Attributes
    ----------
    count
        Predictions, over all images and seeds.
    level
        Shade, from 0 where there is none to `NUM_LEVELS` where all of the true class are.
    """

    count: int
    level: int


@dataclass(frozen=True)
class Confusion:
    """A class that was taken for another one.

    Attributes
    ----------
    actual, predicted
        Names of classes.
    count
        Predictions, over all images and seeds.
    share
        Of the predictions on images of the true class.
    """

    actual: str
    predicted: str
    count: int
    share: float


def shade_matrix(matrix: Sequence[Sequence[int]]) -> list[list[Cell]]:
    """Shade a matrix whose rows are true classes, row by row; a class may have no image."""
    return [[Cell(count, _choose_level(count, sum(row))) for count in row] for row in matrix]


def _choose_level(count: int, total: int) -> int:
    # Errors are rare: by their root, one in a hundred can still be seen.
    return math.ceil(NUM_LEVELS * math.sqrt(count / total)) if count else 0


def list_confusions(matrix: Sequence[Sequence[int]], class_names: Sequence[str]) -> list[Confusion]:
    """List the most frequent confusions, the first of the classes first where they are as frequent."""
    found = [
        Confusion(class_names[actual], class_names[predicted], count, count / sum(row))
        for actual, row in enumerate(matrix)
        for predicted, count in enumerate(row)
        if count and actual != predicted
    ]
    return sorted(found, key=lambda confusion: -confusion.count)[:MAX_CONFUSIONS]
