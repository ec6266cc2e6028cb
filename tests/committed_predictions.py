"""The predictions that lie in reports/: real ones, against which every statistic is checked."""

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

REPORTS = Path(__file__).parent.parent / "reports"


@dataclass(frozen=True)
class Predictions:
    """True classes of shape (num_images,); probabilities of each model, (num_seeds, num_images, num_classes)."""

    y_true: NDArray[np.int64]
    probabilities: dict[str, NDArray[np.float32]]

    @property
    def num_classes(self) -> int:
        return int(self.probabilities["fusion"].shape[2])

    @property
    def y_pred(self) -> dict[str, NDArray[np.int64]]:
        return {name: of_model.argmax(axis=2) for name, of_model in self.probabilities.items()}


@cache
def read_predictions() -> Predictions:
    probabilities, y_true = {}, np.zeros(0, dtype=np.int64)
    for name in ("fusion", "sequential"):
        with (REPORTS / "probabilities" / f"{name}.csv").open(encoding="utf-8", newline="") as file:
            header, *rows = csv.reader(file)
        num_seeds = len({row[1] for row in rows})
        values = np.array([row[2:] for row in rows], dtype=np.float32)
        probabilities[name] = values.reshape(num_seeds, -1, len(header) - 2)
        with (REPORTS / "predictions" / f"{name}.csv").open(encoding="utf-8", newline="") as file:
            actual = [row["actual"] for row in csv.DictReader(file)]
        y_true = np.array([header[2:].index(label) for label in actual[: len(actual) // num_seeds]])
    return Predictions(y_true, probabilities)
