"""How far the reference model is ahead of each other model, and how sure that is."""

from collections.abc import Mapping, Sequence
from typing import Literal, TypedDict

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from fusionseq.plotting.rows import SEED_SIZE, measure_row, place_seeds, place_summary, set_rows
from fusionseq.plotting.style import FONT_SIZE, GREY, TEXT_WIDTH, choose_colours, figure_style, fit_into

_PERCENT = 100
_METRICS: tuple[tuple[Literal["accuracy_difference", "macro_f1_difference"], str], ...] = (
    ("accuracy_difference", "Accuracy difference"),
    ("macro_f1_difference", "Macro-F1 difference"),
)
_SEED_ALPHA = 0.4
_SIZE = 5.0
# Inches, of the reference's title above a panel.
_MAX_FIRST = 0.8
# Inches for the legend and the directions above the rows, and for the axes below.
_MARGINS = 0.95


class Difference(TypedDict):
    """A difference, first less second, with its interval."""

    mean: float
    interval: Sequence[float]


class SeedDifferences(TypedDict):
    """Differences with one seed."""

    accuracy_difference: float
    macro_f1_difference: float


class Comparison(TypedDict):
    """What is drawn of the comparison of two models."""

    first: str
    second: str
    accuracy_difference: Difference
    macro_f1_difference: Difference
    verdict: Literal["shown", "open", "equal"]
    per_seed: Sequence[SeedDifferences]


def plot_differences(comparisons: Mapping[str, Comparison], titles: Mapping[str, str], confidence: float) -> Figure:
    """Draw the differences of accuracy and macro-F1 in percentage points, a row for each comparison.

    A marker is the mean over the seeds with its interval, a faint dot below it one seed; a single seed has no dot.
    The marker of an accuracy is filled where the verdict is "shown". The verdict says nothing of macro-F1, whose
    marker is a stroke.

    Parameters
    ----------
    comparisons
        Of the same first model with each other, in the order of the rows, with the same seeds. Differences in [-1, 1].
    titles
        Titles of all models in their order.
    confidence
        Confidence of the intervals, in (0, 1).
    """
    colours = choose_colours(titles)
    rows = list(comparisons.values())
    num_seeds = len(rows[0]["per_seed"])
    # The mean of a single seed is that seed.
    num_dots = num_seeds if num_seeds > 1 else 0
    with figure_style():
        figure = Figure(figsize=(TEXT_WIDTH, len(rows) * measure_row(num_dots) + _MARGINS), layout="constrained")
        panels = figure.subplots(1, len(_METRICS), sharex=True)
        set_rows(panels, [titles[row["second"]] for row in rows])
        for axes, (metric, label) in zip(panels, _METRICS, strict=True):
            axes.axvline(0, color=GREY, linewidth=0.8)
            for place, row in enumerate(rows):
                is_shown = metric == "accuracy_difference" and row["verdict"] == "shown"
                marker = "D" if metric == "accuracy_difference" else "|"
                colour = colours[row["second"]]
                _draw_difference(axes, place_summary(place, num_dots), row[metric], colour, marker, is_filled=is_shown)
                if num_dots:
                    seeds = [seed[metric] * _PERCENT for seed in row["per_seed"]]
                    places = place_seeds(place, num_dots)
                    axes.plot(seeds, places, "o", color=colour, markersize=SEED_SIZE, alpha=_SEED_ALPHA, mew=0)
            axes.margins(x=0.05)
            axes.set_xlabel(f"{label} (% points)")
            _name_directions(axes, fit_into(titles[rows[0]["first"]], _MAX_FIRST))
        _draw_legend(figure, confidence, has_seeds=num_dots > 0)
        return figure


def _draw_difference(
    axes: Axes, place: float, difference: Difference, colour: str, marker: str, *, is_filled: bool
) -> None:
    low, high = difference["interval"]
    axes.hlines(place, low * _PERCENT, high * _PERCENT, color=colour, linewidth=1.4)
    axes.plot(
        difference["mean"] * _PERCENT,
        place,
        marker,
        color=colour,
        markersize=_SIZE if marker == "D" else 2 * _SIZE,
        markerfacecolor=colour if is_filled else "white",
        markeredgewidth=1.4,
    )


def _name_directions(axes: Axes, first: str) -> None:
    # Above the panel, where nothing is drawn.
    for text, place, alignment in (("← other model better", 0, "left"), (f"{first} better →", 1, "right")):
        axes.annotate(
            text,
            (place, 1),
            xycoords="axes fraction",
            xytext=(0, 2),
            textcoords="offset points",
            ha=alignment,
            va="bottom",
            color=GREY,
            fontsize=FONT_SIZE - 1,
        )


def _draw_legend(figure: Figure, confidence: float, *, has_seeds: bool) -> None:
    handles = [
        _make_handle("difference shown", "D", GREY),
        _make_handle("not shown", "D", "white"),
        Line2D([], [], color=GREY, linewidth=1.4, label=f"{confidence * _PERCENT:g}% bootstrap interval"),
    ]
    if has_seeds:
        seed = _make_handle("one seed", "o", GREY)
        seed.set(alpha=_SEED_ALPHA, markersize=SEED_SIZE, markeredgewidth=0)
        handles.append(seed)
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles))


def _make_handle(label: str, marker: str, face: str) -> Line2D:
    return Line2D(
        [], [], color=GREY, linestyle="none", marker=marker, markersize=_SIZE, markerfacecolor=face, label=label
    )
