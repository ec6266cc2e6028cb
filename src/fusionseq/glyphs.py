"""Render the Latin letters that the embedded backbones were pretrained on.

The letters come from the fonts that matplotlib ships, so they need no download, and no digit is among them: the
embedded default classifies digits, which its backbones have therefore never seen.
"""

from functools import cache
from pathlib import Path
from string import ascii_letters

import matplotlib
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from scipy.ndimage import gaussian_filter, map_coordinates

LETTERS = ascii_letters

FONTS = (
    *(f"DejaVuSans{style}" for style in ("", "-Bold", "-BoldOblique", "-Oblique")),
    *(f"DejaVuSansMono{style}" for style in ("", "-Bold", "-BoldOblique", "-Oblique")),
    *(f"DejaVuSerif{style}" for style in ("", "-Bold", "-BoldItalic", "-Italic")),
    *(f"STIXGeneral{style}" for style in ("", "Bol", "BolIta", "Italic")),
    *("cmb10", "cmmi10", "cmr10", "cmss10", "cmtt10"),
)

_FONT_SIZE = 64
_ELASTIC_GRID = 4


def render_glyphs(indices: range, image_size: int, seed: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Render letters under random affine and elastic warps, strokes and blur.

    Each image depends on `seed` and its own index alone, so any partition of the indices gives the same images.

    Parameters
    ----------
    indices
        Which images of the endless sequence to render. Index `i` shows letter `i % 52` of `LETTERS`.
    image_size
        Height and width in pixels.
    seed
        Start of the random sequence.

    Returns
    -------
    images
        uint8 of shape (len(indices), image_size, image_size): white ink on black, 0 to 255.
    labels
        int64 of shape (len(indices),): positions in `LETTERS`.
    """
    labels = np.array([index % len(LETTERS) for index in indices], dtype=np.int64)
    images = np.stack(
        [
            _render(LETTERS[label], image_size, np.random.default_rng([seed, index]))
            for index, label in zip(indices, labels, strict=True)
        ]
    )
    return images, labels


def _render(letter: str, image_size: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    ink = _draw(letter, FONTS[rng.integers(len(FONTS))], int(rng.integers(0, 4)))
    warped = map_coordinates(ink, _warp(ink.shape, image_size, rng), order=1, mode="constant")
    blurred = _lose_detail(warped, rng)
    noisy = blurred * rng.uniform(0.7, 1.0) + rng.normal(0.0, 0.02, blurred.shape)
    return (np.clip(noisy, 0.0, 1.0) * 255).round().astype(np.uint8)


@cache
def _load_font(name: str) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(Path(matplotlib.get_data_path(), "fonts", "ttf", f"{name}.ttf"), _FONT_SIZE)


@cache
def _draw(letter: str, font_name: str, stroke_width: int) -> NDArray[np.float64]:
    """Draw a letter and crop it to its ink."""
    canvas = Image.new("L", (3 * _FONT_SIZE, 3 * _FONT_SIZE))
    position = (_FONT_SIZE, _FONT_SIZE)
    ImageDraw.Draw(canvas).text(position, letter, fill=255, font=_load_font(font_name), stroke_width=stroke_width)
    return np.asarray(canvas.crop(canvas.getbbox()), dtype=np.float64) / 255


def _warp(shape: tuple[int, ...], image_size: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw the source coordinates, of shape (2, image_size, image_size), of every pixel of the warped letter."""
    height, width = shape
    fraction_high = rng.uniform(0.65, 1.0)
    fraction_wide = np.clip(fraction_high * width / height * rng.uniform(0.7, 1.5), 0.15, 1.0)
    angle, shear = rng.uniform(-0.3, 0.3), rng.uniform(-0.35, 0.35)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    slant = np.array([[1.0, 0.0], [shear, 1.0]])
    scale = np.diag([height / fraction_high, width / fraction_wide]) / 2

    axis = np.linspace(-1.0, 1.0, image_size)
    grid = np.stack(np.meshgrid(axis, axis, indexing="ij"))
    knots = np.linspace(-1.0, 1.0, _ELASTIC_GRID)
    # A Gaussian bump around each knot makes a smooth random field out of a few numbers.
    bumps = np.exp(-0.5 * ((axis[:, None] - knots) * _ELASTIC_GRID / 2) ** 2)
    elastic = bumps @ rng.normal(0.0, 0.06, (2, _ELASTIC_GRID, _ELASTIC_GRID)) @ bumps.T
    moved = grid + elastic + rng.uniform(-0.08, 0.08, (2, 1, 1))

    center = (np.array([height, width]) - 1) / 2
    return np.asarray(np.einsum("ij,jhw->ihw", scale @ slant @ turn, moved) + center[:, None, None])


def _lose_detail(image: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """Blur, or scale down and up again as a small scan would have been."""
    if rng.random() < 0.3:
        return np.asarray(gaussian_filter(image, rng.uniform(0.0, 2.0)), dtype=np.float64)
    side = int(rng.integers(8, 17))
    small = Image.fromarray(image.astype(np.float32)).resize((side, side), Image.Resampling.BOX)
    return np.asarray(small.resize(image.shape, Image.Resampling.BICUBIC), dtype=np.float64)
