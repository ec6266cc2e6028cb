import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray

from fusionseq.batches import Batches, EpochOrder
from fusionseq.streaming import stream_batches

pytestmark = pytest.mark.usefixtures("runtime")

IMAGES = np.random.default_rng(0).integers(0, 256, (30, 4, 4, 3)).astype(np.uint8)
LABELS = np.arange(30) % 3
ROWS = np.arange(23)


def flatten(batch: object) -> list[NDArray[np.generic]]:
    return [np.asarray(values) for values in keras.tree.flatten(batch)]


@pytest.mark.parametrize("full", [False, True])
def test_batches_arrive_in_the_order_of_each_epoch(full: bool) -> None:
    batches = Batches((IMAGES, IMAGES[..., :1]), LABELS, ROWS, 5, seed=3, full=full)
    dataset = stream_batches(batches)
    orders = []
    for epoch in range(3):
        batches.set_epoch(epoch)
        streamed = [flatten(batch) for batch in dataset]
        expected = [flatten(batches[index]) for index in range(len(batches))]
        assert len(streamed) == len(expected) == 5
        for one, other in zip(streamed, expected, strict=True):
            for values, wanted in zip(one, other, strict=True):
                assert values.dtype == wanted.dtype
                np.testing.assert_array_equal(values, wanted)
        orders.append(np.concatenate([batch[2] for batch in streamed]).tolist())
    assert len({tuple(order) for order in orders}) == 3


def test_training_sees_the_order_of_its_epoch() -> None:
    seen: list[list[int]] = []

    class Seen(keras.layers.Layer):  # type: ignore[misc]
        def call(self, inputs: tf.Tensor) -> tf.Tensor:
            tf.py_function(lambda values: seen.append(values.numpy().ravel().tolist()), [inputs], [])
            return inputs

    model = keras.Sequential([keras.Input((1,)), Seen(), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    numbers = np.arange(30, dtype=np.float32)[:, None]
    batches = Batches(numbers, LABELS, ROWS, 5, seed=3)
    seen.clear()
    model.fit(stream_batches(batches), epochs=2, callbacks=[EpochOrder(batches)], shuffle=False, verbose=0)
    expected = []
    for epoch in range(2):
        batches.set_epoch(epoch)
        expected += [batches[index][0].ravel().tolist() for index in range(len(batches))]
    assert [list(map(int, batch)) for batch in seen if len(batch)][-10:] == expected


def test_only_a_few_batches_are_read_ahead() -> None:
    read: list[int] = []

    class Counted(Batches):
        def read(self, rows: NDArray[np.int64]) -> tuple[object, ...]:
            read.append(len(rows))
            return super().read(rows)

    dataset = stream_batches(Counted(IMAGES, LABELS, ROWS, 1, seed=None))
    read.clear()
    next(iter(dataset))
    assert 1 <= len(read) <= 8


def test_autotuning_is_off() -> None:
    assert stream_batches(Batches(IMAGES, LABELS, ROWS, 5, seed=None)).options().autotune.enabled is False


def test_no_generator_has_malloc_give_memory_back() -> None:
    dataset = stream_batches(Batches(IMAGES, LABELS, ROWS, 5, seed=None))
    # 1: what the graph cannot hold, Python's function, is left out without a word.
    graph = tf.raw_ops.DatasetToGraphV2(input_dataset=tf.data.experimental.to_variant(dataset), external_state_policy=1)
    operations = {node.op for node in tf.compat.v1.GraphDef.FromString(graph.numpy()).node}
    assert "PrefetchDataset" in operations or "PrefetchDatasetV2" in operations
    assert not any("Generator" in operation for operation in operations)
