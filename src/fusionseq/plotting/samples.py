"""What the images are: how many of each class, and what they look like."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray
from PIL import Image

from fusionseq.plotting.style import (
    SUBSET_COLOURS,
    SUBSET_TITLES,
    TEXT_WIDTH,
    figure_style,
    make_labels,
    measure_width,
    set_class_ticks,
)
from fusionseq.shard_files import Rows

# More classes than this are too many for a page; then some, evenly spaced, stand for all.
MAX_CLASSES = 100

# Inches. The sheet is laid out by hand, since the number of images in a row follows from the width of the labels.
_MAX_SIDE, _MAX_HEIGHT = 0.42, 8.0
_GAP = 0.08
# Pixels: enough for print at that size. Photographs in full would make a heavy PDF.
_MAX_PIXELS = 96
_WHITE = 255


def plot_class_distribution(counts: Mapping[str, NDArray[np.int64]], class_names: Sequence[str]) -> Figure:
    """Draw the number of images of each class in each subset, as bars side by side.

    Parameters
    ----------
    counts
        int64 of shape (num_classes,) by the subset's name.
    class_names
        Any text.
    """
    with figure_style():
        figure = Figure(layout="constrained")
        axes = figure.subplots()
        positions = np.arange(len(class_names))
        width = 0.8 / len(counts)
        for place, (subset, heights) in enumerate(counts.items()):
            offset = (place - (len(counts) - 1) / 2) * width
            axes.bar(positions + offset, heights, width, color=SUBSET_COLOURS[subset], label=SUBSET_TITLES[subset])
        # About half an inch of the width goes to the numbers on the left; long names do not make the bars shorter.
        depth = set_class_ticks(axes.xaxis, class_names, TEXT_WIDTH - 0.5)
        figure.set_size_inches(TEXT_WIDTH, 2.2 + depth)
        axes.tick_params(axis="x", length=0)
        axes.yaxis.set_major_locator(MaxNLocator(nbins=6, integer=True, steps=[1, 2, 5, 10]))
        axes.set_xlim(-0.6, len(class_names) - 0.4)
        axes.set_xlabel("Class")
        axes.set_ylabel("Number of images")
        figure.legend(loc="outside upper center", ncols=len(counts))
        return figure


def plot_samples(images: Rows, labels: NDArray[np.int64], class_names: Sequence[str]) -> Figure:
    """Draw a sheet with a row of images for each class, taken from all over the class.

    Parameters
    ----------
    images
        uint8 of shape (num_images, image_size, image_size, 3), RGB. Only those that are drawn are read.
    labels
        int64 of shape (num_images,).
    class_names
        Any text. Of more than `MAX_CLASSES` classes, that many are drawn.
    """
    shown = np.unique(np.linspace(0, len(class_names) - 1, min(len(class_names), MAX_CLASSES)).round().astype(int))
    # Ten classes stand in one column, a hundred in four.
    num_columns = max(1, round(math.sqrt(len(shown) / 6.5)))
    num_rows = math.ceil(len(shown) / num_columns)
    names = make_labels([class_names[label] for label in shown], max_characters=8 + 16 // num_columns)
    label_width = max(map(measure_width, names)) + 2 * _GAP
    column_width = (TEXT_WIDTH - (num_columns - 1) * _GAP) / num_columns
    room = column_width - label_width
    num_samples = math.ceil(room / min(_MAX_SIDE, _MAX_HEIGHT / num_rows))
    side = room / num_samples

    with figure_style():
        figure = Figure(figsize=(TEXT_WIDTH, num_rows * side))
        axes = figure.add_axes((0, 0, 1, 1))
        for column in range(num_columns):
            part = slice(column * num_rows, (column + 1) * num_rows)
            left = column * (column_width + _GAP) + label_width
            rows = [_make_strip(images, np.flatnonzero(labels == label), num_samples) for label in shown[part]]
            extent = (left, left + num_samples * side, len(rows) * side, 0)
            # As they are in the PDF; a viewer that smooths them would invent pixels.
            axes.imshow(np.concatenate(rows), extent=extent, interpolation="none")
            for row, name in enumerate(names[part]):
                centre = (row + 0.5) * side
                axes.text(left - _GAP, centre, name, ha="right", va="center_baseline", parse_math=False)
        axes.set(xlim=(0, TEXT_WIDTH), ylim=(num_rows * side, 0))
        axes.set_axis_off()
        return figure


def shrink_image(image: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Resize an image, uint8 of shape (image_size, image_size, 3), to a side of some pixels."""
    return np.asarray(Image.fromarray(image).resize((size, size), Image.Resampling.LANCZOS))


def _make_strip(images: Rows, members: NDArray[np.int64], num_samples: int) -> NDArray[np.uint8]:
    """Put images of one class side by side with white gaps; what a small class lacks stays white."""
    chosen = members[np.unique(np.linspace(0, len(members) - 1, min(num_samples, len(members))).round().astype(int))]
    size = min(images.shape[1], _MAX_PIXELS)
    gap = max(1, size // 16)
    strip = np.full((size + gap, num_samples * (size + gap), 3), _WHITE, dtype=np.uint8)
    for place, row in enumerate(chosen):
        left = place * (size + gap)
        strip[:size, left : left + size] = shrink_image(images[row], size)
    return strip
