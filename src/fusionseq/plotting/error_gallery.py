"""The test images that models get most wrong."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from fusionseq.plotting.samples import shrink_image
from fusionseq.plotting.style import (
    GREY,
    TEXT_WIDTH,
    choose_colours,
    choose_markers,
    figure_style,
    fit_into,
    measure_width,
)

_PERCENT = 100
_NUM_COLUMNS = 4
# Inches. The sheet is laid out by hand, since each image has lines of text below it.
_SIDE, _LINE, _INDENT, _LEGEND, _ROW_GAP = 1.2, 0.16, 0.14, 0.3, 0.1
_PITCH = TEXT_WIDTH / _NUM_COLUMNS
# Of a line of text below an image that stands in the middle of its column.
_ROOM = (_PITCH + _SIDE) / 2 - 0.05
# Pixels: enough for print at that size. Photographs in full would make a heavy PDF.
_MAX_PIXELS = 192
_MARKER_SIZE = 4.5
# Inches, of a model's title in the legend.
_MAX_TITLE = 0.9


def plot_errors(
    errors: Sequence[Mapping[str, Any]],
    images: NDArray[np.uint8],
    titles: Mapping[str, str],
    class_names: Sequence[str],
) -> Figure:
    """Draw images with the true class below, and what each model predicts with which probability.

    Without an error, the figure says in words that there is none.

    Parameters
    ----------
    errors
        For each image the class "actual", and by the name of each model that is told of the class "predicted" and its
        "probability" in [0, 1].
    images
        uint8 of shape (num_errors, image_size, image_size, 3), RGB, in the order of the errors.
    titles
        Titles of all models in their order.
    class_names
        Any text.
    """
    with figure_style():
        if not errors:
            return _say_that_there_is_none()
        models = [model for model in titles if model in errors[0]]
        colours, markers = choose_colours(titles), choose_markers(titles)
        row_height = _SIDE + (1 + len(models)) * _LINE + _ROW_GAP
        height = _LEGEND + math.ceil(len(errors) / _NUM_COLUMNS) * row_height
        # A single row that is not full stands in the middle.
        margin = (TEXT_WIDTH - min(len(errors), _NUM_COLUMNS) * _PITCH + _PITCH - _SIDE) / 2
        figure = Figure(figsize=(TEXT_WIDTH, height))
        axes = figure.add_axes((0, 0, 1, 1))
        for place, (error, image) in enumerate(zip(errors, images, strict=True)):
            row, column = divmod(place, _NUM_COLUMNS)
            left, top = margin + column * _PITCH, _LEGEND + row * row_height
            shrunk = shrink_image(image, min(image.shape[0], _MAX_PIXELS))
            # As they are in the PDF; a viewer that smooths them would invent pixels.
            axes.imshow(shrunk, extent=(left, left + _SIDE, top + _SIDE, top), interpolation="none")
            # Images may be white up to their edges.
            axes.add_patch(Rectangle((left, top), _SIDE, _SIDE, fill=False, edgecolor=GREY, linewidth=0.4))
            true = "true: "
            _write(axes, left, top + _SIDE, true + fit_into(class_names[error["actual"]], _ROOM - measure_width(true)))
            for line, model in enumerate(models, start=1):
                bottom = top + _SIDE + line * _LINE
                axes.plot(
                    left + _MARKER_SIZE / 144,
                    bottom + _LINE / 2,
                    markers[model],
                    color=colours[model],
                    markersize=_MARKER_SIZE,
                )
                share = f" ({error[model]['probability'] * _PERCENT:.1f}%)"
                room = _ROOM - _INDENT - measure_width(share)
                _write(axes, left + _INDENT, bottom, fit_into(class_names[error[model]["predicted"]], room) + share)
        axes.set(xlim=(0, TEXT_WIDTH), ylim=(height, 0))
        axes.set_axis_off()
        handles = [
            Line2D(
                [],
                [],
                color=colours[model],
                linestyle="none",
                marker=markers[model],
                markersize=_MARKER_SIZE,
                label=f"predicted by {fit_into(titles[model], _MAX_TITLE)} (its probability)",
            )
            for model in models
        ]
        figure.legend(handles=handles, loc="upper center", ncols=len(handles), borderaxespad=0.2)
        return figure


def _say_that_there_is_none() -> Figure:
    figure = Figure(figsize=(TEXT_WIDTH, 0.5))
    figure.text(0.5, 0.5, "No test image is misclassified by either model with any seed.", ha="center", va="center")
    return figure


def _write(axes: Axes, left: float, top: float, text: str) -> None:
    axes.text(left, top + 0.75 * _LINE, text, va="baseline", parse_math=False)
