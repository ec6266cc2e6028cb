from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import keras
import numpy as np
import pytest
from conftest import (
    CUTS,
    REGULARIZED,
    THREADS,
    TRAINING,
    Experiment,
    Forgetful,
    Recorded,
    Stopped,
    Trained,
    make_execution,
)
from numpy.typing import NDArray

from fusionseq.errors import PipelineError
from fusionseq.models.cutting import get_fine_tuning_phase
from fusionseq.runtime import configure_runtime
from fusionseq.training import Epoch, Weights, train_model


def get_weights(model: keras.Model) -> dict[str, NDArray[np.float32]]:
    return {weight.path: np.array(weight) for weight in model.weights}


def assert_equal_weights(first: keras.Model, second: keras.Model) -> None:
    weights = get_weights(second)
    for path, values in get_weights(first).items():
        np.testing.assert_array_equal(values, weights[path], err_msg=path)


def differ(first: keras.Model, second: keras.Model) -> bool:
    weights = get_weights(second)
    return any((values != weights[path]).any() for path, values in get_weights(first).items())


def list_normalization(model: keras.Model) -> list[keras.layers.Layer]:
    return [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]


class Snapshots(Forgetful):
    """Keeps the weights after each epoch."""

    def __init__(self, model: keras.Model) -> None:
        self.whole = model
        self.weights = [get_weights(model)]

    def save(self, model: keras.Model, history: list[Epoch], best: Weights) -> None:
        self.weights.append(get_weights(self.whole))


@pytest.fixture(scope="module")
def snapshots(experiment: Experiment) -> Snapshots:
    """Weights before training and after each of the four epochs."""
    model = experiment.build("sequential")
    taken = Snapshots(model)
    experiment.train(model, taken)
    return taken


def train_end_to_end(experiment: Experiment, model: keras.Model, seed: int = 0) -> None:
    """Train the whole model on images, by the plain means of Keras."""
    rows = experiment.subsets.rows("train")
    names = [layer.name for layer in model.layers]
    first_trained = names.index(CUTS["mobilenetv2"])
    first_of_head = names.index("hidden")
    epochs = 0
    for first, settings in ((first_of_head, TRAINING.frozen), (first_trained, TRAINING.fine_tuning)):
        for index, layer in enumerate(model.layers):
            layer.trainable = index >= first and not isinstance(layer, keras.layers.BatchNormalization)
        model.compile(
            keras.optimizers.Adam(settings.learning_rate), loss="sparse_categorical_crossentropy", jit_compile=False
        )
        for epoch in range(epochs, epochs + settings.epochs):
            for batch in draw_batches(rows, seed, epoch):
                model.train_on_batch(experiment.images[batch], experiment.subsets.labels[batch])
        epochs += settings.epochs


def draw_batches(rows: NDArray[np.int64], seed: int, epoch: int) -> Iterator[NDArray[np.int64]]:
    order = np.random.default_rng([seed, epoch]).permutation(rows)
    for start in range(0, len(rows), TRAINING.batch_size):
        yield order[start : start + TRAINING.batch_size]


def test_training_from_the_cut_is_training_end_to_end(experiment: Experiment, trained: Trained) -> None:
    assert len(experiment.subsets.rows("train")) % TRAINING.batch_size, "the last batch must be ragged"
    whole = experiment.build("sequential")
    train_end_to_end(experiment, whole)
    assert_equal_weights(whole, trained.model)


def test_same_seed_gives_the_same_weights_again(trained: Trained, snapshots: Snapshots) -> None:
    assert_equal_weights(snapshots.whole, trained.model)


def test_another_dropout_seed_gives_other_weights(experiment: Experiment, trained: Trained) -> None:
    other = experiment.build("sequential")
    other.get_layer("dropout").seed_generator.state.assign(np.array([1, 0], dtype=np.uint32))
    experiment.train(other)
    assert differ(other, trained.model)


@pytest.mark.parametrize("kind", ["features", "images"])
def test_nothing_of_the_test_subset_is_looked_at(experiment: Experiment, stopped: Stopped, kind: str) -> None:
    """No choice sees it: neither when to stop, nor which epoch was the best, nor the learning rate."""
    rng = np.random.default_rng(0)
    test = experiment.subsets.rows("test")
    labels = experiment.subsets.labels.copy()
    labels[test] = rng.permutation(labels[test])
    assert (labels != experiment.subsets.labels).any()
    images, features = experiment.images.copy(), {name: of.copy() for name, of in experiment.features.items()}
    images[test] = rng.integers(0, 256, images[test].shape)
    for values in features.values():
        values[test] = rng.normal(size=values[test].shape)
    blind = replace(experiment, subsets=replace(experiment.subsets, labels=labels), features=features)
    model = blind.build("fusion")
    history = blind.train(model, inputs=images if kind == "images" else None, training=REGULARIZED)
    assert_equal_weights(model, stopped.model)
    assert history == stopped.history


