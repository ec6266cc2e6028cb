"""Each image stands above its own class and predictions; without an error, the figure says so."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawn_text import assert_readable, list_words
from matplotlib.axes import Axes
from matplotlib.image import AxesImage
from numpy.typing import NDArray

from fusionseq.plotting.error_gallery import plot_errors
from fusionseq.plotting.saving import write_figure
from fusionseq.plotting.style import TEXT_WIDTH, choose_colours, choose_markers

TITLES = {"fusion": "Fusion", "sequential": "Sequential", "vgg16": "VGG16"}
NAMES = [f"c{label}" for label in range(10)]
LONG_NAMES = ["W" * 40, "a long name of a class that does not end", "猫" * 12, r"{x}^2 \input", r"$\frac$"] * 2


def make_errors(num_errors: int) -> list[dict[str, Any]]:
    return [
        {
            "position": place * 7,
            "actual": place,
            "fusion": {"predicted": place + 1, "probability": 0.9 + place / 100, "probability_of_actual": 0.01},
            "sequential": {"predicted": place + 2, "probability": 0.8 + place / 100, "probability_of_actual": 0.02},
        }
        for place in range(num_errors)
    ]


def make_images(num_errors: int, size: int = 8) -> NDArray[np.uint8]:
    """Images whose grey tells their place."""
    return np.full((num_errors, size, size, 3), 10 * np.arange(num_errors)[:, None, None, None], dtype=np.uint8)


def read_images(axes: Axes) -> list[tuple[AxesImage, list[str]]]:
    """Images in order, each with the lines of text below it, from top to bottom."""
    read = []
    for image in axes.get_images():
        left, right, bottom, _ = image.get_extent()
        below = [
            text for text in axes.texts
            if left <= text.get_position()[0] < right and bottom < text.get_position()[1] < bottom + 0.6
        ]  # fmt: skip
        below.sort(key=lambda text: text.get_position()[1])
        read.append((image, [text.get_text() for text in below]))
    return read


def test_each_image_has_its_class_and_both_predictions_below() -> None:
    read = read_images(plot_errors(make_errors(8), make_images(8), TITLES, NAMES).axes[0])
    assert len(read) == 8
    for place, (image, lines) in enumerate(read):
        assert np.asarray(image.get_array()).max() == 10 * place
        assert lines == [f"true: c{place}", f"c{place + 1} ({90 + place}.0%)", f"c{place + 2} ({80 + place}.0%)"]


def test_predictions_have_the_marker_that_the_legend_explains() -> None:
    figure = plot_errors(make_errors(1), make_images(1), TITLES, NAMES)
    colours, markers = choose_colours(TITLES), choose_markers(TITLES)
    drawn = sorted(figure.axes[0].lines, key=lambda line: float(np.asarray(line.get_ydata())[0]))
    expected = [(colours[model], markers[model]) for model in ("fusion", "sequential")]
    assert [(line.get_color(), line.get_marker()) for line in drawn] == expected
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert texts == [f"predicted by {title} (its probability)" for title in ("Fusion", "Sequential")]


def test_images_keep_their_pixels_and_large_ones_are_shrunk() -> None:
    (small, _), *_ = read_images(plot_errors(make_errors(1), make_images(1, 48), TITLES, NAMES).axes[0])
    (large, _), *_ = read_images(plot_errors(make_errors(1), make_images(1, 500), TITLES, NAMES).axes[0])
    assert np.asarray(small.get_array()).shape == (48, 48, 3)
    assert np.asarray(large.get_array()).shape[0] < 250


@pytest.mark.parametrize("num_errors", [1, 2, 4, 5, 8])
@pytest.mark.parametrize("names", [NAMES, LONG_NAMES])
def test_words_are_readable_and_images_are_square_and_apart(num_errors: int, names: list[str]) -> None:
    figure = plot_errors(make_errors(num_errors), make_images(num_errors), TITLES, names)
    assert_readable(figure)
    boxes = [image.get_window_extent() for image in figure.axes[0].get_images()]
    for place, box in enumerate(boxes):
        assert box.width == pytest.approx(box.height)
        assert box.width > figure.dpi
        assert not any(box.overlaps(other) for other in boxes[:place])
        assert not any(box.overlaps(text.get_window_extent()) for text in list_words(figure))


def test_long_titles_are_readable() -> None:
    assert_readable(plot_errors(make_errors(8), make_images(8), dict.fromkeys(TITLES, "W" * 30), NAMES))


def test_without_errors_the_figure_says_so() -> None:
    figure = plot_errors([], np.zeros((0, 8, 8, 3), dtype=np.uint8), TITLES, NAMES)
    assert [text.get_text() for text in list_words(figure)] == [
        "No test image is misclassified by either model with any seed."
    ]
    assert_readable(figure)
    assert figure.get_figwidth() == TEXT_WIDTH
    assert figure.get_figheight() < 1


def test_hostile_names_are_saved_as_the_same_bytes_twice(tmp_path: Path) -> None:
    for folder in ("first", "second"):
        figure = plot_errors(make_errors(5), make_images(5), TITLES, LONG_NAMES)
        write_figure(tmp_path / folder, "errors", figure)
    for path in (tmp_path / "first").iterdir():
        assert path.read_bytes() == (tmp_path / "second" / path.name).read_bytes()
