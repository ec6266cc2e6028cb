from io import BytesIO

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from fusionseq.errors import BadImageError
from fusionseq.preprocessing import Preprocessed, preprocess_images, resize_images


def encode(pixels: NDArray[np.uint8] | Image.Image, image_format: str = "PNG", **options: object) -> bytes:
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    content = BytesIO()
    image.save(content, format=image_format, **options)
    return content.getvalue()


def draw(*shape: int) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)


def decode(content: bytes, image_size: int) -> NDArray[np.uint8]:
    (pixels,) = resize_images([content], ["a"], image_size)
    assert not isinstance(pixels, BadImageError)
    return pixels


def test_colours_come_as_red_green_blue() -> None:
    pixels = draw(7, 7, 3)
    decoded = decode(encode(pixels), 7)
    assert decoded.dtype == np.uint8
    np.testing.assert_array_equal(decoded, pixels)


def test_grey_becomes_three_equal_channels() -> None:
    pixels = draw(8, 8)
    decoded = decode(encode(pixels), 8)
    assert decoded.shape == (8, 8, 3)
    for channel in range(3):
        np.testing.assert_array_equal(decoded[..., channel], pixels)


@pytest.mark.parametrize("shape", [(8, 8), (5, 90, 3), (100, 3, 3), (1, 1, 3), (40, 40, 4)])
@pytest.mark.parametrize("image_size", [1, 32])
def test_every_image_gets_the_one_size(shape: tuple[int, ...], image_size: int) -> None:
    assert decode(encode(draw(*shape)), image_size).shape == (image_size, image_size, 3)


def test_resizing_is_smooth_and_keeps_left_left_and_top_top() -> None:
    corner = np.zeros((2, 2), dtype=np.uint8)
    corner[0, 1] = 255
    decoded = decode(encode(corner), 16)[..., 0]
    assert decoded[0, 15] > 250
    assert max(decoded[0, 0], decoded[15, 0], decoded[15, 15]) < 5
    assert len(np.unique(decoded)) > 10
    np.testing.assert_array_equal(decode(encode(corner[:, ::-1].copy()), 16)[..., 0], decoded[:, ::-1])


def test_resizing_overshoots_as_a_bicubic_filter_does() -> None:
    step = np.full((8, 8), 100, dtype=np.uint8)
    step[:, 4:] = 150
    decoded = decode(encode(step), 32)
    assert decoded.min() < 100
    assert decoded.max() > 150


def test_even_image_stays_even() -> None:
    assert set(np.unique(decode(encode(np.full((9, 5, 3), 137, np.uint8)), 32))) == {137}


@pytest.mark.parametrize("num_images", [0, 1, 50])
def test_many_images_come_in_order_as_if_decoded_one_by_one(num_images: int) -> None:
    rng = np.random.default_rng(0)
    # Large ones take longer, so that later ones are ready first.
    sizes = rng.permutation(np.linspace(1, 400, num_images).astype(int))
    contents = [encode(rng.integers(0, 256, (size, size, 3), dtype=np.uint8), "JPEG") for size in sizes]
    names = [f"{row}.jpg" for row in range(num_images)]
    decoded = list(resize_images(iter(contents), names, 24))
    assert len(decoded) == num_images
    for content, pixels in zip(contents, decoded, strict=True):
        np.testing.assert_array_equal(pixels, decode(content, 24))


def test_broken_images_are_handed_on_in_their_places() -> None:
    contents = [encode(draw(9, 9, 3)), b"", encode(draw(9, 9)), b"text"]
    results = list(preprocess_images(contents, list("abcd"), 8))
    kinds = [isinstance(result, BadImageError) for result in results]
    assert kinds == [False, True, False, True]
    assert [result.name for result in results if isinstance(result, BadImageError)] == ["b", "d"]
    for result, content in zip(results, contents, strict=True):
        if isinstance(result, Preprocessed):
            np.testing.assert_array_equal(result.pixels, decode(content, 8))
    resized = resize_images(contents, list("abcd"), 8)
    assert [image.name if isinstance(image, BadImageError) else "" for image in resized] == ["", "b", "", "d"]


def test_perceptual_hash_knows_a_picture_in_another_size_and_format() -> None:
    # Smooth, as photographs are.
    picture = Image.fromarray(draw(6, 6, 3)).resize((240, 240), Image.Resampling.BICUBIC)
    other = Image.fromarray(draw(7, 6, 3)[1:]).resize((240, 240), Image.Resampling.BICUBIC)
    variants = [encode(picture), encode(picture.resize((120, 110)), "JPEG", quality=70), encode(other)]
    hashes = [
        result.perceptual_hash
        for result in preprocess_images(variants, list("abc"), 8)
        if isinstance(result, Preprocessed)
    ]
    assert all(len(digits) == 16 for digits in hashes)
    bits = [int(digits, 16) for digits in hashes]
    assert (bits[0] ^ bits[1]).bit_count() <= 4
    assert (bits[0] ^ bits[2]).bit_count() > 16


def test_every_image_has_a_name() -> None:
    with pytest.raises(ValueError, match="shorter"):
        list(resize_images([encode(draw(4, 4))] * 2, ["a.png"], 4))
