"""The handwritten digits that scikit-learn ships: 1,797 real images of 8 by 8 pixels, no download.

Source: E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning Repository, 1998.
"""

from collections.abc import Iterator
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fusionseq.datasets import Dataset, EncodedImage

# The digits count the ink in blocks of 4 by 4 pixels.
_MAXIMUM = 16


def load_digits(num_classes: int, images_per_class: int | None) -> Dataset:
    """Load the digits as PNG images.

    Parameters
    ----------
    num_classes
        Digits from 0 to `num_classes - 1` are kept.
    images_per_class
        How many images of each class are kept, the first ones; None keeps all.
    """
    # scikit-learn takes a second to import, and whoever mistyped a parameter should not wait for it.
    from sklearn.datasets import load_digits as load_digit_arrays

    digits = load_digit_arrays()
    labels = digits.target.astype(np.int64)
    occurrence = np.empty_like(labels)
    for label in range(num_classes):
        occurrence[labels == label] = np.arange(np.sum(labels == label))
    kept = np.flatnonzero(
        (labels < num_classes) & (True if images_per_class is None else occurrence < images_per_class)
    )
    return Dataset(
        class_names=tuple(str(label) for label in range(num_classes)),
        num_images=len(kept),
        images=_encode(digits.images, labels, kept),
        origin={"source": "digits"},
    )


def _encode(images: NDArray[np.float64], labels: NDArray[np.int64], kept: NDArray[np.int64]) -> Iterator[EncodedImage]:
    for index in kept:
        grey = np.rint(images[index] * (255 / _MAXIMUM)).astype(np.uint8)
        content = BytesIO()
        Image.fromarray(grey).save(content, format="PNG")
        yield EncodedImage(f"digit-{index:04d}.png", int(labels[index]), content.getvalue(), subset="")