class Optimizers(Forgetful):
    """Keeps the learning rate and the weight decay after each epoch."""

    def __init__(self) -> None:
        self.rates: list[float] = []
        self.decays: list[float] = []

    def save(self, model: keras.Model, history: list[Epoch], best: Weights) -> None:
        self.rates.append(float(model.optimizer.learning_rate))
        self.decays.append(model.optimizer.weight_decay)


def test_labels_decay_and_schedule_are_those_of_the_parameters(experiment: Experiment) -> None:
    # A single batch, whose loss is that of the untrained model.
    options = {"batch_size": 13, "label_smoothing": 0.2, "weight_decay": 0.1, "learning_rate_schedule": "cosine"}
    model = experiment.build("sequential", dropout=0)
    rows = experiment.subsets.rows("train")
    assert len(rows) == 13
    shares = np.eye(3)[experiment.subsets.labels[rows]] * 0.8 + 0.2 / 3
    expected = -(shares * np.log(np.asarray(model(experiment.images[rows], training=False)))).sum(axis=1).mean()
    optimizers = Optimizers()
    history = experiment.train(model, optimizers, training=TRAINING.model_copy(update=options))
    assert history[0].loss == pytest.approx(expected, rel=1e-4)
    assert optimizers.decays == [0.1] * 4
    # Each phase has two epochs: a cosine is halfway down after the first.
    first, second = TRAINING.frozen.learning_rate, TRAINING.fine_tuning.learning_rate
    assert optimizers.rates == pytest.approx([first / 2, 0, second / 2, 0], abs=1e-9)


def test_phases_stop_once_validation_gets_no_better(stopped: Stopped) -> None:
    assert REGULARIZED.early_stopping is not None
    for phase, settings in (("frozen", REGULARIZED.frozen), ("fine-tuning", REGULARIZED.fine_tuning)):
        losses = stopped.losses(phase)
        assert len(losses) == np.argmin(losses) + 1 + REGULARIZED.early_stopping.patience < settings.epochs
    assert [epoch.epoch for epoch in stopped.history] == list(range(1, len(stopped.history) + 1))


def test_stopped_training_ends_with_the_weights_of_its_best_epoch(stopped: Stopped) -> None:
    best = len(stopped.losses("frozen")) + int(np.argmin(stopped.losses("fine-tuning")))
    for values, expected in zip(stopped.model.get_weights(), stopped.weights[best + 1], strict=True):
        np.testing.assert_array_equal(values, expected)


def test_best_epoch_is_chosen_by_the_labels_as_they_are(experiment: Experiment, stopped: Stopped) -> None:
    assert REGULARIZED.label_smoothing > 0
    rows = experiment.subsets.rows("validation")
    probabilities = np.asarray(stopped.model(experiment.images[rows], training=False))
    expected = -np.log(probabilities[np.arange(len(rows)), experiment.subsets.labels[rows]]).mean()
    assert min(stopped.losses("fine-tuning")) == pytest.approx(expected, rel=1e-4)


def test_fine_tuning_goes_on_from_the_best_epoch_of_the_frozen_phase(experiment: Experiment, tmp_path: Path) -> None:
    # Steps so small that weights stay what they are.
    still = REGULARIZED.fine_tuning.model_copy(update={"epochs": 1, "learning_rate": 1e-12})
    training = REGULARIZED.model_copy(update={"fine_tuning": still})
    model = experiment.build("sequential")
    recorded = Recorded(tmp_path, experiment, model, training)
    losses = [epoch.validation_loss for epoch in experiment.train(model, recorded, training=training)][:-1]
    best = int(np.argmin(losses))
    assert best + 1 < len(losses)
    for values, expected in zip(model.get_weights(), recorded.weights[best + 1], strict=True):
        np.testing.assert_allclose(values, expected, rtol=0, atol=1e-9)


def test_batch_normalization_moves_in_neither_phase(snapshots: Snapshots) -> None:
    tail = get_fine_tuning_phase(snapshots.whole, CUTS).part
    paths = [weight.path for layer in list_normalization(tail) for weight in layer.weights]
    assert len(paths) == 4 * 4  # four layers of gamma, beta, moving mean and moving variance
    before, *after = snapshots.weights
    assert len(after) == 4
    for weights in after:
        for path in paths:
            np.testing.assert_array_equal(weights[path], before[path], err_msg=path)


def test_frozen_phase_trains_the_head_alone(snapshots: Snapshots) -> None:
    before, after = snapshots.weights[0], snapshots.weights[2]
    changed = {path for path in before if (before[path] != after[path]).any()}
    assert changed == {"hidden/kernel", "hidden/bias", "probabilities/kernel", "probabilities/bias"}


