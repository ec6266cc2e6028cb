"""Whether the models are right as often as their probabilities say.

Source: A. Niculescu-Mizil and R. Caruana, ICML 2005, for the diagram.
"""

import math
from collections.abc import Mapping, Sequence
from typing import NotRequired, TypedDict

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from fusionseq.plotting.style import FONT_SIZE, GREY, TEXT_WIDTH, choose_colours, figure_style, fit_into

_PERCENT = 100
# Of a scale from below the second of the wide ticks on, and from above.
_WIDE_TICKS = (0, 0.5, 0.8, 0.95, 1)
_NARROW_TICKS = (0, 0.5, 0.8, 0.9, 0.95, 0.99, 1)
# Of the whole scale, beyond what is drawn.
_PADDING = 0.05
# Square points: an empty bin, and the largest.
_SMALLEST_AREA, _AREA = 5.0, 30.0
# Inches: the widest panel, and what is above and below the panels.
_MAX_SIDE, _TITLE, _MARGINS = 2.3, 0.48, 0.75


class Summary(TypedDict):
    """A metric over the seeds; one seed has no standard deviation."""

    mean: float
    std: NotRequired[float]


class Bin(TypedDict):
    """Images of similar confidence, which is the largest probability."""

    confidence: float
    accuracy: float
    num_images: int


class ModelReliability(TypedDict):
    """What is drawn of one model."""

    title: str
    calibration_error: Summary
    reliability: Sequence[Bin]


def plot_reliability(models: Mapping[str, ModelReliability]) -> Figure:
    """Draw accuracy against confidence in a panel for each model, with the expected calibration error above it.

    A dot is a bin of images, the larger the more images; the stroke to the diagonal is how far the model is too certain
    (below) or not certain enough (above). Good models are nearly always certain, so both scales give more room to high
    shares: a place is the square root of what is missing to 100 %.

    Parameters
    ----------
    models
        Bins and calibration error by model, all in [0, 1].
    """
    colours = choose_colours(models)
    num_rows = math.ceil(len(models) / (3 if len(models) <= 9 else 4))
    num_columns = math.ceil(len(models) / num_rows)
    lowest = min(min(part["confidence"], part["accuracy"]) for of in models.values() for part in of["reliability"])
    largest = max(part["num_images"] for of in models.values() for part in of["reliability"])
    with figure_style():
        side = min((TEXT_WIDTH - 0.5) / num_columns - 0.1, _MAX_SIDE)
        figure = Figure(
            figsize=(TEXT_WIDTH, num_rows * (side + _TITLE) + _MARGINS), layout=ConstrainedLayoutEngine(h_pad=0.08)
        )
        panels = figure.subplots(num_rows, num_columns, squeeze=False)
        for place, (axes, (model, content)) in enumerate(zip(panels.flat, models.items(), strict=False)):
            _set_scales(axes, lowest)
            _draw_bins(axes, content["reliability"], largest, colours[model])
            _name_panel(axes, content, side)
            axes.set_ylabel("" if place % num_columns else "Accuracy (%)")
            axes.tick_params(labelleft=place % num_columns == 0, labelbottom=place + num_columns >= len(models))
        for axes in panels.flat[len(models) :]:
            axes.remove()
        figure.supxlabel("Confidence (%), square-root scale")
        _draw_legend(figure, largest)
        return figure


def _stretch(share: NDArray[np.float64]) -> NDArray[np.float64]:
    missing = 1 - np.asarray(share)
    return np.asarray(1 - np.sign(missing) * np.sqrt(np.abs(missing)))


def _unstretch(place: NDArray[np.float64]) -> NDArray[np.float64]:
    root = 1 - np.asarray(place)
    return np.asarray(1 - np.sign(root) * root**2)


def _set_scales(axes: Axes, lowest: float) -> None:
    low, high = _unstretch(np.array([_stretch(np.array(lowest)) - _PADDING, 1 + _PADDING]))
    ticks = [tick for tick in (_WIDE_TICKS if lowest < _WIDE_TICKS[1] else _NARROW_TICKS) if tick >= low]
    labels = [f"{tick * _PERCENT:g}" for tick in ticks]
    axes.set_xscale("function", functions=(_stretch, _unstretch))
    axes.set_yscale("function", functions=(_stretch, _unstretch))
    axes.set_xticks(ticks, labels)
    axes.set_yticks(ticks, labels)
    axes.set(xlim=(low, high), ylim=(low, high), box_aspect=1)
    axes.grid(visible=True, axis="both")
    axes.plot((low, 1), (low, 1), color=GREY, linewidth=0.8, linestyle="dashed")


def _draw_bins(axes: Axes, bins: Sequence[Bin], largest: int, colour: str) -> None:
    confidence, accuracy, sizes = (
        np.array([part[key] for part in bins], dtype=float) for key in ("confidence", "accuracy", "num_images")
    )
    axes.vlines(confidence, confidence, accuracy, color=colour, linewidth=0.8)
    axes.scatter(
        confidence,
        accuracy,
        s=_SMALLEST_AREA + (_AREA - _SMALLEST_AREA) * sizes / largest,
        color=colour,
        linewidth=0,
        zorder=3,
    )


def _name_panel(axes: Axes, content: ModelReliability, side: float) -> None:
    # Above the panel, where no dot can be.
    axes.set_title(fit_into(content["title"], side, FONT_SIZE + 1), pad=FONT_SIZE + 7)
    error = content["calibration_error"]
    deviation = f" ± {error['std'] * _PERCENT:.1f}" if "std" in error else ""
    axes.annotate(
        f"ECE {error['mean'] * _PERCENT:.1f}{deviation}%",
        (0.5, 1),
        xycoords="axes fraction",
        xytext=(0, 4),
        textcoords="offset points",
        ha="center",
        color=GREY,
    )


def _draw_legend(figure: Figure, largest: int) -> None:
    handles = [
        Line2D([], [], color=GREY, linewidth=0.8, linestyle="dashed", label="calibrated"),
        Line2D(
            [],
            [],
            color=GREY,
            linestyle="none",
            marker="o",
            markersize=math.sqrt(_AREA),
            markeredgewidth=0,
            label=f"bin of images: the larger, the more, up to {largest:,}",
        ),
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles))
