"""How far two ways to compute the same probabilities are apart."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

# Of any probability. Measured on the processor: 1e-10 for a SavedModel, 2e-6 for ONNX, whose kernels sum in another
# order. Swapped colours, or classes in another order, move probabilities by far more.
MAX_DIFFERENCE = 1e-4


@dataclass(frozen=True)
class Agreement:
    """What is known so far.

    Attributes
    ----------
    num_images
        Number of images that were compared.
    num_equal
        Number of those with the same predicted class.
    max_difference
        Largest difference of a probability; NaN where one is no number.
    """

    num_images: int = 0
    num_equal: int = 0
    max_difference: float = 0.0

    def extend(self, expected: NDArray[np.float32], found: NDArray[np.float32]) -> Self:
        """Take in further images, at least one: probabilities of shape (num_images, num_classes).

        Raises
        ------
        ValueError
            The shapes differ.
        """
        if expected.shape != found.shape:
            raise ValueError(f"probabilities must be of shape {expected.shape}. Got {found.shape}.")
        num_equal = int(np.sum(expected.argmax(axis=1) == found.argmax(axis=1)))
        # Unlike Python's own maximum, this one is NaN where either is.
        difference = float(np.maximum(self.max_difference, np.abs(expected - found).max()))
        return type(self)(self.num_images + len(expected), self.num_equal + num_equal, difference)

    @property
    def is_close(self) -> bool:
        """Whether the differences are those of rounding."""
        return self.max_difference <= MAX_DIFFERENCE
