"""Whether the words of a figure can be read: none over another, none cut off, none too small."""

from itertools import combinations

from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.text import Text

from fusionseq.plotting.style import FONT_SIZE, TEXT_WIDTH, figure_style

# Pixels, of 150 to the inch.
TOLERANCE = 0.6


def list_words(figure: Figure) -> list[Text]:
    """Everything that is written in a figure, as it is drawn."""
    with figure_style():
        figure.draw_without_rendering()
    words: list[Text] = [*figure.texts]
    for legend in figure.legends:
        words += legend.get_texts()
    for axes in figure.axes:
        words += axes.texts
        if axes.axison:
            words += [axes.title, axes.xaxis.label, axes.yaxis.label]
            words += list_tick_labels(axes.xaxis) + list_tick_labels(axes.yaxis)
    return [text for text in words if text.get_visible() and text.get_text().strip()]


def list_tick_labels(axis: Axis) -> list[Text]:
    low, high = sorted(axis.get_view_interval())
    ticks = axis.get_major_ticks()
    return [tick.label1 for tick in ticks if low <= tick.get_loc() <= high and tick.label1.get_visible()]


def assert_readable(figure: Figure) -> None:
    boxes = [(text.get_text(), text.get_window_extent()) for text in list_words(figure)]
    assert boxes
    assert figure.get_figwidth() == TEXT_WIDTH
    for text, box in boxes:
        assert min(box.x0, box.y0) > -TOLERANCE, text
        assert box.x1 < figure.bbox.width + TOLERANCE, text
        assert box.y1 < figure.bbox.height + TOLERANCE, text
    for (one, first), (other, second) in combinations(boxes, 2):
        width = min(first.x1, second.x1) - max(first.x0, second.x0)
        height = min(first.y1, second.y1) - max(first.y0, second.y0)
        assert min(width, height) < TOLERANCE, (one, other)
    assert min(float(text.get_fontsize()) for text in list_words(figure)) >= FONT_SIZE - 1
