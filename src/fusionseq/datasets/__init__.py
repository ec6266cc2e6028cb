"""Sources of images, all of one shape: encoded images with labels, and the names of the classes.

Source: the source paper, Section 4.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from fusionseq.errors import BadImageError


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
    subset
        "train", "validation" or "test" where the source comes split, else "".
    """

    name: str
    label: int
    content: bytes
    subset: str


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
        The images; they can be read once. What cannot even be read arrives as an error in its place.
    origin
        What the dataset is and which files it was read from, for the manifest and the paper; goes into JSON. The same
        on every machine.
    """

    class_names: tuple[str, ...]
    num_images: int
    images: Iterable[EncodedImage | BadImageError]
    origin: Mapping[str, Any]
