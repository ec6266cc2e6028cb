"""Batches whose images are mixed in pairs, as are their labels.

Source: Zhang et al., mixup: Beyond Empirical Risk Minimization, 2018; the source paper, Section 10, names augmentation
as future work.
"""

from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from fusionseq.batches import Batches, Inputs


class MixedBatches(Batches):
    """Each example mixed with the one before it in its batch, which is a random one; the first with the last.

    What is mixed depends on `seed` and the number of the epoch alone, as the order does. It is mixed before devices
    share the batch, and what only fills it up is left out: `keras.layers.MixUp` would do neither, and XLA cannot
    compile that.

    Parameters
    ----------
    inputs, rows, batch_size, full
        As `fusionseq.batches.Batches` takes them. Mixed integers are rounded.
    labels
        Shares of the classes, float32 of shape (num_examples, num_classes).
    seed
        Start of the random order and of the mixtures.
    alpha
        Both parameters of the beta distribution from which the share of the example itself is drawn.
    """

    def __init__(
        self,
        inputs: Inputs,
        labels: NDArray[np.float32],
        rows: NDArray[np.int64],
        batch_size: int,
        seed: int,
        alpha: float,
        full: bool = False,
    ) -> None:
        self._alpha = alpha
        self._shares_seed = seed
        super().__init__(inputs, labels, rows, batch_size, seed, full)

    def set_epoch(self, epoch: int) -> None:
        """Draw the order and the mixtures of an epoch, counted from 0."""
        super().set_epoch(epoch)
        # The order is drawn from the first two numbers alone.
        generator = np.random.default_rng([self._shares_seed, epoch, 1])
        self._shares = generator.beta(self._alpha, self._alpha, len(self._rows)).astype(np.float32)

    def __getitem__(self, index: int) -> tuple[Any, ...]:
        inputs, labels, *weights = super().__getitem__(index)
        shares = self._shares[index * self._batch_size : (index + 1) * self._batch_size]
        return *keras.tree.map_structure(lambda values: _mix(values, shares), (inputs, labels)), *weights


def _mix(values: NDArray[Any], shares: NDArray[np.float32]) -> NDArray[Any]:
    """Mix as many of the first examples as there are shares."""
    own = values[: len(shares)]
    share = shares.reshape(-1, *[1] * (values.ndim - 1))
    mixed = share * own + (1 - share) * np.roll(own, 1, axis=0)
    if np.issubdtype(values.dtype, np.integer):
        mixed = mixed.round()
    return np.concatenate([mixed.astype(values.dtype), values[len(shares) :]])
