import os
import struct
import threading
import zlib
from collections.abc import Iterator
from io import BytesIO

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from fusionseq.errors import PipelineError
from fusionseq.preprocessing import decode_image, decode_images


def encode(pixels: NDArray[np.uint8] | Image.Image, image_format: str = "PNG", **options: object) -> bytes:
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    content = BytesIO()
    image.save(content, format=image_format, **options)
    return content.getvalue()


def draw(*shape: int) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)


def test_colours_come_as_red_green_blue() -> None:
    pixels = draw(7, 7, 3)
    decoded = decode_image(encode(pixels), 7, "a.png")
    assert decoded.dtype == np.uint8
    np.testing.assert_array_equal(decoded, pixels)


def test_grey_becomes_three_equal_channels() -> None:
    pixels = draw(8, 8)
    decoded = decode_image(encode(pixels), 8, "a.png")
    assert decoded.shape == (8, 8, 3)
    for channel in range(3):
        np.testing.assert_array_equal(decoded[..., channel], pixels)


@pytest.mark.parametrize("shape", [(8, 8), (5, 90, 3), (100, 3, 3), (1, 1, 3), (40, 40, 4)])
@pytest.mark.parametrize("image_size", [1, 32])
def test_every_image_gets_the_one_size(shape: tuple[int, ...], image_size: int) -> None:
    assert decode_image(encode(draw(*shape)), image_size, "a.png").shape == (image_size, image_size, 3)


@pytest.mark.parametrize(("image_format", "tolerance"), [("BMP", 0), ("TIFF", 0), ("WEBP", 40), ("JPEG", 12)])
def test_format_does_not_matter(image_format: str, tolerance: int) -> None:
    pixels = np.kron(np.array([[30, 200], [90, 120]]), np.ones((8, 8))).astype(np.uint8)[..., None].repeat(3, axis=2)
    decoded = decode_image(encode(pixels, image_format), 16, "a")
    assert np.abs(decoded.astype(int) - pixels).max() <= tolerance


def test_palette_is_resolved() -> None:
    image = Image.new("P", (4, 4), 1)
    image.putpalette([0, 0, 0, 10, 20, 30])
    np.testing.assert_array_equal(decode_image(encode(image, "GIF"), 4, "a.gif"), np.full((4, 4, 3), (10, 20, 30)))


def test_resizing_is_smooth_and_keeps_left_left_and_top_top() -> None:
    corner = np.zeros((2, 2), dtype=np.uint8)
    corner[0, 1] = 255
    decoded = decode_image(encode(corner), 16, "a.png")[..., 0]
    assert decoded[0, 15] > 250
    assert max(decoded[0, 0], decoded[15, 0], decoded[15, 15]) < 5
    assert len(np.unique(decoded)) > 10
    np.testing.assert_array_equal(decode_image(encode(corner[:, ::-1].copy()), 16, "a.png")[..., 0], decoded[:, ::-1])


def test_resizing_overshoots_as_a_bicubic_filter_does() -> None:
    step = np.full((8, 8), 100, dtype=np.uint8)
    step[:, 4:] = 150
    decoded = decode_image(encode(step), 32, "a.png")
    assert decoded.min() < 100
    assert decoded.max() > 150


def test_even_image_stays_even() -> None:
    assert set(np.unique(decode_image(encode(np.full((9, 5, 3), 137, np.uint8)), 32, "a.png"))) == {137}


@pytest.mark.parametrize("image_format", ["PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP"])
def test_truncated_image_is_refused(image_format: str) -> None:
    content = encode(draw(50, 50, 3), image_format)
    with pytest.raises(PipelineError, match=r"^photo 1: is not an image that can be decoded"):
        decode_image(content[: len(content) // 2], 32, "photo 1")


@pytest.mark.parametrize("content", [b"", b"not an image", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"GIF89a"])
def test_what_is_no_image_is_refused_in_one_line(content: bytes) -> None:
    with pytest.raises(PipelineError, match=r"^notes\.txt: is not an image that can be decoded") as caught:
        decode_image(content, 32, "notes.txt")
    assert "\n" not in str(caught.value)


def test_damaged_byte_is_refused() -> None:
    content = bytearray(encode(draw(20, 20, 3)))
    content[len(content) // 2] ^= 255
    with pytest.raises(PipelineError, match=r"^a\.png: "):
        decode_image(bytes(content), 32, "a.png")


def test_image_that_would_fill_the_memory_is_refused() -> None:
    content = bytearray(encode(draw(4, 4)))
    # Width and height stand in the first chunk, which ends with its checksum.
    content[16:24] = struct.pack(">II", 30_000, 30_000)
    content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    with pytest.raises(PipelineError, match="decompression bomb"):
        decode_image(bytes(content), 32, "bomb.png")


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_copy_that_is_saved_changes_no_byte(mode: str) -> None:
    content = encode(Image.fromarray(draw(30, 50, 3)).convert("L" if mode == "I;16" else mode).convert(mode))
    with Image.open(BytesIO(content)) as image:
        expected = image.convert("RGB").resize((16, 16), Image.Resampling.BICUBIC)
    np.testing.assert_array_equal(decode_image(content, 16, "a.png"), np.asarray(expected))


@pytest.mark.parametrize("num_images", [0, 1, 50])
def test_many_images_come_in_order_as_if_decoded_one_by_one(num_images: int) -> None:
    rng = np.random.default_rng(0)
    # Large ones take longer, so that later ones are ready first.
    sizes = rng.permutation(np.linspace(1, 400, num_images).astype(int))
    contents = [encode(rng.integers(0, 256, (size, size, 3), dtype=np.uint8), "JPEG") for size in sizes]
    names = [f"{row}.jpg" for row in range(num_images)]
    decoded = list(decode_images(iter(contents), names, 24))
    assert len(decoded) == num_images
    for content, name, pixels in zip(contents, names, decoded, strict=True):
        np.testing.assert_array_equal(pixels, decode_image(content, 24, name))


def test_images_are_read_only_a_few_ahead_and_no_thread_stays() -> None:
    read = 0

    def count() -> Iterator[bytes]:
        nonlocal read
        while True:
            read += 1
            yield content

    content = encode(draw(4, 4))
    threads = threading.active_count()
    decoded = decode_images(count(), ["a.png"] * 1000, 4)
    assert read == 0
    for taken in range(1, 101):
        next(decoded)
        assert read - taken < 2 * (os.cpu_count() or 1)
    decoded.close()  # type: ignore[attr-defined]
    assert threading.active_count() == threads


def test_first_broken_image_is_named_after_those_before_it() -> None:
    contents = [encode(draw(4, 4))] * 9 + [b"", *[encode(draw(4, 4))] * 9, b""]
    threads = threading.active_count()
    decoded = decode_images(contents, [f"{row}.png" for row in range(20)], 4)
    assert [next(decoded).shape for _ in range(9)] == [(4, 4, 3)] * 9
    with pytest.raises(PipelineError, match=r"^9\.png: is not an image that can be decoded"):
        next(decoded)
    assert threading.active_count() == threads


def test_every_image_has_a_name() -> None:
    with pytest.raises(ValueError, match="shorter"):
        list(decode_images([encode(draw(4, 4))] * 2, ["a.png"], 4))
