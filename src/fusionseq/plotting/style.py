"""What all figures share: size, fonts, colours, and names of classes that are drawn as they are spelled.

Source: M. Okabe and K. Ito, Color Universal Design, 2008, for the colours.
"""

import math
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from itertools import cycle, groupby
from typing import Any

import matplotlib
from matplotlib.axis import Axis, XAxis, YAxis
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.textpath import text_to_path
from matplotlib.typing import RcKeyType

# \textwidth of the paper in inches: A4 with margins of 25 mm.
TEXT_WIDTH = 160 / 25.4

# The two models of the source paper look the same whatever else is drawn.
_RESERVED = {"fusion": ("#0072B2", "o"), "sequential": ("#D55E00", "s")}
# The other colours of Okabe and Ito but yellow, which cannot be seen on white; the darker ones first.
_COLOURS = ("#009E73", "#CC79A7", "#000000", "#56B4E9", "#E69F00")
# Their number and that of the colours have no common divisor: 55 further models all look different.
_MARKERS = ("^", "D", "v", "P", "X", "p", "<", "h", ">", "d", "*")
SUBSET_COLOURS = {"train": "#009E73", "validation": "#E69F00", "test": "#CC79A7"}
SUBSET_TITLES = {"train": "Training", "validation": "Validation", "test": "Test"}
GREY = "#666666"

# Matplotlib ships it, so every machine has it. It alone: STIXGeneral would add mathematical symbols but no script, and
# where a letter and its accents lie in two fonts matplotlib finds none for them.
FONT = "DejaVu Sans"

# A tall face: at 8 pt its small letters are as high as those of the paper's captions.
FONT_SIZE = 8.0

RC_PARAMS: dict[RcKeyType, Any] = {
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "axes.labelsize": FONT_SIZE,
    "axes.linewidth": 0.6,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": FONT_SIZE + 1,
    "figure.dpi": 150,
    "figure.labelsize": FONT_SIZE,
    "font.family": FONT,
    "font.size": FONT_SIZE,
    "grid.color": "#DDDDDD",
    "grid.linewidth": 0.5,
    "legend.fontsize": FONT_SIZE,
    "legend.frameon": False,
    "lines.linewidth": 1.5,
    # TrueType, subset: text in the PDF stays text, and no Type 3 font is in it.
    "pdf.fonttype": 42,
    # A class may be called `$x_1$`: no text of any figure is a formula.
    "text.parse_math": False,
    "text.usetex": False,
    "xtick.labelsize": FONT_SIZE,
    "xtick.major.width": 0.6,
    "ytick.labelsize": FONT_SIZE,
    "ytick.major.width": 0.6,
}

_POINTS_PER_INCH = 72
_LINE_HEIGHT = 1.35 * FONT_SIZE / _POINTS_PER_INCH
_LABEL_GAP = 0.6 * FONT_SIZE / _POINTS_PER_INCH
_MAX_LABEL_CHARACTERS = 20


@contextmanager
def figure_style() -> Iterator[None]:
    """Draw or save in the style of the paper, whatever the user's own matplotlibrc says."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(RC_PARAMS)
        yield


def choose_colours(models: Iterable[str]) -> dict[str, str]:
    """Choose the colour of each model by its place among all models.

    To give a model the same colour in every figure, pass the names of all, or those before it. After seven models
    colours come again; `choose_markers` still tells those models apart.

    Parameters
    ----------
    models
        Names in the order of the experiment.
    """
    return {model: colour for model, (colour, _) in _choose_looks(models).items()}


def choose_markers(models: Iterable[str]) -> dict[str, str]:
    """Choose the marker of each model, so that models differ in print without colours, too.

    Parameters as in `choose_colours`.
    """
    return {model: marker for model, (_, marker) in _choose_looks(models).items()}


def _choose_looks(models: Iterable[str]) -> dict[str, tuple[str, str]]:
    further = zip(cycle(_COLOURS), cycle(_MARKERS), strict=True)
    return {model: _RESERVED[model] if model in _RESERVED else next(further) for model in models}


def make_drawable(text: str) -> str:
    """Spell a name with the glyphs of `FONT`, on one line.

    Line breaks and other white space become single spaces. Whatever it has no glyph for, such as Chinese
    characters or emoji, is spelled as its code points, such as [U+732B], as in the text of the paper: two names that
    differ look different.
    """
    # Some file systems spell é as e and an accent; the composed letter is the better glyph.
    composed = " ".join(unicodedata.normalize("NFC", text).split())
    pieces = []
    for has_glyph, characters in groupby(composed, lambda character: ord(character) in _code_points()):
        if has_glyph:
            pieces.append("".join(characters))
        else:
            pieces.append(f"[{' '.join(f'U+{ord(character):04X}' for character in characters)}]")
    return "".join(pieces)


def shorten(text: str, max_characters: int = _MAX_LABEL_CHARACTERS) -> str:
    """Leave out the middle of a long name: long names of classes often share their beginning."""
    if len(text) <= max_characters:
        return text
    kept = max_characters - 1
    return f"{text[: math.ceil(kept / 2)].rstrip()}…{text[len(text) - kept // 2 :].lstrip()}"


def make_labels(class_names: Sequence[str], max_characters: int = _MAX_LABEL_CHARACTERS) -> list[str]:
    """Turn names of classes into what is drawn of them."""
    return [shorten(make_drawable(name), max_characters) for name in class_names]


def fit_into(name: str, width: float, font_size: float = FONT_SIZE) -> str:
    """Leave out so much of a name's middle that what is drawn of it takes some inches at most.

    Parameters
    ----------
    name
        Of a class or a model, any text.
    width
        Inches. The first letter stays, however wide it is.
    font_size
        Points.
    """
    drawable = make_drawable(name)
    candidates = (shorten(drawable, length) for length in range(len(drawable), 1, -1))
    return next((text for text in candidates if measure_width(text, font_size) <= width), drawable[:1])


def measure_width(text: str, font_size: float = FONT_SIZE) -> float:
    """Width of a line of text in inches; the font size is in points."""
    properties = FontProperties(family=FONT, size=font_size)
    width, _, _ = text_to_path.get_text_width_height_descent(text, properties, ismath=False)
    return float(width) / _POINTS_PER_INCH


def set_class_ticks(axis: Axis, class_names: Sequence[str], length: float) -> float:
    """Put names of classes at 0, 1, ... of an axis.

    Where names do not fit side by side they are turned; where lines of text would touch, only every second, third, ...
    class is named.

    Parameters
    ----------
    axis
        The x or the y axis.
    class_names
        Any text.
    length
        Length of the axis in inches.

    Returns
    -------
    float
        How far the names reach out from the axis, in inches.
    """
    labels = make_labels(class_names)
    pitch = length / len(labels)
    step = math.ceil(_LINE_HEIGHT / pitch)
    widest = max(map(measure_width, labels))
    is_turned = isinstance(axis, XAxis) and widest + _LABEL_GAP > step * pitch
    axis.set_ticks(range(0, len(labels), step), labels[::step], rotation=90 if is_turned else 0, parse_math=False)
    return widest if is_turned or isinstance(axis, YAxis) else _LINE_HEIGHT


@cache
def _code_points() -> frozenset[int]:
    return frozenset(get_font(findfont(FONT, fallback_to_default=False)).get_charmap())
