"""Markers are the differences with their intervals, filled where they are shown; faint dots are the seeds."""

from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from drawn_text import assert_readable, list_tick_labels
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.lines import Line2D

from fusionseq.plotting.forest import Comparison, plot_differences
from fusionseq.plotting.saving import write_figure
from fusionseq.plotting.style import choose_colours

TITLES = {"fusion": "Fusion", "sequential": "Sequential", "vgg16": "VGG16", "ensemble": "The $ensemble$"}
COLOURS = choose_colours(TITLES)


def make_comparison(
    second: str, differences: list[float], verdict: Literal["shown", "open", "equal"] = "open"
) -> Comparison:
    mean = float(np.mean(differences))
    return {
        "first": "fusion",
        "second": second,
        "accuracy_difference": {"mean": mean, "interval": [mean - 0.01, mean + 0.02]},
        "macro_f1_difference": {"mean": mean + 0.001, "interval": [mean - 0.015, mean + 0.025]},
        "verdict": verdict,
        "per_seed": [{"accuracy_difference": value, "macro_f1_difference": value + 0.001} for value in differences],
    }


COMPARISONS = {
    "sequential": make_comparison("sequential", [0.02, 0.03, 0.04], "shown"),
    "vgg16": make_comparison("vgg16", [0.01, -0.01, 0.0], "equal"),
    "ensemble": make_comparison("ensemble", [-0.01, -0.02, 0.0]),
}


def make_many(num_models: int, num_seeds: int, title: str) -> tuple[dict[str, Comparison], dict[str, str]]:
    names = [f"control{place}" for place in range(num_models - 1)]
    values = np.random.default_rng(0).normal(0, 0.05, (num_models - 1, num_seeds))
    comparisons = {name: make_comparison(name, row.tolist()) for name, row in zip(names, values, strict=True)}
    return comparisons, dict.fromkeys(["fusion", *names], title)


def read_markers(axes: Axes, marker: str) -> list[Line2D]:
    return [line for line in axes.lines if line.get_marker() == marker]


@pytest.mark.parametrize(
    ("panel", "marker", "metric"), [(0, "D", "accuracy_difference"), (1, "|", "macro_f1_difference")]
)
def test_differences_and_intervals_are_in_percentage_points(panel: int, marker: str, metric: str) -> None:
    axes = plot_differences(COMPARISONS, TITLES, 0.95).axes[panel]
    intervals = [item for item in axes.collections if isinstance(item, LineCollection)]
    for row, (model, content) in enumerate(COMPARISONS.items()):
        difference = content[metric]  # type: ignore[literal-required]
        line, ((low, height), (high, _)) = read_markers(axes, marker)[row], intervals[row].get_segments()[0]
        assert np.asarray(line.get_xdata()) == pytest.approx([100 * difference["mean"]])
        assert [low, high] == pytest.approx([100 * bound for bound in difference["interval"]])
        assert row - 0.5 < height == np.asarray(line.get_ydata())[0] < row + 0.5
        assert line.get_color() == COLOURS[model]


@pytest.mark.parametrize(("panel", "metric"), [(0, "accuracy_difference"), (1, "macro_f1_difference")])
def test_faint_dots_are_the_seeds(panel: int, metric: str) -> None:
    axes = plot_differences(COMPARISONS, TITLES, 0.95).axes[panel]
    for dots, content in zip(read_markers(axes, "o"), COMPARISONS.values(), strict=True):
        expected = [100 * seed[metric] for seed in content["per_seed"]]  # type: ignore[literal-required]
        np.testing.assert_allclose(np.asarray(dots.get_xdata(), dtype=float), expected)
        assert len(set(np.asarray(dots.get_ydata()))) == 3
        assert (dots.get_alpha() or 1) < 0.5


def test_only_accuracies_of_a_shown_difference_are_filled() -> None:
    panels = plot_differences(COMPARISONS, TITLES, 0.95).axes
    faces = [line.get_markerfacecolor() for line in read_markers(panels[0], "D")]
    assert faces == [COLOURS["sequential"], "white", "white"]
    assert not read_markers(panels[1], "D")


def test_zero_is_marked_and_in_view() -> None:
    comparisons = {"sequential": make_comparison("sequential", [0.2, 0.21])}
    for axes in plot_differences(comparisons, TITLES, 0.95).axes:
        assert [list(np.asarray(line.get_xdata())) for line in axes.lines if line.get_marker() == "None"] == [[0, 0]]
        low, high = axes.get_xlim()
        assert low < 0
        assert high > 23


def test_rows_and_directions_have_titles() -> None:
    panels = plot_differences(COMPARISONS, TITLES, 0.95).axes
    assert [label.get_text() for label in list_tick_labels(panels[0].yaxis)] == list(TITLES.values())[1:]
    for axes in panels:
        assert [text.get_text() for text in axes.texts] == ["← other model better", "Fusion better →"]
    assert [axes.get_xlabel() for axes in panels] == [
        "Accuracy difference (% points)",
        "Macro-F1 difference (% points)",
    ]


def test_legend_names_the_confidence_and_the_seeds_where_there_are_several() -> None:
    several = [text.get_text() for text in plot_differences(COMPARISONS, TITLES, 0.995).legends[0].get_texts()]
    single = {"vgg16": make_comparison("vgg16", [0.01])}
    figure = plot_differences(single, TITLES, 0.95)
    assert several == ["difference shown", "not shown", "99.5% bootstrap interval", "one seed"]
    assert "one seed" not in [text.get_text() for text in figure.legends[0].get_texts()]
    assert not any(read_markers(axes, "o") for axes in figure.axes)


@pytest.mark.parametrize(("num_models", "num_seeds"), [(2, 1), (2, 3), (6, 3), (6, 10), (10, 10)])
@pytest.mark.parametrize("title", ["VGG16", "W" * 30])
def test_words_are_readable_and_the_figure_fits_a_page(num_models: int, num_seeds: int, title: str) -> None:
    figure = plot_differences(*make_many(num_models, num_seeds, title), 0.95)
    assert_readable(figure)
    assert figure.get_figheight() < 6.5


def test_same_bytes_twice(tmp_path: Path) -> None:
    for folder in ("first", "second"):
        write_figure(tmp_path / folder, "differences", plot_differences(COMPARISONS, TITLES, 0.95))
    for path in (tmp_path / "first").iterdir():
        assert path.read_bytes() == (tmp_path / "second" / path.name).read_bytes()
