from collections.abc import Iterator
from dataclasses import replace

import keras
import numpy as np
import pytest
from conftest import CUTS, TRAINING, Experiment, Forgetful, Trained, make_execution
from numpy.typing import NDArray

from fusionseq.errors import PipelineError
from fusionseq.features import Features
from fusionseq.models.cutting import get_tail
from fusionseq.training import Epoch, train_model

Weights = dict[str, NDArray[np.float32]]


def get_weights(model: keras.Model) -> Weights:
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

    def save(self, model: keras.Model, history: list[Epoch]) -> None:
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


def test_labels_and_features_of_the_test_subset_are_not_looked_at(experiment: Experiment, trained: Trained) -> None:
    test = experiment.subsets.rows("test")
    labels = experiment.subsets.labels.copy()
    labels[test] = (labels[test] + 1) % 3
    features = {}
    for name, of_backbone in experiment.features.items():
        cut, pooled = of_backbone.cut.copy(), of_backbone.pooled.copy()
        cut[test] = np.nan
        pooled[test] = np.nan
        features[name] = replace(of_backbone, cut=cut, pooled=pooled)
    model = experiment.build("sequential")
    history = replace(experiment, features=features).train(model, subsets=replace(experiment.subsets, labels=labels))
    assert_equal_weights(model, trained.model)
    assert history == trained.history


def test_batch_normalization_moves_in_neither_phase(snapshots: Snapshots) -> None:
    tail = get_tail(snapshots.whole, CUTS)
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


@pytest.mark.parametrize("architecture", ["sequential", "fusion"])
def test_training_from_images_is_training_from_stored_features(experiment: Experiment, architecture: str) -> None:
    of_features, of_images = (experiment.build(architecture) for _ in range(2))
    history = experiment.train(of_features)
    assert experiment.train(of_images, inputs=experiment.images) == history
    assert_equal_weights(of_images, of_features)


def test_features_in_half_precision_train_to_nearly_the_same(experiment: Experiment, trained: Trained) -> None:
    halved = {
        name: Features(of.cut.astype(np.float16), of.pooled.astype(np.float16))
        for name, of in experiment.features.items()
    }
    history = experiment.train(experiment.build("sequential"), inputs=halved)
    assert history != trained.history
    for epoch, other in zip(history, trained.history, strict=True):
        assert epoch.loss == pytest.approx(other.loss, rel=0.02)


@pytest.mark.parametrize("precision", ["mixed_float16", "mixed_bfloat16"])
def test_softmax_stays_in_single_precision(experiment: Experiment, precision: str) -> None:
    keras.config.set_dtype_policy(precision)
    try:
        model = experiment.build("sequential")
        assert model.get_layer("probabilities").compute_dtype == "float32"
        assert model.get_layer("hidden").compute_dtype == precision.removeprefix("mixed_")
        history = experiment.train(model)
    finally:
        keras.config.set_dtype_policy("float32")
    assert model.output.dtype == "float32"
    assert all(variable.dtype == "float32" for variable in model.trainable_variables)
    assert np.isfinite([epoch.loss for epoch in history]).all()


def test_batch_too_small_for_the_devices_is_one_line(experiment: Experiment) -> None:
    execution = replace(make_execution(), num_devices=TRAINING.batch_size + 1)
    inputs = {"mobilenetv2": experiment.features["mobilenetv2"]}
    model = experiment.build("sequential")
    with pytest.raises(PipelineError, match=r"batch_size must be at least the number of devices, 6\. Got 5"):
        train_model(model, inputs, experiment.subsets, CUTS, TRAINING, 0, execution, Forgetful())


def test_diverging_training_stops_with_a_message(experiment: Experiment, monkeypatch: pytest.MonkeyPatch) -> None:
    frozen = TRAINING.frozen.model_copy(update={"learning_rate": 1e30})
    monkeypatch.setattr("conftest.TRAINING", TRAINING.model_copy(update={"frozen": frozen}))
    with pytest.raises(PipelineError, match=r"diverged in epoch 1.*frozen phase"):
        experiment.train(experiment.build("sequential"))
