"""Batches of examples, in an order that a seed and the epoch alone decide."""

import math
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

Inputs = NDArray[Any] | tuple[NDArray[Any], ...]


class Batches(keras.utils.PyDataset):  # type: ignore[misc]
    """Every chosen example once an epoch, the last batch ragged.

    The order of an epoch depends on `seed` and the number of the epoch, not on what was drawn before, so training
    that resumes at an epoch sees the batches that it would have seen. Arrays may be memory maps: only the rows of a
    batch are read.

    Parameters
    ----------
    inputs
        An array of shape (num_examples, ...), or one for each input of the model.
    labels
        Integers of shape (num_examples,), or shares of the classes, of shape (num_examples, num_classes).
    rows
        Positions of the chosen examples.
    batch_size
        Examples in a batch.
    seed
        Start of the random order; None keeps the order of `rows`.
    full
        Whether to fill the last batch up, for devices that share each batch and cannot be left without a share.
        Each example then has a weight: one over the number of examples in its batch, zero for what only fills up.
    """

    def __init__(
        self,
        inputs: Inputs,
        labels: NDArray[np.int64] | NDArray[np.float32],
        rows: NDArray[np.int64],
        batch_size: int,
        seed: int | None,
        full: bool = False,
    ) -> None:
        super().__init__()
        self._inputs = inputs
        self._labels = labels
        self._rows = rows
        self._batch_size = batch_size
        self._seed = seed
        self._full = full
        self.set_epoch(0)

    def set_epoch(self, epoch: int) -> None:
        """Draw the order of an epoch, counted from 0."""
        if self._seed is None:
            self._order = self._rows
        else:
            self._order = np.random.default_rng([self._seed, epoch]).permutation(self._rows)

    def read(self, rows: NDArray[np.int64]) -> tuple[Any, ...]:
        """Read a batch: inputs, labels and, where batches are full, weights."""
        weights: tuple[NDArray[np.float32], ...] = ()
        if self._full:
            missing = self._batch_size - len(rows)
            weights = (np.repeat(np.array([1 / len(rows), 0], np.float32), [len(rows), missing]),)
            rows = np.concatenate([rows, np.repeat(rows[:1], missing)])
        return keras.tree.map_structure(lambda values: values[rows], self._inputs), self._labels[rows], *weights

    def __len__(self) -> int:
        return math.ceil(len(self._rows) / self._batch_size)

    def __getitem__(self, index: int) -> tuple[Any, ...]:
        return self.read(self._order[index * self._batch_size : (index + 1) * self._batch_size])


class EpochOrder(keras.callbacks.Callback):  # type: ignore[misc]
    """Tell the batches which epoch begins."""

    def __init__(self, batches: Batches) -> None:
        super().__init__()
        self._batches = batches

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Draw the order of the epoch."""
        self._batches.set_epoch(epoch)
