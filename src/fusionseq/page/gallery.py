"""Images that lie in the page itself."""

from base64 import b64encode
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

# Pixels: twice the side at which the page shows an image of the gallery.
MAX_SIDE = 288


def embed_png(content: bytes) -> str:
    """Turn a PNG file into an address that holds it."""
    return f"data:image/png;base64,{b64encode(content).decode('ascii')}"


def embed_pixels(pixels: NDArray[np.uint8]) -> str:
    """Turn pixels into an address that holds them.

    Parameters
    ----------
    pixels
        uint8 of shape (image_size, image_size, 3), RGB. A large image is made smaller.
    """
    image = Image.fromarray(np.ascontiguousarray(pixels))
    image.thumbnail((MAX_SIDE, MAX_SIDE), Image.Resampling.LANCZOS)
    file = BytesIO()
    image.save(file, "PNG", optimize=True)
    return embed_png(file.getvalue())
