"""How the models compare on the test images, metric by metric."""

from collections.abc import Mapping, Sequence
from typing import Literal, NotRequired, TypedDict

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from fusionseq.plotting.rows import SEED_SIZE, measure_row, place_seeds, place_summary, set_rows
from fusionseq.plotting.style import GREY, TEXT_WIDTH, choose_colours, figure_style

_PERCENT = 100
_METRICS: tuple[tuple[Literal["accuracy", "macro_f1", "loss"], str, int], ...] = (
    ("accuracy", "Accuracy (%)", _PERCENT),
    ("macro_f1", "Macro-F1 (%)", _PERCENT),
    ("loss", "Loss (nats)", 1),
)
_INTERVALS: tuple[Literal["accuracy_interval", "macro_f1_interval"], ...] = ("accuracy_interval", "macro_f1_interval")
_MEAN_SIZE = 4.5
# Inches for the legend and for the axes below the rows.
_MARGINS = 0.75


class Summary(TypedDict):
    """A metric over the seeds; one seed has no standard deviation."""

    mean: float
    std: NotRequired[float]


class SeedMetrics(TypedDict):
    """Metrics of one seed. The interval of the accuracy is Wilson's, that of macro-F1 from the bootstrap."""

    accuracy: float
    accuracy_interval: Sequence[float]
    macro_f1: float
    macro_f1_interval: Sequence[float]
    loss: float


class ModelMetrics(TypedDict):
    """What is drawn of one model."""

    title: str
    accuracy: Summary
    macro_f1: Summary
    loss: Summary
    per_seed: Sequence[SeedMetrics]


def plot_metric_comparison(models: Mapping[str, ModelMetrics], confidence: float) -> Figure:
    """Draw accuracy, macro-F1 and loss, a row for each model and a panel for each metric.

    A diamond is the mean over the seeds with one standard deviation to either side; a dot below it is one seed,
    accuracy and macro-F1 with their intervals. A single seed has no diamond. The axes do not begin at zero: positions
    are to be read, not lengths.

    Parameters
    ----------
    models
        Metrics by model: accuracy and macro-F1 in [0, 1], loss in nats. All have the same seeds.
    confidence
        Confidence of the intervals, in (0, 1).
    """
    colours = choose_colours(models)
    num_seeds = max(len(content["per_seed"]) for content in models.values())
    with figure_style():
        height = len(models) * measure_row(num_seeds) + _MARGINS
        figure = Figure(figsize=(TEXT_WIDTH, height), layout="constrained")
        panels = figure.subplots(1, len(_METRICS))
        # Equal units at equal places.
        panels[1].sharex(panels[0])
        set_rows(panels, [content["title"] for content in models.values()])
        for axes, (metric, label, scale) in zip(panels, _METRICS, strict=True):
            for row, (model, content) in enumerate(models.items()):
                values = [seed[metric] * scale for seed in content["per_seed"]]
                axes.plot(values, place_seeds(row, num_seeds), "o", color=colours[model], markersize=SEED_SIZE)
                if num_seeds > 1:
                    _draw_mean(axes, place_summary(row, num_seeds), content[metric], scale, colours[model])
            axes.margins(x=0.04)
            axes.set_xlabel(label)
        for axes, interval in zip(panels[:2], _INTERVALS, strict=True):
            for row, (model, content) in enumerate(models.items()):
                low, high = np.transpose([seed[interval] for seed in content["per_seed"]]) * _PERCENT
                axes.hlines(place_seeds(row, num_seeds), low, high, color=colours[model], linewidth=0.6, alpha=0.7)
        _draw_legend(figure, confidence, num_seeds)
        return figure


def _draw_mean(axes: Axes, place: float, summary: Summary, scale: float, colour: str) -> None:
    axes.errorbar(
        summary["mean"] * scale,
        place,
        xerr=summary.get("std", 0) * scale,
        fmt="D",
        color=colour,
        markersize=_MEAN_SIZE,
        markerfacecolor="white",
        markeredgewidth=1.2,
        capsize=2.5,
    )


def _draw_legend(figure: Figure, confidence: float, num_seeds: int) -> None:
    interval = f"one seed, with {confidence * _PERCENT:g}% interval (Wilson; macro-F1: bootstrap)"
    handles = [Line2D([], [], color=GREY, linewidth=0.8, marker="o", markersize=SEED_SIZE, label=interval)]
    if num_seeds > 1:
        mean = Line2D([], [], color=GREY, marker="D", markersize=_MEAN_SIZE, markerfacecolor="white")
        mean.set_label("mean ± sd over seeds")
        handles.insert(0, mean)
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles))
