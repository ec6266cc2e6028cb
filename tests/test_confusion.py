"""Rows are the true classes, shades are shares of rows, numbers are counts."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from numpy.typing import NDArray

from fusionseq.plotting.confusion import MAX_ANNOTATED_CLASSES, plot_confusion_matrices
from fusionseq.plotting.saving import write_figure
from fusionseq.plotting.style import TEXT_WIDTH

NAMES = ("50%_off & more", r"{x}^2 \input", "naïve 猫", r"$\frac$")
FUSION = np.array([[9, 1, 0, 0], [0, 8, 0, 2], [0, 0, 5, 0], [0, 0, 0, 0]])
SEQUENTIAL = np.array([[8, 0, 2, 0], [3, 7, 0, 0], [0, 0, 4, 1], [0, 0, 0, 0]])
TITLES = {"fusion": "Fusion", "sequential": "Not $so$ fast", "vgg16": "VGG16"}
MATRICES = {"fusion": FUSION, "sequential": SEQUENTIAL}


def make_matrix(num_classes: int) -> NDArray[np.int64]:
    return np.diag(np.full(num_classes, 99999)) + 1


def plot_many(num_classes: int) -> Figure:
    matrix = make_matrix(num_classes)
    names = [f"a long name of class {label}" for label in range(num_classes)]
    return plot_confusion_matrices({"fusion": matrix, "sequential": matrix}, TITLES, names)


@pytest.mark.parametrize(("place", "counts"), list(enumerate(MATRICES.values())))
def test_shades_are_shares_of_the_true_class(place: int, counts: NDArray[np.int64]) -> None:
    axes = plot_confusion_matrices(MATRICES, TITLES, NAMES).axes[place]
    shares = np.asarray(axes.get_images()[0].get_array())
    np.testing.assert_allclose(shares[:3].sum(axis=1), 1)
    np.testing.assert_allclose(shares[:3], counts[:3] / counts[:3].sum(axis=1, keepdims=True))
    assert not shares[3].any()


@pytest.mark.parametrize(("place", "counts"), list(enumerate(MATRICES.values())))
def test_rows_are_drawn_from_top_to_bottom_with_their_counts(place: int, counts: NDArray[np.int64]) -> None:
    axes = plot_confusion_matrices(MATRICES, TITLES, NAMES).axes[place]
    written = np.zeros_like(counts)
    for text in axes.texts:
        column, row = text.get_position()
        written[int(row), int(column)] = int(text.get_text())
    np.testing.assert_array_equal(written, counts)
    assert axes.yaxis_inverted()


def test_panels_are_labelled() -> None:
    panels = plot_confusion_matrices(MATRICES, TITLES, NAMES).axes
    assert [axes.get_title() for axes in panels[:2]] == ["Fusion", "Not $so$ fast"]
    assert panels[0].get_ylabel() == "True class"
    assert {axes.get_xlabel() for axes in panels[:2]} == {"Predicted class"}


def test_both_panels_share_one_scale() -> None:
    panels = plot_confusion_matrices(MATRICES, TITLES, NAMES).axes
    assert {axes.get_images()[0].get_clim() for axes in panels[:2]} == {(0, 1)}


def test_numbers_fit_their_cells() -> None:
    figure = plot_many(MAX_ANNOTATED_CLASSES)
    figure.draw_without_rendering()
    cell = figure.axes[0].get_window_extent().width / MAX_ANNOTATED_CLASSES
    assert figure.axes[0].texts
    assert max(text.get_window_extent().width for text in figure.axes[0].texts) < cell


def test_many_classes_have_no_numbers_and_fewer_names() -> None:
    panel = plot_many(100).axes[0]
    assert not panel.texts
    assert len(panel.get_yticklabels()) < 30


@pytest.mark.parametrize("num_classes", [2, 12, 100])
def test_everything_lies_within_the_figure_and_panels_are_square(num_classes: int) -> None:
    figure = plot_many(num_classes)
    figure.draw_without_rendering()
    box = figure.get_tightbbox()
    assert figure.get_figwidth() == TEXT_WIDTH
    assert min(box.x0, box.y0) >= 0
    assert box.x1 <= figure.get_figwidth()
    assert box.y1 <= figure.get_figheight()
    panel = figure.axes[0].get_window_extent()
    assert panel.width == pytest.approx(panel.height)


def test_hostile_names_are_saved_as_the_same_bytes_twice(tmp_path: Path) -> None:
    for folder in ("first", "second"):
        write_figure(tmp_path / folder, "confusion", plot_confusion_matrices(MATRICES, TITLES, NAMES))
    for path in (tmp_path / "first").iterdir():
        assert path.read_bytes() == (tmp_path / "second" / path.name).read_bytes()
