"""Which classes are hard, and for which models."""

import math
from collections.abc import Mapping, Sequence
from typing import TypedDict

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from fusionseq.plotting.rows import shade_rows
from fusionseq.plotting.style import (
    TEXT_WIDTH,
    choose_colours,
    choose_markers,
    figure_style,
    fit_into,
    measure_width,
    set_class_ticks,
)

# Of more classes, this many are drawn.
MAX_CLASSES = 20
# Up to this many classes stand in one column.
_MAX_ROWS = 5

_PERCENT = 100
# Inches. A row has a lane for each model, narrower where there are many, and room for a line of text.
_LANE, _MAX_LANES, _GAP, _MIN_ROW = 0.06, 0.45, 0.08, 0.2
_LEGEND_LINE, _HANDLE, _MARGINS = 0.17, 0.42, 0.5
# Inches, of a model's title in the legend.
_MAX_TITLE = 1.5
# Of the width of a column, for the names of the classes.
_NAME_SHARE = 0.38


class Spread(TypedDict):
    """A metric over the seeds."""

    mean: float
    min: float
    max: float


class ModelScores(TypedDict):
    """What is drawn of one model; an F1 score for each class."""

    title: str
    class_f1: Sequence[Spread]


def plot_class_f1(models: Mapping[str, ModelScores], class_names: Sequence[str]) -> Figure:
    """Draw the F1 score of each class, a marker for each model.

    A marker is the mean over the seeds, the line through it reaches from the lowest seed to the highest.

    Parameters
    ----------
    models
        F1 scores in [0, 1], by model and class.
    class_names
        Any text. Of more than `MAX_CLASSES` classes, those with the lowest mean over models and seeds are drawn, the
        lowest first.
    """
    means = np.mean([[score["mean"] for score in content["class_f1"]] for content in models.values()], axis=0)
    shown = np.arange(len(class_names))
    if len(class_names) > MAX_CLASSES:
        shown = np.argsort(means, kind="stable")[:MAX_CLASSES]
    columns = np.array_split(shown, 1 if len(shown) <= _MAX_ROWS else 2)
    lane = min(_LANE, _MAX_LANES / len(models))
    row = max(_MIN_ROW, len(models) * lane + _GAP)
    name_width = _NAME_SHARE * TEXT_WIDTH / len(columns)
    with figure_style():
        handles = _make_handles(models)
        num_lines = _count_lines([str(handle.get_label()) for handle in handles])
        height = len(columns[0]) * row + num_lines * _LEGEND_LINE + _MARGINS
        figure = Figure(figsize=(TEXT_WIDTH, height), layout="constrained")
        panels = figure.subplots(1, len(columns), sharex=True, squeeze=False)[0]
        for axes, classes in zip(panels, columns, strict=True):
            _draw_scores(axes, models, classes.tolist(), lane / row)
            names = [fit_into(class_names[label], name_width) for label in classes]
            set_class_ticks(axes.yaxis, names, len(classes) * row)
            # The same height of rows in both columns.
            shade_rows(axes, len(columns[0]))
            axes.margins(x=0.03)
            axes.set_xlabel("F1 (%)")
        panels[0].set_ylabel(
            "Class"
            if len(shown) == len(class_names)
            else f"{len(shown)} of {len(class_names)} classes, lowest mean F1 first"
        )
        figure.legend(
            handles=handles,
            loc="outside upper center",
            ncols=math.ceil(len(handles) / num_lines),
            columnspacing=1.2,
            handlelength=1.6,
        )
        return figure


def _draw_scores(axes: Axes, models: Mapping[str, ModelScores], classes: Sequence[int], lane: float) -> None:
    colours, markers = choose_colours(models), choose_markers(models)
    for place, (model, content) in enumerate(models.items()):
        offset = (place - (len(models) - 1) / 2) * lane
        places = np.arange(len(classes)) + offset
        mean, low, high = (
            np.array([content["class_f1"][label][key] for label in classes]) * _PERCENT
            for key in ("mean", "min", "max")
        )
        axes.hlines(places, low, high, color=colours[model], linewidth=0.8)
        axes.plot(mean, places, markers[model], color=colours[model], markersize=3.5, markeredgewidth=0.4)


def _count_lines(titles: Sequence[str]) -> int:
    """Lines of the legend: one if all titles fit, else as many as columns of the widest need."""
    widths = [measure_width(title) + _HANDLE for title in titles]
    if sum(widths) <= TEXT_WIDTH:
        return 1
    return math.ceil(len(titles) / int(TEXT_WIDTH // max(widths)))


def _make_handles(models: Mapping[str, ModelScores]) -> list[Line2D]:
    colours, markers = choose_colours(models), choose_markers(models)
    return [
        Line2D(
            [],
            [],
            color=colours[model],
            linewidth=0.8,
            marker=markers[model],
            markersize=4.5,
            label=fit_into(content["title"], _MAX_TITLE),
        )
        for model, content in models.items()
    ]
