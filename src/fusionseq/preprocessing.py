"""From encoded images to arrays of one size. What each backbone expects of pixels is part of the models.

Source: the source paper, Section 5.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fusionseq.decoding import decode_image
from fusionseq.errors import BadImageError
from fusionseq.parallel import map_on_cores


@dataclass(frozen=True)
class Preprocessed:
    """One image as the models see it.

    Attributes
    ----------
    pixels
        uint8 of shape (image_size, image_size, 3), RGB.
    perceptual_hash
        64 bits as 16 hexadecimal digits, alike for images that look alike.
    """

    pixels: NDArray[np.uint8]
    perceptual_hash: str


def preprocess_images(
    contents: Iterable[bytes], names: Iterable[str], image_size: int, cores: int | None = None
) -> Iterator[Preprocessed | BadImageError]:
    """Decode and resize images on several processor cores, in order, and compute their perceptual hashes.

    Parameters
    ----------
    contents
        Bytes of each image; read only a few images ahead.
    names
        What to call each image in a message, one for each of `contents`.
    image_size
        Height and width of the results in pixels.
    cores
        How many; None for all.

    Yields
    ------
    Preprocessed or BadImageError
        One for each image; what cannot be decoded is handed on, not raised.
    """

    def preprocess(named: tuple[bytes, str]) -> Preprocessed | BadImageError:
        try:
            image = decode_image(*named)
            return Preprocessed(_resize(image, image_size), _hash(image))
        except BadImageError as error:
            return error

    return map_on_cores(preprocess, zip(contents, names, strict=True), cores)


def resize_images(
    contents: Iterable[bytes], names: Iterable[str], image_size: int
) -> Iterator[NDArray[np.uint8] | BadImageError]:
    """Decode and resize images as `preprocess_images` does, for whoever needs the pixels alone."""

    def resize(named: tuple[bytes, str]) -> NDArray[np.uint8] | BadImageError:
        try:
            return _resize(decode_image(*named), image_size)
        except BadImageError as error:
            return error

    return map_on_cores(resize, zip(contents, names, strict=True))


def _resize(image: Image.Image, image_size: int) -> NDArray[np.uint8]:
    return np.asarray(image.resize((image_size, image_size), Image.Resampling.BICUBIC), dtype=np.uint8)


def _hash(image: Image.Image) -> str:
    # It imports SciPy, which takes a moment.
    from imagehash import phash

    return str(phash(image))
