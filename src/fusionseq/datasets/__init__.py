"""Sources of images, all of one shape: encoded images with labels, and the names of the classes.

Source: the source paper, Section 4.
"""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class EncodedImage:
    """One image as its file would be.

    Attributes
    ----------
    name
        Unique within its dataset.
    label
        Position of its class in the dataset's `class_names`.
    content
        Bytes of an encoded image, such as PNG or JPEG.
    """

    name: str
    label: int
    content: bytes


@dataclass(frozen=True)
class Dataset:
    """Images that arrive one by one, so that a large dataset need not fit in memory.

    Attributes
    ----------
    class_names
        Names of the classes; a label is a position in them.
    num_images
        How many images there are.
    images
        The images; they can be read once.
    """

    class_names: tuple[str, ...]
    num_images: int
    images: Iterable[EncodedImage]
