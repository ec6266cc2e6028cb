"""The curves are the history: each seed, their mean, and the boundary between the phases."""

from pathlib import Path

import numpy as np
import pytest

from fusionseq.plotting.curves import plot_training_curves
from fusionseq.plotting.saving import write_figure
from fusionseq.plotting.style import MODEL_COLOURS

METRICS = ("loss", "accuracy", "validation_loss", "validation_accuracy")


def make_history(num_seeds: int, frozen: int, fine_tuning: int, shift: float = 0) -> list[dict[str, str]]:
    """Rows in which every value tells its seed, epoch and metric."""
    return [
        {"seed": str(seed), "phase": "frozen" if epoch <= frozen else "fine-tuning", "epoch": str(epoch)}
        | {name: str(shift + 0.2 * place + seed / 100 + epoch / 1000) for place, name in enumerate(METRICS)}
        for seed in range(num_seeds)
        for epoch in range(1, frozen + fine_tuning + 1)
    ]


HISTORY = {"fusion": make_history(3, 12, 4), "sequential": make_history(3, 12, 4, shift=0.1)}


@pytest.mark.parametrize(("column", "shift"), [(0, 0), (1, 0.1)])
@pytest.mark.parametrize(("row", "metric", "scale"), [(0, 0, 1), (1, 1, 100)])
def test_lines_are_the_seeds_and_their_mean(column: int, shift: float, row: int, metric: int, scale: int) -> None:
    axes = plot_training_curves(HISTORY).axes[2 * row + column]
    epochs = np.arange(1, 17)
    lines = [line for line in axes.lines if len(np.asarray(line.get_xdata())) == len(epochs)]
    for style, place in (("--", metric), ("-", metric + 2)):
        drawn = [line for line in lines if line.get_linestyle() == style]
        drawn.sort(key=lambda line: line.get_linewidth())
        expected = [scale * (shift + 0.2 * place + seed / 100 + epochs / 1000) for seed in (0, 1, 2, 1)]
        assert len(drawn) == 4
        assert drawn[-1].get_linewidth() > drawn[0].get_linewidth()
        for line, values in zip(drawn, expected, strict=True):
            np.testing.assert_array_equal(line.get_xdata(), epochs)
            np.testing.assert_allclose(np.asarray(line.get_ydata(), dtype=float), values)


def test_rows_may_come_in_any_order() -> None:
    shuffled = {model: rows[::-1] for model, rows in HISTORY.items()}
    for axes in plot_training_curves(shuffled).axes:
        means = [line for line in axes.lines if line.get_linewidth() == 1.5]
        assert all(np.all(np.diff(np.asarray(line.get_ydata(), dtype=float)) > 0) for line in means)


def test_boundary_lies_between_the_phases() -> None:
    for axes in plot_training_curves(HISTORY).axes:
        boundary = next(line for line in axes.lines if line.get_linestyle() == ":")
        assert list(np.asarray(boundary.get_xdata())) == [12.5, 12.5]


def test_columns_are_the_models_in_their_colours() -> None:
    panels = plot_training_curves(HISTORY).axes
    assert [axes.get_title() for axes in panels] == ["Fusion", "Sequential", "", ""]
    for axes, model in zip(panels, ("fusion", "sequential") * 2, strict=True):
        assert axes.lines[0].get_color() == MODEL_COLOURS[model]


def test_axes_have_units() -> None:
    panels = plot_training_curves(HISTORY).axes
    assert [axes.get_ylabel() for axes in panels[::2]] == ["Loss (nats)", "Accuracy (%)"]
    assert {axes.get_xlabel() for axes in panels[2:]} == {"Epoch"}


@pytest.mark.parametrize(("num_seeds", "frozen", "fine_tuning"), [(1, 1, 1), (10, 40, 20)])
def test_short_and_long_runs_stay_within_the_figure(num_seeds: int, frozen: int, fine_tuning: int) -> None:
    rows = make_history(num_seeds, frozen, fine_tuning)
    figure = plot_training_curves({"fusion": rows, "sequential": rows})
    figure.draw_without_rendering()
    box = figure.get_tightbbox()
    assert box.x0 > -0.01
    assert box.x1 < figure.get_figwidth() + 0.01


def test_same_bytes_twice(tmp_path: Path) -> None:
    for folder in ("first", "second"):
        write_figure(tmp_path / folder, "curves", plot_training_curves(HISTORY))
    for path in (tmp_path / "first").iterdir():
        assert path.read_bytes() == (tmp_path / "second" / path.name).read_bytes()
