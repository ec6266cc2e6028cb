"""How training went: loss and accuracy by epoch."""

import math
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter
from numpy.typing import NDArray

from fusionseq.plotting.style import FONT_SIZE, GREY, TEXT_WIDTH, choose_colours, figure_style, fit_into

_PERCENT = 100
LineStyle = Literal["dashed", "solid"]
# Training is dashed, validation solid: the two differ in print without colours, too.
_SERIES: tuple[tuple[str, str, LineStyle, float], ...] = (
    ("", "Training", "dashed", 1.0),
    ("validation_", "Validation", "solid", 1.4),
)
_METRICS = (("loss", "Loss (nats)", 1), ("accuracy", "Accuracy (%)", _PERCENT))
_BAND_ALPHA = 0.22
# Losses that differ by less are drawn on a linear scale.
_MIN_LOG_RANGE = 30
# Inches: the height of a panel where there are one, two, three or more rows of models, and what is above and below.
_HEIGHTS = (1.6, 1.15, 0.95)
_TITLE, _MARGINS = 0.3, 0.65


def plot_training_curves(history: Mapping[str, Sequence[Mapping[str, str]]], titles: Mapping[str, str]) -> Figure:
    """Draw loss and accuracy on training and validation images over both phases.

    Each model has two panels, the loss above the accuracy. A line is the mean over the seeds that trained in an
    epoch, the band behind it reaches from the lowest seed to the highest. Where training stopped early, seeds change
    from one phase to the other in different epochs: each change is marked. Losses of different magnitudes are drawn on
    a logarithmic scale.

    Parameters
    ----------
    history
        By model, a row for each seed and epoch with the columns seed, phase ("frozen" or "fine-tuning"), epoch (from 1
        on across both phases), loss and validation_loss in nats, accuracy and validation_accuracy in [0, 1].
    titles
        Titles of all models in their order, also of those without a history.
    """
    colours = choose_colours(titles)
    num_rows = math.ceil(len(history) / (3 if len(history) <= 9 else 4))
    num_columns = math.ceil(len(history) / num_rows)
    with figure_style():
        height = num_rows * (2 * _HEIGHTS[min(num_rows, len(_HEIGHTS)) - 1] + _TITLE) + _MARGINS
        figure = Figure(figsize=(TEXT_WIDTH, height), layout="constrained")
        panels = figure.subplots(2 * num_rows, num_columns, sharex=True, squeeze=False)
        # Of shape (models, metrics).
        pairs = panels.reshape(num_rows, 2, num_columns).swapaxes(1, 2).reshape(-1, 2)
        for place, (pair, (model, rows)) in enumerate(zip(pairs, history.items(), strict=False)):
            for axes, first, (metric, label, scale) in zip(pair, pairs[0], _METRICS, strict=True):
                for prefix, _, dashes, width in _SERIES:
                    curves = _arrange_by_seed(rows, prefix + metric) * scale
                    _draw_curves(axes, curves, colours[model], dashes, width)
                for boundary in _find_boundaries(rows):
                    axes.axvline(boundary, color=GREY, linewidth=0.8, linestyle="dotted")
                is_leftmost = place % num_columns == 0
                axes.set_ylabel(label if is_leftmost else "")
                axes.tick_params(labelleft=is_leftmost)
                if axes is not first:
                    axes.sharey(first)
            pair[0].set_title(fit_into(titles[model], TEXT_WIDTH / num_columns - 0.4, FONT_SIZE + 1))
            pair[1].tick_params(labelbottom=True)
            pair[1].xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True, steps=[1, 2, 5, 10]))
        for axes in pairs[len(history) :].flat:
            axes.remove()
        losses = [float(row[prefix + "loss"]) for rows in history.values() for row in rows for prefix, *_ in _SERIES]
        _scale_loss(pairs[0, 0], np.array(losses))
        figure.supxlabel("Epoch")
        figure.align_ylabels()
        _draw_legend(figure, has_band=any(len(_list_seeds(rows)) > 1 for rows in history.values()))
        return figure


def _scale_loss(axes: Axes, losses: NDArray[np.float64]) -> None:
    low, high = losses[losses > 0].min(initial=np.inf), losses.max()
    # Often the loss of the first epoch is a hundred times that of the last.
    if low * _MIN_LOG_RANGE < high:
        axes.set_yscale("log", nonpositive="mask")
        # Over many decades the powers of ten are enough.
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 3) if low * 1000 > high else (1,)))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.yaxis.set_minor_formatter(NullFormatter())


def _list_seeds(rows: Sequence[Mapping[str, str]]) -> list[str]:
    return list(dict.fromkeys(row["seed"] for row in rows))


def _arrange_by_seed(rows: Sequence[Mapping[str, str]], column: str) -> NDArray[np.float64]:
    """Values of a column, of shape (num_seeds, num_epochs); not a number in epochs that a seed did not train."""
    places = {seed: place for place, seed in enumerate(_list_seeds(rows))}
    values = np.full((len(places), max(int(row["epoch"]) for row in rows)), np.nan)
    for row in rows:
        values[places[row["seed"]], int(row["epoch"]) - 1] = float(row[column])
    return values


def _draw_curves(axes: Axes, curves: NDArray[np.float64], colour: str, dashes: LineStyle, width: float) -> None:
    epochs = np.arange(1, curves.shape[1] + 1)
    if len(curves) > 1:
        low, high = np.nanmin(curves, axis=0), np.nanmax(curves, axis=0)
        axes.fill_between(epochs, low, high, color=colour, alpha=_BAND_ALPHA, linewidth=0)
    axes.plot(epochs, np.nanmean(curves, axis=0), color=colour, linestyle=dashes, linewidth=width)


def _find_boundaries(rows: Sequence[Mapping[str, str]]) -> list[float]:
    """Where seeds change from the frozen phase to fine-tuning."""
    starts: dict[str, int] = {}
    for row in rows:
        if row["phase"] == "fine-tuning":
            epoch = int(row["epoch"])
            starts[row["seed"]] = min(epoch, starts.get(row["seed"], epoch))
    return sorted({start - 0.5 for start in starts.values()})


def _draw_legend(figure: Figure, *, has_band: bool) -> None:
    handles: list[Line2D | Patch] = [
        Line2D([], [], color="black", linestyle=dashes, linewidth=width, label=label)
        for _, label, dashes, width in _SERIES
    ]
    if has_band:
        handles.append(Patch(color="black", alpha=_BAND_ALPHA, linewidth=0, label="range over seeds"))
    handles.append(Line2D([], [], color=GREY, linewidth=0.8, linestyle="dotted", label="start of fine-tuning"))
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles))
