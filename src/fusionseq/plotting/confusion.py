"""Which classes each model takes for which."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, PowerNorm
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from numpy.typing import NDArray

from fusionseq.plotting.style import (
    FONT_SIZE,
    TEXT_WIDTH,
    figure_style,
    fit_into,
    make_labels,
    measure_width,
    set_class_ticks,
)

# With more classes the cells are too small for numbers.
MAX_ANNOTATED_CLASSES = 12

# A model that is right in 98 of 100 cases has errors that a linear scale would not show.
_GAMMA = 0.5
_SCALE_TICKS = (0, 0.01, 0.05, 0.2, 0.5, 1)
_SHADES = LinearSegmentedColormap.from_list("shares", ["white", "#404040"])

# Inches around the panels, without the names of the classes. They are laid out by hand: matplotlib's own layouts leave
# square panels and their colour scale at different heights.
_LEFT, _RIGHT, _BOTTOM, _TOP = 0.34, 0.87, 0.26, 0.25
_GAP, _BAR = 0.12, 0.1


def plot_confusion_matrices(
    matrices: Mapping[str, NDArray[np.int64]], titles: Mapping[str, str], class_names: Sequence[str]
) -> Figure:
    """Draw a panel for each model: rows are the true classes, columns the predicted ones.

    The shade is the share of the row's images, on a square-root scale. With up to `MAX_ANNOTATED_CLASSES` classes the
    counts are written in; an empty cell is zero.

    Parameters
    ----------
    matrices
        Counts by model, int64 of shape (num_classes, num_classes), summed over seeds.
    titles
        Titles by model, also of models without a matrix.
    class_names
        Any text.
    """
    with figure_style():
        left = max(map(measure_width, make_labels(class_names))) + _LEFT
        side = (TEXT_WIDTH - left - _RIGHT + _GAP) / len(matrices) - _GAP
        figure = Figure(figsize=(TEXT_WIDTH, TEXT_WIDTH))
        panels = [figure.add_axes((0, 0, 1, 1)) for _ in matrices]
        for axes, (model, counts) in zip(panels, matrices.items(), strict=True):
            # A class without images has an empty row.
            shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
            norm = PowerNorm(_GAMMA, vmin=0, vmax=1)
            image = axes.imshow(shares, cmap=_SHADES, norm=norm, interpolation="none")
            if len(class_names) <= MAX_ANNOTATED_CLASSES:
                _annotate(axes, counts, np.asarray(norm(shares)), side / len(class_names))
            depth = set_class_ticks(axes.xaxis, class_names, side)
            set_class_ticks(axes.yaxis, class_names, side)
            axes.tick_params(length=0, labelleft=axes is panels[0])
            axes.grid(False)
            axes.spines[:].set_visible(True)
            axes.set_title(fit_into(titles[model], side, FONT_SIZE + 1))
            axes.set_xlabel("Predicted class")
        panels[0].set_ylabel("True class")
        bottom = depth + _BOTTOM
        height = bottom + side + _TOP
        figure.set_size_inches(TEXT_WIDTH, height)
        for place, axes in enumerate(panels):
            start = left + place * (side + _GAP)
            axes.set_position((start / TEXT_WIDTH, bottom / height, side / TEXT_WIDTH, side / height))
        start = TEXT_WIDTH - _RIGHT + _GAP
        bar = figure.add_axes((start / TEXT_WIDTH, bottom / height, _BAR / TEXT_WIDTH, side / height))
        scale = figure.colorbar(image, cax=bar, label="Share of the true class", ticks=_SCALE_TICKS)
        scale.formatter = PercentFormatter(1, decimals=0)
        scale.minorticks_off()
        return figure


def _annotate(axes: Axes, counts: NDArray[np.int64], darkness: NDArray[np.float64], cell: float) -> None:
    """Write the counts into cells of a width in inches."""
    widest = measure_width(str(counts.max()), font_size=1)
    font_size = min(FONT_SIZE, 0.8 * cell / widest)
    for row, column in np.argwhere(counts):
        colour = "white" if darkness[row, column] > 0.5 else "black"
        axes.text(column, row, str(counts[row, column]), ha="center", va="center", color=colour, fontsize=font_size)
