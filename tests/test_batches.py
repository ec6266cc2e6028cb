from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from numpy.typing import NDArray
from sharded import write_shards

from fusionseq.batches import Batches, EpochOrder
from fusionseq.shard_files import ShardedArray

pytestmark = pytest.mark.usefixtures("runtime")

NUM_EXAMPLES = 30
ROWS = np.array([3, 1, 4, 15, 9, 2, 6, 5, 8, 7, 28])
LABELS = np.arange(NUM_EXAMPLES) * 10


def make_batches(seed: int | None = 0, batch_size: int = 4) -> Batches:
    inputs = np.arange(NUM_EXAMPLES, dtype=np.float32)[:, None].repeat(3, axis=1)
    return Batches(inputs, LABELS, ROWS, batch_size, seed)


def list_rows(batches: Batches) -> list[int]:
    """Rows in the order in which they are served, checked against their inputs."""
    rows = []
    for index in range(len(batches)):
        inputs, labels = batches[index]
        assert isinstance(inputs, np.ndarray)
        np.testing.assert_array_equal(inputs, (labels / 10)[:, None].repeat(3, axis=1))
        rows += (labels // 10).tolist()
    return rows


@pytest.mark.parametrize(
    ("batch_size", "sizes"), [(4, [4, 4, 3]), (11, [11]), (100, [11]), (10, [10, 1]), (1, [1] * 11)]
)
def test_last_batch_is_ragged(batch_size: int, sizes: list[int]) -> None:
    batches = make_batches(batch_size=batch_size)
    assert len(batches) == len(sizes)
    assert [len(batches[index][1]) for index in range(len(batches))] == sizes


def test_every_chosen_example_comes_once_an_epoch() -> None:
    batches = make_batches()
    for epoch in range(5):
        batches.set_epoch(epoch)
        assert sorted(list_rows(batches)) == sorted(ROWS.tolist())


def test_order_differs_by_epoch_and_by_seed() -> None:
    orders = set()
    for seed in (0, 1):
        batches = make_batches(seed)
        for epoch in range(3):
            batches.set_epoch(epoch)
            orders.add(tuple(list_rows(batches)))
    assert len(orders) == 6


def test_order_of_an_epoch_does_not_depend_on_what_was_drawn_before() -> None:
    through = make_batches()
    for epoch in range(4):
        through.set_epoch(epoch)
        list_rows(through)
    resumed = make_batches()
    resumed.set_epoch(3)
    assert list_rows(resumed) == list_rows(through)


def test_first_epoch_needs_no_call() -> None:
    batches = make_batches()
    before = list_rows(batches)
    batches.set_epoch(0)
    assert list_rows(batches) == before


def test_without_a_seed_the_order_of_the_rows_is_kept() -> None:
    batches = make_batches(seed=None)
    for epoch in range(3):
        batches.set_epoch(epoch)
        assert list_rows(batches) == ROWS.tolist()


def test_several_inputs_stay_side_by_side() -> None:
    inputs = (np.arange(NUM_EXAMPLES), np.arange(NUM_EXAMPLES) * 2)
    batches = Batches(inputs, LABELS, ROWS, 4, seed=0)
    (first, second), labels = batches[2]
    np.testing.assert_array_equal(first * 2, second)
    np.testing.assert_array_equal(first * 10, labels)


def test_rows_of_shards_are_read(tmp_path: Path) -> None:
    values = np.arange(NUM_EXAMPLES, dtype=np.float32)[:, None].repeat(3, axis=1)
    inputs: Any = ShardedArray(write_shards(tmp_path / "a", values, 2, 3, 9))
    batches = Batches(inputs, LABELS, ROWS, 4, seed=0)
    assert list_rows(batches) == list_rows(make_batches())


class Recorded(Batches):
    """Remembers the labels that are served."""

    def __init__(self) -> None:
        self.served: list[NDArray[np.int64]] = []
        super().__init__(np.ones((NUM_EXAMPLES, 1), np.float32), LABELS, ROWS, 4, seed=0)

    def __getitem__(self, index: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        inputs, labels = super().__getitem__(index)
        assert isinstance(inputs, np.ndarray)
        self.served.append(labels)
        return inputs, labels


class Watch(keras.callbacks.Callback):  # type: ignore[misc]
    """Forgets what is served before an epoch, and keeps what is served in it."""

    def __init__(self, batches: Recorded) -> None:
        super().__init__()
        self.batches = batches
        self.epochs: dict[int, list[int]] = {}

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self.batches.served.clear()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self.epochs[epoch] = (np.concatenate(self.batches.served) // 10).tolist()


def test_training_sees_the_order_of_each_epoch_also_when_it_resumes() -> None:
    expected = {}
    batches = make_batches()
    for epoch in range(4):
        batches.set_epoch(epoch)
        expected[epoch] = list_rows(batches)
    for initial_epoch in (0, 2):
        recorded = Recorded()
        watch = Watch(recorded)
        model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
        model.compile("sgd", loss="mse", jit_compile=False)
        callbacks = [EpochOrder(recorded), watch]
        model.fit(recorded, initial_epoch=initial_epoch, epochs=4, callbacks=callbacks, shuffle=False, verbose=0)
        assert watch.epochs == {epoch: expected[epoch] for epoch in range(initial_epoch, 4)}


@pytest.mark.parametrize("num_examples", [10, 11, 13])
def test_full_batches_weigh_every_example_once(num_examples: int) -> None:
    inputs = np.arange(num_examples, dtype=np.float32)[:, None]
    batches = Batches(inputs, np.arange(num_examples) % 3, np.arange(num_examples), 4, seed=0, full=True)
    seen = []
    for index in range(len(batches)):
        values, labels, weights = batches[index]
        assert len(values) == len(labels) == len(weights) == 4
        assert weights.sum() == pytest.approx(1)
        counted = weights > 0
        assert len(set(weights[counted])) == 1
        np.testing.assert_array_equal(labels, values.ravel() % 3)
        seen += values[counted].ravel().tolist()
    assert sorted(seen) == list(range(num_examples))
