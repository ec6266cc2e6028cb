"""Rows of models: in each, a summary over the seeds, and below it every seed on a line of its own."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from fusionseq.plotting.style import fit_into

# Points.
SEED_SIZE = 3.2

# Inches: what lies between two rows, the summary, and the seeds below it. Many seeds stand closer.
_GAP, _SUMMARY = 0.1, 0.12
_SEED, _MAX_SEEDS = 0.05, 0.3
# Inches, of a row's title.
_MAX_TITLE = 1.3


def measure_row(num_seeds: int) -> float:
    """Height of a row in inches."""
    return _GAP + _SUMMARY + _measure_seeds(num_seeds)


def place_summary(row: int, num_seeds: int) -> float:
    """Position of the summary, in units of rows; a row reaches half a unit to both sides of its number."""
    return row - 0.5 + (_GAP / 2 + _SUMMARY / 2) / measure_row(num_seeds)


def place_seeds(row: int, num_seeds: int) -> NDArray[np.float64]:
    """Positions of the seeds, in units of rows, of shape (num_seeds,): no seed hides another."""
    start = _GAP / 2 + _SUMMARY
    offsets = start + _measure_seeds(num_seeds) * (np.arange(num_seeds) + 0.5) / num_seeds
    return np.asarray(row - 0.5 + offsets / measure_row(num_seeds))


def set_rows(panels: Sequence[Axes], titles: Sequence[str]) -> None:
    """Name the rows at the first of several panels side by side, from top to bottom."""
    for place, axes in enumerate(panels):
        axes.set_yticks(range(len(titles)), [fit_into(title, _MAX_TITLE) for title in titles], parse_math=False)
        axes.tick_params(axis="y", labelleft=place == 0)
        shade_rows(axes, len(titles))


def shade_rows(axes: Axes, num_rows: int) -> None:
    """Prepare a panel for rows at 0, 1, ... from top to bottom, with every second one shaded to guide the eye."""
    for row in range(1, num_rows, 2):
        axes.axhspan(row - 0.5, row + 0.5, color="#F4F4F4", linewidth=0, zorder=0)
    axes.set_ylim(num_rows - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")
    axes.grid(visible=True, axis="x")
    axes.spines.left.set_visible(False)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 2.5, 5, 10]))


def _measure_seeds(num_seeds: int) -> float:
    return min(num_seeds * _SEED, _MAX_SEEDS)
