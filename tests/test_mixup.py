from typing import Any

import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from fusionseq.batches import Batches
from fusionseq.mixup import MixedBatches

NUM_EXAMPLES = 30
ROWS = np.array([3, 1, 4, 15, 9, 2, 6, 5, 8, 7, 28])
IMAGES = np.random.default_rng(0).integers(0, 256, (NUM_EXAMPLES, 2, 2, 3)).astype(np.uint8)
# Each example is a class of its own, so that labels tell what was mixed.
LABELS = np.eye(NUM_EXAMPLES, dtype=np.float32)


def make_batches(full: bool = False) -> MixedBatches:
    return MixedBatches(IMAGES, LABELS, ROWS, 4, seed=0, alpha=0.4, full=full)


def list_batches(batches: Batches) -> list[tuple[NDArray[Any], ...]]:
    return [batches[index] for index in range(len(batches))]


@pytest.mark.parametrize("full", [False, True], ids=["ragged", "full"])
def test_images_are_mixed_as_their_labels_are(full: bool) -> None:
    plain = list_batches(Batches(IMAGES, LABELS, ROWS, 4, seed=0, full=full))
    for (images, labels, *weights), (own, own_labels, *expected_weights) in zip(
        list_batches(make_batches(full=full)), plain, strict=True
    ):
        num_mixed = 3 if len(ROWS) % 4 and own is plain[-1][0] else 4
        # The order is the one without mixtures, and each is mixed with the one before it.
        partners = np.roll(own_labels[:num_mixed], 1, axis=0)
        shares = (labels[:num_mixed] * own_labels[:num_mixed]).sum(axis=1)
        assert ((shares >= 0) & (shares <= 1)).all()
        by_hand = shares[:, None] * own_labels[:num_mixed] + (1 - shares[:, None]) * partners
        np.testing.assert_allclose(labels[:num_mixed], by_hand, rtol=1e-6)
        of_labels = np.tensordot(labels[:num_mixed], IMAGES.astype(np.float64), 1)
        assert images.dtype == np.uint8
        np.testing.assert_allclose(images[:num_mixed], of_labels, atol=0.5 + 1e-4)
        # What only fills a batch up stays as it is, and has no weight.
        np.testing.assert_array_equal(images[num_mixed:], own[num_mixed:])
        np.testing.assert_array_equal(weights, expected_weights)


def test_shares_follow_the_beta_distribution() -> None:
    rows = np.arange(NUM_EXAMPLES).repeat(200)
    for alpha in (0.2, 1.0, 8.0):
        batches = MixedBatches(IMAGES, LABELS, rows, len(rows), seed=0, alpha=alpha)
        order = Batches(IMAGES, LABELS, rows, len(rows), seed=0)[0][1].argmax(axis=1)
        is_other = order != np.roll(order, 1)
        shares = batches[0][1][np.arange(len(rows)), order][is_other]
        assert shares.mean() == pytest.approx(0.5, abs=0.02)
        assert shares.var() == pytest.approx(1 / (4 * (2 * alpha + 1)), rel=0.05)


def test_mixtures_differ_by_epoch_and_do_not_depend_on_what_was_drawn_before() -> None:
    through, resumed = make_batches(), make_batches()
    epochs = []
    for epoch in range(3):
        through.set_epoch(epoch)
        epochs.append(list_batches(through))
    resumed.set_epoch(2)
    for batch, again in zip(epochs[2], list_batches(resumed), strict=True):
        np.testing.assert_array_equal(batch[0], again[0])
        np.testing.assert_array_equal(batch[1], again[1])
    shares = [np.sort(epoch[0][1].max(axis=1)) for epoch in epochs]
    assert not np.allclose(shares[0], shares[1])
    assert not np.allclose(shares[1], shares[2])


def test_training_sees_the_larger_share_as_the_label() -> None:
    labels = make_batches()[0][1]
    shares = np.sort(labels, axis=1)[:, -2:]
    assert (shares[:, 1] >= 0.5).all()
    right = keras.metrics.categorical_accuracy(labels, np.eye(NUM_EXAMPLES)[labels.argmax(axis=1)])
    np.testing.assert_array_equal(np.asarray(right), 1)
