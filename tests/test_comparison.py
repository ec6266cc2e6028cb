"""Dots are the seeds with their intervals, diamonds their means with a standard deviation, a row for each model."""

from pathlib import Path

import numpy as np
import pytest
from drawn_text import assert_readable, list_tick_labels
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgba, to_rgba_array
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from fusionseq.plotting.comparison import ModelMetrics, SeedMetrics, plot_metric_comparison
from fusionseq.plotting.saving import write_figure
from fusionseq.plotting.style import choose_colours


def make_metrics(accuracies: list[float], title: str) -> ModelMetrics:
    seeds: list[SeedMetrics] = [
        {
            "accuracy": a,
            "accuracy_interval": [a - 0.02, a + 0.01],
            "macro_f1": a - 0.01,
            "macro_f1_interval": [a - 0.04, a + 0.005],
            "loss": 1 - a,
        }
        for a in accuracies
    ]
    mean = float(np.mean(accuracies))
    return {
        "title": title,
        "accuracy": {"mean": mean, "std": 0.004},
        "macro_f1": {"mean": mean - 0.01, "std": 0.005},
        "loss": {"mean": 1 - mean, "std": 0.006},
        "per_seed": seeds,
    }


ACCURACIES = {"fusion": [0.98, 0.985, 0.975], "sequential": [0.95, 0.96, 0.94], "vgg16": [0.97, 0.975, 0.965]}
METRICS = {model: make_metrics(values, f"The {model}") for model, values in ACCURACIES.items()}
COLOURS = choose_colours(ACCURACIES)


def make_many(num_models: int, num_seeds: int, title: str = "W" * 30) -> dict[str, ModelMetrics]:
    names = ["fusion", "sequential", *(f"control{place}" for place in range(num_models - 2))]
    values = np.random.default_rng(0).uniform(0.4, 0.999, (num_models, num_seeds))
    return {name: make_metrics(of_model.tolist(), title) for name, of_model in zip(names, values, strict=True)}


def plot() -> Figure:
    return plot_metric_comparison(METRICS, 0.95)


def read_dots(axes: Axes) -> list[Line2D]:
    return [line for line in axes.lines if line.get_marker() == "o"]


@pytest.mark.parametrize(("panel", "metric", "scale"), [(0, "accuracy", 100), (1, "macro_f1", 100), (2, "loss", 1)])
@pytest.mark.parametrize("model", list(METRICS))
def test_dots_are_seeds_and_diamonds_are_means(panel: int, metric: str, scale: int, model: str) -> None:
    axes = plot().axes[panel]
    row, content = list(METRICS).index(model), METRICS[model]
    dots = read_dots(axes)[row]
    expected = [scale * seed[metric] for seed in content["per_seed"]]  # type: ignore[literal-required]
    np.testing.assert_allclose(np.asarray(dots.get_xdata(), dtype=float), expected)
    np.testing.assert_array_equal(np.round(np.asarray(dots.get_ydata(), dtype=float)), row)
    assert dots.get_color() == COLOURS[model]
    containers = [container for container in axes.containers if isinstance(container, ErrorbarContainer)]
    diamond, _, (bar,) = containers[row].lines
    summary = content[metric]  # type: ignore[literal-required]
    assert diamond is not None
    np.testing.assert_allclose(np.asarray(diamond.get_xdata(), dtype=float), [scale * summary["mean"]])
    low, high = np.asarray(bar.get_segments()[0])[:, 0]
    assert low == pytest.approx(scale * (summary["mean"] - summary["std"]))
    assert high == pytest.approx(scale * (summary["mean"] + summary["std"]))


@pytest.mark.parametrize(("panel", "metric"), [(0, "accuracy"), (1, "macro_f1")])
def test_each_seed_has_its_interval_at_its_dot(panel: int, metric: str) -> None:
    axes = plot().axes[panel]
    intervals = [
        item for item in axes.collections if isinstance(item, LineCollection) and len(item.get_segments()) == 3
    ]
    for (model, content), lines, dots in zip(METRICS.items(), intervals, read_dots(axes), strict=True):
        np.testing.assert_allclose(to_rgba_array(lines.get_color()), [to_rgba(COLOURS[model], lines.get_alpha())])
        positions = np.asarray(dots.get_ydata(), dtype=float)
        for segment, seed, position in zip(lines.get_segments(), content["per_seed"], positions, strict=True):
            low, high = seed[f"{metric}_interval"]  # type: ignore[literal-required]
            np.testing.assert_allclose(np.asarray(segment), [[100 * low, position], [100 * high, position]])


def test_no_seed_hides_another() -> None:
    metrics = {name: make_metrics([0.98] * 10, name) for name in ("fusion", "sequential")}
    for axes in plot_metric_comparison(metrics, 0.95).axes:
        positions = np.concatenate([np.asarray(line.get_ydata(), dtype=float) for line in read_dots(axes)])
        assert len(set(positions)) == 20


def test_rows_have_the_titles_of_the_statistics() -> None:
    labels = [label.get_text() for label in list_tick_labels(plot().axes[0].yaxis)]
    assert labels == ["The fusion", "The sequential", "The vgg16"]


def test_there_are_no_bars_and_the_loss_has_its_own_axis() -> None:
    panels = plot().axes
    assert all(isinstance(item, ErrorbarContainer) for axes in panels for item in axes.containers)
    assert [axes.get_xlabel() for axes in panels] == ["Accuracy (%)", "Macro-F1 (%)", "Loss (nats)"]
    assert panels[0].get_xlim() == panels[1].get_xlim() != panels[2].get_xlim()


@pytest.mark.parametrize(("confidence", "written"), [(0.95, "95%"), (0.995, "99.5%")])
def test_legend_names_the_confidence(confidence: float, written: str) -> None:
    texts = [text.get_text() for text in plot_metric_comparison(METRICS, confidence).legends[0].get_texts()]
    assert any(written in text for text in texts)


def test_one_seed_has_no_mean_and_no_deviation() -> None:
    metrics = {model: make_metrics(values[:1], model) for model, values in ACCURACIES.items()}
    for content in metrics.values():
        del content["accuracy"]["std"], content["macro_f1"]["std"], content["loss"]["std"]
    figure = plot_metric_comparison(metrics, 0.95)
    assert not any(axes.containers for axes in figure.axes)
    assert len(figure.legends[0].get_texts()) == 1
    assert_readable(figure)


@pytest.mark.parametrize(("num_models", "num_seeds"), [(2, 3), (6, 3), (6, 10), (10, 1), (10, 10)])
def test_words_are_readable_and_the_figure_fits_a_page(num_models: int, num_seeds: int) -> None:
    figure = plot_metric_comparison(make_many(num_models, num_seeds), 0.999)
    assert_readable(figure)
    assert figure.get_figheight() < 6.5


def test_hostile_titles_are_readable() -> None:
    assert_readable(plot_metric_comparison(make_many(3, 3, r"50%_off $\frac$ 猫 & a title without an end"), 0.95))


def test_same_bytes_twice(tmp_path: Path) -> None:
    for folder in ("first", "second"):
        write_figure(tmp_path / folder, "comparison", plot())
    for path in (tmp_path / "first").iterdir():
        assert path.read_bytes() == (tmp_path / "second" / path.name).read_bytes()
