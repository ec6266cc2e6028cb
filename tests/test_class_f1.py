"""Markers are the means of each class and model, lines the range over the seeds; many classes are cut to the worst."""

from pathlib import Path

import numpy as np
import pytest
from drawn_text import assert_readable, list_tick_labels
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from fusionseq.plotting.class_f1 import MAX_CLASSES, ModelScores, plot_class_f1
from fusionseq.plotting.saving import write_figure
from fusionseq.plotting.style import choose_colours, choose_markers, make_drawable

HOSTILE_NAMES = ("50%_off & more", r"{x}^2 \input", "naïve 猫", r"$\frac$")
LONG_NAMES = ("W" * 40, "a long name of a class that does not end", "猫" * 12, *HOSTILE_NAMES)


def make_models(num_models: int, num_classes: int) -> dict[str, ModelScores]:
    """Scores that tell their model and class; of class 0 they are highest."""
    names = ["fusion", "sequential", *(f"control{place}" for place in range(num_models - 2))]
    return {
        name: {
            "title": f"The {name}",
            "class_f1": [
                {"mean": mean, "min": mean - 0.02, "max": mean + 0.01}
                for mean in 0.95 - 0.01 * place - np.arange(num_classes) / 200
            ],
        }
        for place, name in enumerate(names)
    }


def read_markers(axes: Axes) -> list[Line2D]:
    return [line for line in axes.lines if line.get_marker() != "None"]


def read_classes(figure: Figure) -> list[str]:
    return [label.get_text() for axes in figure.axes for label in list_tick_labels(axes.yaxis)]


@pytest.mark.parametrize("num_classes", [2, 10, 20])
def test_markers_are_means_and_lines_are_ranges_in_class_order(num_classes: int) -> None:
    models = make_models(3, num_classes)
    colours, markers = choose_colours(models), choose_markers(models)
    names = [f"c{label}" for label in range(num_classes)]
    figure = plot_class_f1(models, names)
    assert read_classes(figure) == names
    for place, (model, content) in enumerate(models.items()):
        lines = [read_markers(axes)[place] for axes in figure.axes]
        assert {(line.get_color(), line.get_marker()) for line in lines} == {(colours[model], markers[model])}
        means = np.concatenate([np.asarray(line.get_xdata(), dtype=float) for line in lines])
        np.testing.assert_allclose(means, [100 * score["mean"] for score in content["class_f1"]])
        ranges = [axes.collections[place] for axes in figure.axes]
        ends = [
            segment[:, 0] for item in ranges if isinstance(item, LineCollection)
            for segment in np.asarray(item.get_segments())
        ]  # fmt: skip
        np.testing.assert_allclose(ends, [[100 * score["min"], 100 * score["max"]] for score in content["class_f1"]])


def test_models_stand_below_each_other_within_the_row_of_their_class() -> None:
    axes = plot_class_f1(make_models(10, 3), ["a", "b", "c"]).axes[0]
    places = np.array([np.asarray(line.get_ydata(), dtype=float) for line in read_markers(axes)])
    assert np.all(np.diff(places, axis=0) > 0)
    np.testing.assert_array_equal(np.round(places), [[0, 1, 2]] * 10)
    assert axes.yaxis_inverted()


def test_of_many_classes_the_worst_are_drawn_the_worst_first() -> None:
    models = make_models(2, 100)
    # For one model alone this class is the worst, but not in the mean.
    models["fusion"]["class_f1"][0]["mean"] = 0.4
    figure = plot_class_f1(models, [f"c{label}" for label in range(100)])
    assert read_classes(figure) == [f"c{label}" for label in range(99, 99 - MAX_CLASSES, -1)]
    values = [np.asarray(read_markers(axes)[0].get_xdata(), dtype=float) for axes in figure.axes]
    np.testing.assert_allclose(np.concatenate(values), 95 - np.arange(99, 99 - MAX_CLASSES, -1) / 2)
    assert figure.axes[0].get_ylabel() == "20 of 100 classes, lowest mean F1 first"


def test_axes_are_labelled_and_share_their_scale() -> None:
    figure = plot_class_f1(make_models(2, 7), [f"c{label}" for label in range(7)])
    assert [axes.get_xlabel() for axes in figure.axes] == ["F1 (%)"] * 2
    assert figure.axes[0].get_ylabel() == "Class"
    assert len({(axes.get_xlim(), axes.get_ylim()) for axes in figure.axes}) == 1


def test_legend_names_every_model_with_its_marker() -> None:
    models = make_models(6, 2)
    legend = plot_class_f1(models, ["a", "b"]).legends[0]
    assert [text.get_text() for text in legend.get_texts()] == [content["title"] for content in models.values()]
    handles = [handle for handle in legend.legend_handles if isinstance(handle, Line2D)]
    assert [handle.get_marker() for handle in handles] == list(choose_markers(models).values())


def test_names_are_plain_text() -> None:
    labels = [
        label for axes in plot_class_f1(make_models(2, 4), HOSTILE_NAMES).axes for label in list_tick_labels(axes.yaxis)
    ]
    assert [label.get_text() for label in labels] == [make_drawable(name) for name in HOSTILE_NAMES]
    assert not any(label.get_parse_math() for label in labels)


@pytest.mark.parametrize("num_models", [2, 6, 10])
@pytest.mark.parametrize("num_classes", [2, 10, 100])
def test_words_are_readable_and_the_figure_fits_a_page(num_models: int, num_classes: int) -> None:
    names = [LONG_NAMES[label % len(LONG_NAMES)] for label in range(num_classes)]
    figure = plot_class_f1(make_models(num_models, num_classes), names)
    assert_readable(figure)
    assert figure.get_figheight() < 6.5
    # Long names leave room for what they name.
    assert figure.axes[0].get_window_extent().width > 1.3 * figure.dpi


def test_long_titles_are_readable() -> None:
    models = make_models(10, 3)
    for content in models.values():
        content["title"] = "W" * 30
    assert_readable(plot_class_f1(models, ["a", "b", "c"]))


def test_same_bytes_twice(tmp_path: Path) -> None:
    for folder in ("first", "second"):
        write_figure(tmp_path / folder, "class_f1", plot_class_f1(make_models(3, 4), HOSTILE_NAMES))
    for path in (tmp_path / "first").iterdir():
        assert path.read_bytes() == (tmp_path / "second" / path.name).read_bytes()
