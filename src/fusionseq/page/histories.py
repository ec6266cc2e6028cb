"""The course of every training: means over seeds, epoch by epoch, and as tables."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

_PERCENT = 100


@dataclass(frozen=True)
class Panel:
    """One of the charts.

    Attributes
    ----------
    column
        Of the history.
    title
        Of the chart.
    metric, unit
        What is drawn, and in what.
    scale
        Factor from the history's unit to that one.
    digits
        After the point of its values.
    """

    column: str
    title: str
    metric: Literal["loss", "accuracy"]
    unit: str
    scale: float
    digits: int

    @property
    def number_format(self) -> str:
        """For its values, in the language of Python and d3 alike."""
        return f".{self.digits}f"

    def format(self, value: float) -> str:
        """Write a value of this panel."""
        return format(value, self.number_format)


PANELS = (
    Panel("validation_loss", "Validation loss", "loss", "nats", 1, 4),
    Panel("validation_accuracy", "Validation accuracy", "accuracy", "%", _PERCENT, 2),
    Panel("loss", "Training loss", "loss", "nats", 1, 4),
    Panel("accuracy", "Training accuracy", "accuracy", "%", _PERCENT, 2),
)


@dataclass(frozen=True)
class Point:
    """A metric of one model after one epoch.

    Attributes
    ----------
    panel
        Column of the history.
    model
        Its name.
    epoch
        From 1 on across both phases.
    mean, low, high
        Over the seeds that trained in this epoch, in the unit of the panel.
    """

    panel: str
    model: str
    epoch: int
    mean: float
    low: float
    high: float


def summarize_history(history: Mapping[str, Sequence[Mapping[str, str]]]) -> list[Point]:
    """Summarize the curves over seeds.

    Parameters
    ----------
    history
        By model, a row for each seed and epoch, as `plot_training_curves` takes it. What is not finite, as in a
        training that diverged, has no point.
    """
    points = []
    for panel in PANELS:
        for model, rows in history.items():
            values: dict[int, list[float]] = {}
            for row in rows:
                value = float(row[panel.column]) * panel.scale
                if math.isfinite(value):
                    values.setdefault(int(row["epoch"]), []).append(value)
            points += [
                Point(panel.column, model, epoch, math.fsum(found) / len(found), min(found), max(found))
                for epoch, found in sorted(values.items())
            ]
    return points


def find_boundaries(history: Mapping[str, Sequence[Mapping[str, str]]]) -> list[float]:
    """Find the epochs, less a half, in which a seed of any model began to be fine-tuned."""
    starts: dict[tuple[str, str], int] = {}
    for model, rows in history.items():
        for row in rows:
            if row["phase"] == "fine-tuning":
                key, epoch = (model, row["seed"]), int(row["epoch"])
                starts[key] = min(epoch, starts.get(key, epoch))
    return sorted({start - 0.5 for start in starts.values()})


@dataclass(frozen=True)
class CurveTable:
    """The numbers of one panel.

    Attributes
    ----------
    panel
        What they are.
    models
        Names of the models, for the columns.
    rows
        Of each epoch its number, and the mean of each model; None where it did not train.
    """

    panel: Panel
    models: list[str]
    rows: list[tuple[int, list[float | None]]]


def tabulate_curves(points: Sequence[Point], models: Sequence[str]) -> list[CurveTable]:
    """Arrange the points as a table for each panel, an epoch in each row."""
    epochs = sorted({point.epoch for point in points})
    means = {(point.panel, point.epoch, point.model): point.mean for point in points}
    return [
        CurveTable(
            panel,
            list(models),
            [(epoch, [means.get((panel.column, epoch, model)) for model in models]) for epoch in epochs],
        )
        for panel in PANELS
    ]
