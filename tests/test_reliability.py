"""Dots are the bins, strokes reach to the diagonal, and the calibration error stands above."""

from pathlib import Path

import numpy as np
import pytest
from drawn_text import assert_readable, list_tick_labels
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.colors import to_rgba, to_rgba_array

from fusionseq.plotting.reliability import ModelReliability, plot_reliability
from fusionseq.plotting.saving import write_figure
from fusionseq.plotting.style import choose_colours


def make_model(title: str, lowest: float, num_bins: int = 5) -> ModelReliability:
    return {
        "title": title,
        "calibration_error": {"mean": 0.0123, "std": 0.0046},
        "reliability": [
            {"confidence": float(value), "accuracy": float(value) ** 2, "num_images": 100 - place}
            for place, value in enumerate(np.linspace(lowest, 1, num_bins))
        ],
    }


MODELS = {
    "fusion": make_model("Fusion", 0.9),
    "sequential": make_model("$Sequential$", 0.8),
    "vgg16": make_model("VGG16", 0.7),
}


def make_many(num_models: int, lowest: float) -> dict[str, ModelReliability]:
    names = ["fusion", "sequential", *(f"control{place}" for place in range(num_models - 2))]
    return {name: make_model("W" * 30, lowest, 15) for name in names}


def read_dots(axes: Axes) -> PathCollection:
    return next(item for item in axes.collections if isinstance(item, PathCollection))


@pytest.mark.parametrize("model", list(MODELS))
def test_dots_are_bins_with_strokes_to_the_diagonal(model: str) -> None:
    axes = plot_reliability(MODELS).axes[list(MODELS).index(model)]
    expected = [(part["confidence"], part["accuracy"]) for part in MODELS[model]["reliability"]]
    dots = read_dots(axes)
    np.testing.assert_allclose(np.asarray(dots.get_offsets()), expected)
    np.testing.assert_allclose(to_rgba_array(dots.get_facecolor()), [to_rgba(choose_colours(MODELS)[model])])
    strokes = next(item for item in axes.collections if isinstance(item, LineCollection)).get_segments()
    for (confidence, accuracy), stroke in zip(expected, strokes, strict=True):
        np.testing.assert_allclose(np.asarray(stroke), [[confidence, confidence], [confidence, accuracy]])


def test_larger_bins_have_larger_dots_on_one_scale_for_all_models() -> None:
    models = {
        "fusion": make_model("Fusion", 0.9),
        "sequential": make_model("Sequential", 0.9),
    }
    models["sequential"]["reliability"][0]["num_images"] = 1000
    first, second = (read_dots(axes).get_sizes() for axes in plot_reliability(models).axes)
    assert np.all(np.diff(first) < 0)
    assert second[0] == max(second) > 3 * max(first)
    np.testing.assert_allclose(second[1:], first[1:])
    assert "1,000" in plot_reliability(models).legends[0].get_texts()[-1].get_text()


def test_both_scales_are_equal_and_hold_every_bin() -> None:
    panels = plot_reliability(MODELS).axes
    limits = {bounds for axes in panels for bounds in (axes.get_xlim(), axes.get_ylim())}
    assert len(limits) == 1
    low, high = limits.pop()
    assert low < 0.7**2
    assert high > 1


def test_scale_gives_room_to_high_shares_and_the_diagonal_is_straight() -> None:
    figure = plot_reliability(MODELS)
    figure.draw_without_rendering()
    axes = figure.axes[0]
    shares = np.array([0.5, 0.9, 0.99, 1])
    places = axes.transData.transform(np.column_stack([shares, shares]))
    np.testing.assert_allclose(np.diff(places[:, 0]), np.diff(places[:, 1]))
    np.testing.assert_allclose(
        np.diff(places[:, 0]) / (places[-1, 0] - places[0, 0]), np.diff(-np.sqrt(1 - shares)) / np.sqrt(0.5), atol=1e-9
    )


def test_panels_have_title_error_and_labels() -> None:
    figure = plot_reliability(MODELS)
    assert [axes.get_title() for axes in figure.axes] == ["Fusion", "$Sequential$", "VGG16"]
    assert {axes.texts[0].get_text() for axes in figure.axes} == {"ECE 1.2 ± 0.5%"}
    assert [axes.get_ylabel() for axes in figure.axes] == ["Accuracy (%)", "", ""]
    assert figure.texts[0].get_text().startswith("Confidence (%)")
    assert {"90", "99", "100"} < {label.get_text() for label in list_tick_labels(plot_reliability(
        {"fusion": make_model("", 0.95)}).axes[0].xaxis)}  # fmt: skip


def test_one_seed_has_no_deviation() -> None:
    model = make_model("Fusion", 0.9)
    del model["calibration_error"]["std"]
    assert plot_reliability({"fusion": model}).axes[0].texts[0].get_text() == "ECE 1.2%"


@pytest.mark.parametrize("num_models", [2, 3, 6, 10])
@pytest.mark.parametrize("lowest", [0.05, 0.5, 0.8, 0.999, 1.0])
def test_words_are_readable_and_the_figure_fits_a_page(num_models: int, lowest: float) -> None:
    figure = plot_reliability(make_many(num_models, lowest))
    assert_readable(figure)
    assert figure.get_figheight() < 7
    assert len(figure.axes) == num_models
    panel = figure.axes[0].get_window_extent()
    assert panel.width == pytest.approx(panel.height)
    assert panel.width > 1.2 * figure.dpi


def test_a_bin_without_a_right_image_is_drawn() -> None:
    model = make_model("Fusion", 0.9)
    model["reliability"][0]["accuracy"] = 0.0
    assert plot_reliability({"fusion": model}).axes[0].get_ylim()[0] < 0


def test_same_bytes_twice(tmp_path: Path) -> None:
    for folder in ("first", "second"):
        write_figure(tmp_path / folder, "reliability", plot_reliability(MODELS))
    for path in (tmp_path / "first").iterdir():
        assert path.read_bytes() == (tmp_path / "second" / path.name).read_bytes()
