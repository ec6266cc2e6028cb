"""The class distribution shows the counts; the sheet shows images of the class that stands beside them."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.container import BarContainer
from matplotlib.figure import Figure
from numpy.typing import NDArray

from fusionseq.plotting.samples import MAX_CLASSES, plot_class_distribution, plot_samples
from fusionseq.plotting.saving import write_figure
from fusionseq.plotting.style import SUBSET_COLOURS, TEXT_WIDTH

NAMES = ("50%_off & more", r"{x}^2 \input", "naïve 猫", r"$\frac$")


def make_images(num_classes: int, per_class: int, size: int = 8) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Images whose red is their class and whose green is their place within the class."""
    labels = np.tile(np.arange(num_classes), per_class)
    images = np.zeros((len(labels), size, size, 3), dtype=np.uint8)
    images[..., 0] = labels[:, None, None]
    images[..., 1] = np.repeat(np.arange(per_class), num_classes)[:, None, None]
    return images, labels


def read_sheet(figure: Figure) -> list[NDArray[np.uint8]]:
    """The strips of images by column, with white gaps."""
    return [np.asarray(image.get_array()) for image in figure.axes[0].get_images()]


def test_bars_are_the_counts() -> None:
    counts = {"train": np.array([6, 7, 8, 9]), "validation": np.array([2, 1, 2, 3]), "test": np.array([0, 2, 1, 2])}
    axes = plot_class_distribution(counts, NAMES).axes[0]
    bars = [container for container in axes.containers if isinstance(container, BarContainer)]
    for heights, container in zip(counts.values(), bars, strict=True):
        assert [bar.get_height() for bar in container] == list(heights)
    centres = np.array([[bar.get_x() + bar.get_width() / 2 for bar in container] for container in bars])
    np.testing.assert_allclose(centres.mean(axis=0), range(4), atol=1e-12)
    assert axes.get_ylim()[0] == 0


def test_legend_has_the_colours_of_the_subsets() -> None:
    figure = plot_class_distribution({name: np.arange(4) for name in SUBSET_COLOURS}, NAMES)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["Training", "Validation", "Test"]


@pytest.mark.parametrize("num_classes", [2, 10, 100])
def test_each_row_shows_its_own_class(num_classes: int) -> None:
    names = [f"c{label}" for label in range(num_classes)]
    figure = plot_samples(*make_images(num_classes, 5), names)
    assert [text.get_text() for text in figure.axes[0].texts] == names
    rows = np.concatenate([strip.reshape(-1, 9, *strip.shape[1:]) for strip in read_sheet(figure)])
    assert len(rows) == num_classes
    for label, row in enumerate(rows):
        drawn = row[row.min(axis=2) < 255]
        assert len(drawn)
        assert set(drawn[:, 0]) == {label}


def test_images_are_taken_from_all_over_a_class_and_none_twice() -> None:
    strip = read_sheet(plot_samples(*make_images(2, 200), ["a", "b"]))[0]
    places = [int(green) for green in strip[0, ::9, 1]]
    assert places[0] == 0
    assert places[-1] == 199
    assert len(set(places)) == len(places) > 5


def test_a_small_class_leaves_white() -> None:
    strip = read_sheet(plot_samples(*make_images(2, 3), ["a", "b"]))[0]
    assert (strip[0, ::9, 1] < 255).sum() == 3


def test_too_many_classes_are_thinned() -> None:
    names = [f"c{label}" for label in range(250)]
    texts = plot_samples(*make_images(250, 2), names).axes[0].texts
    assert len(texts) == MAX_CLASSES
    assert {texts[0].get_text(), texts[-1].get_text()} == {"c0", "c249"}


def test_large_images_are_shrunk() -> None:
    strip = read_sheet(plot_samples(*make_images(2, 2, size=224), ["a", "b"]))[0]
    assert strip.shape[0] < 2 * 224


@pytest.mark.parametrize("num_classes", [2, 10, 30, 100])
def test_sheet_fits_a_page_and_its_labels_fit_the_sheet(num_classes: int) -> None:
    figure = plot_samples(*make_images(num_classes, 2), ["a rather long name of a class"] * num_classes)
    figure.draw_without_rendering()
    assert figure.get_figwidth() == TEXT_WIDTH
    assert figure.get_figheight() < 9
    assert min(text.get_window_extent().x0 for text in figure.axes[0].texts) >= 0


def test_hostile_names_are_saved_as_the_same_bytes_twice(tmp_path: Path) -> None:
    for folder in ("first", "second"):
        write_figure(tmp_path / folder, "samples", plot_samples(*make_images(4, 3), NAMES))
        counts = {name: np.arange(4) for name in SUBSET_COLOURS}
        write_figure(tmp_path / folder, "class_distribution", plot_class_distribution(counts, NAMES))
    for path in (tmp_path / "first").iterdir():
        assert path.read_bytes() == (tmp_path / "second" / path.name).read_bytes()
