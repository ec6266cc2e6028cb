"""From encoded images to arrays of one size. What each backbone expects of pixels is part of the models.

Source: the source paper, Section 5.
"""

from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from fusionseq.errors import PipelineError


def decode_image(content: bytes, image_size: int, name: str) -> NDArray[np.uint8]:
    """Decode one image and resize it with a bicubic filter.

    Parameters
    ----------
    content
        Bytes of an image in any format that Pillow reads.
    image_size
        Height and width of the result in pixels.
    name
        What to call the image in a message.

    Returns
    -------
    NDArray[np.uint8]
        Shape (image_size, image_size, 3), RGB, 0 to 255.

    Raises
    ------
    PipelineError
        The bytes are no image, or a broken one.
    """
    try:
        with Image.open(BytesIO(content)) as image:
            resized = image.convert("RGB").resize((image_size, image_size), Image.Resampling.BICUBIC)
    # What Pillow's plugins raise on damaged files.
    except (OSError, SyntaxError, ValueError, RuntimeError, Image.DecompressionBombError) as error:
        # Pillow would name the buffer that it was given.
        reason = "unknown format" if isinstance(error, UnidentifiedImageError) else error
        raise PipelineError(f"{name}: is not an image that can be decoded ({reason}); repair or remove it.") from error
    return np.asarray(resized, dtype=np.uint8)
