"""How the models compare on the test images, metric by metric."""

from collections.abc import Mapping, Sequence
from typing import Literal, NotRequired, TypedDict

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.typing import MarkerType

from fusionseq.plotting.style import GREY, MODEL_COLOURS, MODEL_TITLES, TEXT_WIDTH, figure_style

_PERCENT = 100
_METRICS: tuple[tuple[Literal["accuracy", "macro_f1", "loss"], str, int], ...] = (
    ("accuracy", "Accuracy (%)", _PERCENT),
    ("macro_f1", "Macro-F1 (%)", _PERCENT),
    ("loss", "Loss (nats)", 1),
)
# In units of the distance between models: where the seeds and their mean stand.
_SEED_RANGE = (-0.28, 0.04)
_MEAN_OFFSET = 0.24


class Summary(TypedDict):
    """A metric over the seeds; one seed has no standard deviation."""

    mean: float
    std: NotRequired[float]


class SeedMetrics(TypedDict):
    """Metrics of one seed. The interval is Wilson's, of the accuracy."""

    accuracy: float
    accuracy_interval: Sequence[float]
    macro_f1: float
    loss: float


class ModelMetrics(TypedDict):
    """What is drawn of one model."""

    accuracy: Summary
    macro_f1: Summary
    loss: Summary
    per_seed: Sequence[SeedMetrics]


def plot_metric_comparison(models: Mapping[str, ModelMetrics], confidence: float) -> Figure:
    """Draw accuracy, macro-F1 and loss of each model, a panel for each metric.

    A dot is one seed, a diamond the mean over the seeds with one standard deviation to either side. Each accuracy of a
    seed has its Wilson interval. The axes do not begin at zero: positions are to be read, not lengths.

    Parameters
    ----------
    models
        Metrics by model: accuracy and macro-F1 in [0, 1], loss in nats.
    confidence
        Confidence of the Wilson intervals, in (0, 1).
    """
    with figure_style():
        figure = Figure(figsize=(TEXT_WIDTH, 2.5), layout="constrained")
        panels = figure.subplots(1, len(_METRICS))
        for axes, (metric, label, scale) in zip(panels, _METRICS, strict=True):
            for place, (model, content) in enumerate(models.items()):
                seeds = content["per_seed"]
                _draw_seeds(axes, place, [seed[metric] * scale for seed in seeds], MODEL_COLOURS[model])
                _draw_mean(axes, place, content[metric], scale, MODEL_COLOURS[model])
            axes.set_xticks(range(len(models)), [MODEL_TITLES[model] for model in models])
            axes.set_xlim(-0.5, len(models) - 0.5)
            axes.tick_params(axis="x", length=0)
            axes.margins(y=0.08)
            axes.set_ylabel(label)
        # Equal units at equal heights.
        panels[1].sharey(panels[0])
        for place, (model, content) in enumerate(models.items()):
            intervals = [[bound * _PERCENT for bound in seed["accuracy_interval"]] for seed in content["per_seed"]]
            _draw_intervals(panels[0], place, intervals, MODEL_COLOURS[model])
        _draw_legend(figure, confidence)
        return figure


def _spread(place: int, num_seeds: int) -> list[float]:
    """Positions of seeds beside each other; a single one stands in the middle of their range."""
    low, high = _SEED_RANGE
    return [place + low + (high - low) * (seed + 0.5) / num_seeds for seed in range(num_seeds)]


def _draw_seeds(axes: Axes, place: int, values: Sequence[float], colour: str) -> None:
    axes.plot(_spread(place, len(values)), values, "o", color=colour, markersize=3.5)


def _draw_intervals(axes: Axes, place: int, intervals: Sequence[Sequence[float]], colour: str) -> None:
    low, high = np.transpose(intervals)
    axes.vlines(_spread(place, len(intervals)), low, high, color=colour, linewidth=0.7, alpha=0.7)


def _draw_mean(axes: Axes, place: int, summary: Summary, scale: float, colour: str) -> None:
    axes.errorbar(
        place + _MEAN_OFFSET,
        summary["mean"] * scale,
        yerr=summary.get("std", 0) * scale,
        fmt="D",
        color=colour,
        markersize=5,
        markerfacecolor="white",
        markeredgewidth=1.2,
        capsize=3,
    )


def _draw_legend(figure: Figure, confidence: float) -> None:
    handles = [
        _make_handle("one seed", "o", 3.5, GREY),
        _make_handle(f"its {confidence * _PERCENT:g}% Wilson interval (accuracy)", "|", 9, GREY),
        _make_handle("mean ± standard deviation over seeds", "D", 5, "white"),
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles))


def _make_handle(label: str, marker: MarkerType, size: float, face: str) -> Line2D:
    return Line2D(
        [], [], color=GREY, linestyle="none", marker=marker, markersize=size, markerfacecolor=face, label=label
    )
