"""From encoded images to arrays of one size. What each backbone expects of pixels is part of the models.

Source: the source paper, Section 5.
"""

import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from fusionseq.errors import PipelineError

# Enough that no core waits while one image is handed on, and few enough that memory stays small.
_IN_FLIGHT_PER_CORE = 2


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
            # The mode may change when the pixels are read.
            image.load()
            # `convert` copies what is RGB already.
            rgb = image if image.mode == "RGB" else image.convert("RGB")
            resized = rgb.resize((image_size, image_size), Image.Resampling.BICUBIC)
    # What Pillow's plugins raise on damaged files.
    except (OSError, SyntaxError, ValueError, RuntimeError, Image.DecompressionBombError) as error:
        # Pillow would name the buffer that it was given.
        reason = "unknown format" if isinstance(error, UnidentifiedImageError) else error
        raise PipelineError(f"{name}: is not an image that can be decoded ({reason}); repair or remove it.") from error
    return np.asarray(resized, dtype=np.uint8)


def decode_images(contents: Iterable[bytes], names: Sequence[str], image_size: int) -> Iterator[NDArray[np.uint8]]:
    """Decode and resize images on all processor cores, in order.

    Threads do, since Pillow lets other threads run while it decodes or resizes.

    Parameters
    ----------
    contents
        Bytes of each image; read only a few images ahead.
    names
        What to call each image in a message, one for each of `contents`.
    image_size
        Height and width of the results in pixels.

    Yields
    ------
    NDArray[np.uint8]
        What `decode_image` returns for one image after the other.

    Raises
    ------
    PipelineError
        What `decode_image` raises for the first broken image, once those before it have been handed on.
    """
    cores = len(os.sched_getaffinity(0))
    in_flight: deque[Future[NDArray[np.uint8]]] = deque()
    # Leaving the block, for whatever reason, waits for its threads.
    with ThreadPoolExecutor(cores) as pool:
        for content, name in zip(contents, names, strict=True):
            in_flight.append(pool.submit(decode_image, content, image_size, name))
            if len(in_flight) == cores * _IN_FLIGHT_PER_CORE:
                yield in_flight.popleft().result()
        while in_flight:
            yield in_flight.popleft().result()
