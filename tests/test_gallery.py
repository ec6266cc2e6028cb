from base64 import b64decode
from io import BytesIO

import numpy as np
from PIL import Image

from fusionseq.page.gallery import MAX_SIDE, embed_pixels, embed_png


def read_address(address: str) -> Image.Image:
    kind, content = address.split(",")
    assert kind == "data:image/png;base64"
    return Image.open(BytesIO(b64decode(content)))


def test_pixels_are_embedded_as_they_are() -> None:
    pixels = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    np.testing.assert_array_equal(np.asarray(read_address(embed_pixels(pixels))), pixels)
    assert embed_pixels(pixels) == embed_pixels(pixels.copy())


def test_a_large_image_becomes_smaller() -> None:
    image = read_address(embed_pixels(np.zeros((1024, 1024, 3), np.uint8)))
    assert image.size == (MAX_SIDE, MAX_SIDE)


def test_bytes_are_embedded_as_they_are() -> None:
    assert b64decode(embed_png(b"\x89PNG").partition(",")[2]) == b"\x89PNG"