def test_fine_tuning_trains_the_head_and_every_layer_from_the_cut(snapshots: Snapshots) -> None:
    before, after = snapshots.weights[2], snapshots.weights[4]
    changed = {path for path in before if (before[path] != after[path]).any()}
    head = {"hidden/kernel", "hidden/bias", "probabilities/kernel", "probabilities/bias"}
    block = {f"block_16_{part}/kernel" for part in ("expand", "depthwise", "project")}
    assert changed == head | block | {"Conv_1/kernel"}


def test_history_counts_on_from_phase_to_phase(trained: Trained) -> None:
    assert [(epoch.phase, epoch.epoch) for epoch in trained.history] == [
        ("frozen", 1),
        ("frozen", 2),
        ("fine-tuning", 3),
        ("fine-tuning", 4),
    ]


def test_last_validation_is_that_of_the_trained_model(experiment: Experiment, trained: Trained) -> None:
    rows = experiment.subsets.rows("validation")
    labels = experiment.subsets.labels[rows]
    probabilities = np.asarray(trained.model(experiment.images[rows], training=False))
    last = trained.history[-1]
    assert last.validation_accuracy == pytest.approx((probabilities.argmax(axis=1) == labels).mean())
    expected = -np.log(probabilities[np.arange(len(rows)), labels]).mean()
    assert last.validation_loss == pytest.approx(expected, rel=1e-4)


def test_training_learns(trained: Trained) -> None:
    assert trained.history[-1].loss < trained.history[0].loss


def test_fusion_trains_both_backbones_on_their_own_features(experiment: Experiment) -> None:
    model = experiment.build("fusion")
    before = get_weights(model)
    experiment.train(model)
    after = get_weights(model)
    changed = {path for path in before if (before[path] != after[path]).any()}
    assert {"block_16_expand/kernel", "block5_conv3/kernel", "block5_conv3/bias", "hidden/kernel"} < changed
    assert not changed & {"block_15_project/kernel", "block5_conv2/kernel"}
    assert not any("bn" in path.lower() for path in changed)


def test_training_from_images_is_training_from_stored_features(experiment: Experiment, trained: Trained) -> None:
    """For fusion, see `test_nothing_of_the_test_subset_is_looked_at`."""
    of_images = experiment.build("sequential")
    assert experiment.train(of_images, inputs=experiment.images) == trained.history
    assert_equal_weights(of_images, trained.model)


def test_features_in_half_precision_train_to_nearly_the_same(experiment: Experiment, trained: Trained) -> None:
    halved = {name: values.astype(np.float16) for name, values in experiment.features.items()}
    history = experiment.train(experiment.build("sequential"), inputs=halved)
    assert history != trained.history
    for epoch, other in zip(history, trained.history, strict=True):
        assert epoch.loss == pytest.approx(other.loss, rel=0.02)


def test_softmax_stays_in_single_precision(experiment: Experiment) -> None:
    # A process of its own: in float32 oneDNN is kept to kernels of which none has half precision.
    with ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn")) as pool:
        pool.submit(train_in_half_precision, experiment).result()


def train_in_half_precision(experiment: Experiment) -> None:
    for precision in ("mixed_float16", "mixed_bfloat16"):
        configure_runtime(THREADS, precision, deterministic=True)
        model = experiment.build("sequential")
        assert model.get_layer("probabilities").compute_dtype == "float32"
        assert model.get_layer("hidden").compute_dtype == precision.removeprefix("mixed_")
        history = experiment.train(model)
        assert model.output.dtype == "float32"
        assert all(variable.dtype == "float32" for variable in model.trainable_variables)
        assert np.isfinite([epoch.loss for epoch in history]).all()


def test_batch_too_small_for_the_devices_is_one_line(experiment: Experiment) -> None:
    execution = replace(make_execution(), num_devices=TRAINING.batch_size + 1)
    model = experiment.build("sequential")
    with pytest.raises(PipelineError, match=r"batch_size must be at least the number of devices, 6\. Got 5"):
        train_model(model, experiment.of_model(model), experiment.subsets, CUTS, TRAINING, 0, execution, Forgetful())


def test_diverging_training_stops_with_a_message(experiment: Experiment, monkeypatch: pytest.MonkeyPatch) -> None:
    frozen = TRAINING.frozen.model_copy(update={"learning_rate": 1e30})
    monkeypatch.setattr("conftest.TRAINING", TRAINING.model_copy(update={"frozen": frozen}))
    with pytest.raises(PipelineError, match=r"diverged in epoch 1.*frozen phase"):
        experiment.train(experiment.build("sequential"))
