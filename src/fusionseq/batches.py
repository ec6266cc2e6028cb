"""Batches of training examples, in an order that a seed and the epoch alone decide."""

from collections.abc import Sequence

import keras
import numpy as np
from numpy.typing import NDArray

Inputs = NDArray[np.generic] | Sequence[NDArray[np.generic]]


class ShuffledBatches(keras.utils.PyDataset):
    """Every example once an epoch, shuffled anew each time, the last batch ragged.

    The order of an epoch depends on `seed` and the number of the epoch, not on what was drawn before, so training
    that resumes at an epoch sees the batches that it would have seen. Arrays may be memory maps: only the rows of a
    batch are read.

    Parameters
    ----------
    inputs
        An array of shape (num_examples, ...), or one for each input of the model, in the structure it takes.
    labels
        Integers of shape (num_examples,).
    batch_size
        Examples in a batch.
    seed
        Start of the random order.
    """

    def __init__(
        self, inputs: Inputs, labels: NDArray[np.int64], batch_size: int, seed: int
    ) -> None:
        super().__init__()
        self._inputs = inputs
        self._labels = labels
        self._batch_size = batch_size
        self._seed = seed
        self.set_epoch(0)

    def set_epoch(self, epoch: int) -> None:
        """Draw the order of an epoch, counted from 0."""
        self._order = np.random.default_rng([self._seed, epoch]).permutation(len(self._labels))

    def __len__(self) -> int:
        return -(-len(self._labels) // self._batch_size)

    def __getitem__(self, index: int) -> tuple[Inputs, NDArray[np.int64]]:
        rows = self._order[index * self._batch_size : (index + 1) * self._batch_size]
        return keras.tree.map_structure(lambda values: values[rows], self._inputs), self._labels[rows]


class EpochOrder(keras.callbacks.Callback):
    """Tell the batches which epoch begins."""

    def __init__(self, batches: ShuffledBatches) -> None:
        super().__init__()
        self._batches = batches

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Draw the order of the epoch."""
        self._batches.set_epoch(epoch)
