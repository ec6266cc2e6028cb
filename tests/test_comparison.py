"""Dots are the seeds, diamonds their means with a standard deviation, thin lines the intervals of the accuracies."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgba, to_rgba_array
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from fusionseq.plotting.comparison import ModelMetrics, SeedMetrics, plot_metric_comparison
from fusionseq.plotting.saving import write_figure
from fusionseq.plotting.style import MODEL_COLOURS


def make_metrics(accuracies: list[float]) -> ModelMetrics:
    seeds: list[SeedMetrics] = [
        {"accuracy": a, "macro_f1": a - 0.01, "loss": 1 - a, "accuracy_interval": [a - 0.02, a + 0.01]}
        for a in accuracies
    ]
    mean = float(np.mean(accuracies))
    return {
        "accuracy": {"mean": mean, "std": 0.004},
        "macro_f1": {"mean": mean - 0.01, "std": 0.005},
        "loss": {"mean": 1 - mean, "std": 0.006},
        "per_seed": seeds,
    }


ACCURACIES = {"fusion": [0.98, 0.985, 0.975], "sequential": [0.95, 0.96, 0.94]}
METRICS = {model: make_metrics(values) for model, values in ACCURACIES.items()}


def plot() -> Figure:
    return plot_metric_comparison(METRICS, 0.95)


def read_dots(axes: Axes) -> list[Line2D]:
    return [line for line in axes.lines if line.get_marker() == "o"]


@pytest.mark.parametrize(("place", "metric", "scale"), [(0, "accuracy", 100), (1, "macro_f1", 100), (2, "loss", 1)])
@pytest.mark.parametrize("model", ["fusion", "sequential"])
def test_dots_are_seeds_and_diamonds_are_means(place: int, metric: str, scale: int, model: str) -> None:
    axes = plot().axes[place]
    position = list(METRICS).index(model)
    content = METRICS[model]
    dots = read_dots(axes)[position]
    np.testing.assert_allclose(
        np.asarray(dots.get_ydata(), dtype=float),
        [scale * seed[metric] for seed in content["per_seed"]],  # type: ignore[literal-required]
    )
    assert dots.get_color() == MODEL_COLOURS[model]
    containers = [container for container in axes.containers if isinstance(container, ErrorbarContainer)]
    diamond, _, (bar,) = containers[position].lines
    summary = content[metric]  # type: ignore[literal-required]
    assert diamond is not None
    np.testing.assert_allclose(np.asarray(diamond.get_ydata(), dtype=float), [scale * summary["mean"]])
    low, high = np.asarray(bar.get_segments()[0])[:, 1]
    assert low == pytest.approx(scale * (summary["mean"] - summary["std"]))
    assert high == pytest.approx(scale * (summary["mean"] + summary["std"]))


def test_each_accuracy_has_its_interval_at_its_dot() -> None:
    axes = plot().axes[0]
    intervals = [
        item for item in axes.collections if isinstance(item, LineCollection) and len(item.get_segments()) == 3
    ]
    for (model, accuracies), lines, dots in zip(ACCURACIES.items(), intervals, read_dots(axes), strict=True):
        np.testing.assert_allclose(to_rgba_array(lines.get_color()), [to_rgba(MODEL_COLOURS[model], lines.get_alpha())])
        positions = np.asarray(dots.get_xdata(), dtype=float)
        for segment, accuracy, position in zip(lines.get_segments(), accuracies, positions, strict=True):
            expected = [[position, 100 * accuracy - 2], [position, 100 * accuracy + 1]]
            np.testing.assert_allclose(np.asarray(segment), expected)


def test_no_seed_hides_another() -> None:
    metrics = {"fusion": make_metrics([0.98] * 10), "sequential": make_metrics([0.98] * 10)}
    for axes in plot_metric_comparison(metrics, 0.95).axes:
        positions = np.concatenate([np.asarray(line.get_xdata(), dtype=float) for line in read_dots(axes)])
        assert len(set(positions)) == 20


def test_there_are_no_bars_and_the_loss_has_its_own_axis() -> None:
    panels = plot().axes
    assert not any(axes.patches for axes in panels)
    assert [axes.get_ylabel() for axes in panels] == ["Accuracy (%)", "Macro-F1 (%)", "Loss (nats)"]
    assert panels[0].get_ylim() == panels[1].get_ylim() != panels[2].get_ylim()


@pytest.mark.parametrize(("confidence", "written"), [(0.95, "95%"), (0.995, "99.5%")])
def test_legend_names_the_confidence(confidence: float, written: str) -> None:
    texts = [text.get_text() for text in plot_metric_comparison(METRICS, confidence).legends[0].get_texts()]
    assert any(written in text for text in texts)


def test_one_seed_without_deviation_draws() -> None:
    metrics = {model: make_metrics(values[:1]) for model, values in ACCURACIES.items()}
    for content in metrics.values():
        del content["accuracy"]["std"], content["macro_f1"]["std"], content["loss"]["std"]
    plot_metric_comparison(metrics, 0.95).draw_without_rendering()


def test_everything_lies_within_the_figure() -> None:
    figure = plot()
    figure.draw_without_rendering()
    box = figure.get_tightbbox()
    assert box.x0 > -0.01
    assert box.x1 < figure.get_figwidth() + 0.01


def test_same_bytes_twice(tmp_path: Path) -> None:
    for folder in ("first", "second"):
        write_figure(tmp_path / folder, "comparison", plot())
    for path in (tmp_path / "first").iterdir():
        assert path.read_bytes() == (tmp_path / "second" / path.name).read_bytes()
