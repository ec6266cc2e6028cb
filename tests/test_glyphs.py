import string

import numpy as np
import pytest
from numpy.typing import NDArray

from fusionseq.glyphs import FONTS, LETTERS, render_glyphs


def test_letters_are_latin_and_hold_no_digit() -> None:
    assert sorted(LETTERS) == sorted(string.ascii_uppercase + string.ascii_lowercase)
    assert len(set(FONTS)) == len(FONTS) > 10


def test_images_are_white_ink_on_black() -> None:
    images, labels = render_glyphs(range(104), 32, seed=0)
    assert (images.shape, str(images.dtype)) == ((104, 32, 32), "uint8")
    assert (labels.shape, str(labels.dtype)) == ((104,), "int64")
    assert labels.tolist() == list(range(52)) * 2
    assert (images.max(axis=(1, 2)) > 120).all()
    assert np.median(images) < 20


def test_image_depends_on_seed_and_index_alone() -> None:
    whole, labels = render_glyphs(range(40, 70), 24, seed=3)
    parts = [render_glyphs(part, 24, seed=3) for part in (range(40, 41), range(41, 59), range(59, 70))]
    np.testing.assert_array_equal(np.concatenate([images for images, _ in parts]), whole)
    np.testing.assert_array_equal(np.concatenate([of_part for _, of_part in parts]), labels)


def test_seeds_and_indices_vary_the_letter() -> None:
    first, _ = render_glyphs(range(0, 52 * 8, 52), 32, seed=0)
    other, _ = render_glyphs(range(0, 52 * 8, 52), 32, seed=1)
    pictures = {image.tobytes() for image in np.concatenate([first, other])}
    assert len(pictures) == 16


@pytest.mark.parametrize(("first", "second"), [("I", "O"), ("L", "x"), ("i", "M")])
def test_letters_look_different(first: str, second: str) -> None:
    def average(letter: str) -> NDArray[np.float64]:
        start = LETTERS.index(letter)
        return np.asarray(render_glyphs(range(start, start + 52 * 40, 52), 32, seed=0)[0].mean(axis=0))

    half = render_glyphs(range(LETTERS.index(first), LETTERS.index(first) + 52 * 20, 52), 32, seed=9)[0].mean(axis=0)
    assert np.abs(half - average(first)).mean() < np.abs(half - average(second)).mean()


@pytest.mark.parametrize("image_size", [32, 48])
def test_size_is_as_asked(image_size: int) -> None:
    assert render_glyphs(range(2), image_size, seed=0)[0].shape == (2, image_size, image_size)
