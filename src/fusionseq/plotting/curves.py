"""How training went: loss and accuracy by epoch."""

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from fusionseq.plotting.style import FONT_SIZE, GREY, MODEL_COLOURS, MODEL_TITLES, TEXT_WIDTH, figure_style

_PERCENT = 100
LineStyle = Literal["dashed", "solid"]
# Training is dashed, validation solid: the two differ in print without colours, too.
_SERIES: tuple[tuple[str, str, LineStyle], ...] = (("", "Training", "dashed"), ("validation_", "Validation", "solid"))
_METRICS = (("loss", "Loss (nats)", 1), ("accuracy", "Accuracy (%)", _PERCENT))
_SEED_WIDTH, _SEED_ALPHA = 0.5, 0.45


def plot_training_curves(history: Mapping[str, Sequence[Mapping[str, str]]]) -> Figure:
    """Draw loss and accuracy on training and validation images over both phases.

    A thin line is one seed, a thick line the mean over the seeds. Loss and accuracy have a row of panels each, the
    models a column each.

    Parameters
    ----------
    history
        By model, a row for each seed and epoch with the columns seed, phase ("frozen" or "fine-tuning"), epoch (from 1
        on across both phases), loss and validation_loss in nats, accuracy and validation_accuracy in [0, 1].
    """
    with figure_style():
        figure = Figure(figsize=(TEXT_WIDTH, 4.0), layout="constrained")
        panels = figure.subplots(len(_METRICS), len(history), sharex="col", sharey="row", squeeze=False)
        for column, (model, rows) in zip(panels.T, history.items(), strict=True):
            for axes, (metric, _, scale) in zip(column, _METRICS, strict=True):
                for prefix, _, dashes in _SERIES:
                    curves = _arrange_by_seed(rows, prefix + metric) * scale
                    _draw_curves(axes, curves, MODEL_COLOURS[model], dashes)
                axes.axvline(_find_boundary(rows), color=GREY, linewidth=0.8, linestyle="dotted")
            _name_phases(column[0], rows)
            column[0].set_title(MODEL_TITLES[model], pad=14)
            column[-1].set_xlabel("Epoch")
        for axes, (_, label, _) in zip(panels[:, 0], _METRICS, strict=True):
            axes.set_ylabel(label)
        panels[0, 0].set_ylim(bottom=0)
        figure.align_ylabels()
        _draw_legend(figure)
        return figure


def _arrange_by_seed(rows: Sequence[Mapping[str, str]], column: str) -> NDArray[np.float64]:
    """Values of a column, of shape (num_seeds, num_epochs)."""
    seeds = dict.fromkeys(row["seed"] for row in rows)
    ordered = sorted(rows, key=lambda row: int(row["epoch"]))
    return np.array([[float(row[column]) for row in ordered if row["seed"] == seed] for seed in seeds])


def _draw_curves(axes: Axes, curves: NDArray[np.float64], colour: str, dashes: LineStyle) -> None:
    epochs = np.arange(1, curves.shape[1] + 1)
    axes.plot(epochs, curves.T, color=colour, linestyle=dashes, linewidth=_SEED_WIDTH, alpha=_SEED_ALPHA)
    axes.plot(epochs, curves.mean(axis=0), color=colour, linestyle=dashes)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))


def _find_boundary(rows: Sequence[Mapping[str, str]]) -> float:
    return min(int(row["epoch"]) for row in rows if row["phase"] == "fine-tuning") - 0.5


def _name_phases(axes: Axes, rows: Sequence[Mapping[str, str]]) -> None:
    # Above the panel, where no curve can run through the words.
    for text, offset, alignment in (("frozen", -3, "right"), ("fine-tuning", 3, "left")):
        axes.annotate(
            text,
            (_find_boundary(rows), 1),
            xycoords=("data", "axes fraction"),
            xytext=(offset, 2),
            textcoords="offset points",
            ha=alignment,
            va="bottom",
            color=GREY,
            fontsize=FONT_SIZE - 1,
        )


def _draw_legend(figure: Figure) -> None:
    handles = [Line2D([], [], color="black", linestyle=dashes, label=label) for _, label, dashes in _SERIES]
    handles.append(Line2D([], [], color="black", label="one seed", linewidth=_SEED_WIDTH, alpha=_SEED_ALPHA))
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles))
