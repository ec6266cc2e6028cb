import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from conftest import CUTS, REGULARIZED, RUNTIME, TRAINING, Experiment, Stopped, Trained
from numpy.typing import NDArray
from sharded import write_shards

from fusionseq.artifacts import Subsets
from fusionseq.augmentation import augment
from fusionseq.resuming import SavedProgress
from fusionseq.shard_files import ShardedArray
from fusionseq.training import Epoch, Weights
from fusionseq.training_sections import EarlyStoppingParams, TrainingParams


class KilledError(Exception):
    pass


class Killed(SavedProgress):
    """Dies once some epochs are saved, as a process would."""

    epochs = 0

    def save(self, model: keras.Model, history: list[Epoch], best: Weights) -> None:
        super().save(model, history, best)
        if len(history) == self.epochs:
            raise KilledError


class Counted(SavedProgress):
    """Counts the epochs that are trained."""

    trained = 0

    def save(self, model: keras.Model, history: list[Epoch], best: Weights) -> None:
        super().save(model, history, best)
        self.trained += 1


def make_progress(
    kind: Callable[..., SavedProgress],
    folder: Path,
    experiment: Experiment,
    model: keras.Model,
    interval: float = 0.0,
    training: TrainingParams = TRAINING,
) -> Any:
    of_model = experiment.of_model(model)
    return kind(folder, model, of_model, experiment.subsets, CUTS, training, RUNTIME, 0, interval=interval)


def start_and_kill(folder: Path, experiment: Experiment, epochs: int) -> None:
    model = experiment.build("sequential")
    progress = make_progress(Killed, folder, experiment, model)
    progress.epochs = epochs
    with pytest.raises(KilledError):
        experiment.train(model, progress)


def run_again(folder: Path, experiment: Experiment) -> tuple[keras.Model, list[Epoch], int]:
    """Train as a new process would: the model, its history, and the number of epochs that were trained now."""
    model = experiment.build("sequential")
    progress = make_progress(Counted, folder, experiment, model)
    observed: list[Epoch] = []
    history = experiment.train(model, progress, observe=observed.append)
    assert observed == history, "each epoch is told of once, also those that were trained before"
    return model, history, progress.trained


def assert_equal_weights(model: keras.Model, expected: keras.Model) -> None:
    for variable, other in zip(model.variables, expected.variables, strict=True):
        np.testing.assert_array_equal(np.array(variable), np.array(other), err_msg=variable.path)


@pytest.mark.parametrize("epochs", [1, 2, 3], ids=["frozen", "boundary", "fine-tuning"])
def test_killed_training_ends_as_one_that_ran_through(
    experiment: Experiment, trained: Trained, tmp_path: Path, epochs: int
) -> None:
    start_and_kill(tmp_path, experiment, epochs)
    model, history, trained_now = run_again(tmp_path, experiment)
    assert trained_now == 4 - epochs
    assert history == trained.history
    assert_equal_weights(model, trained.model)


@pytest.mark.parametrize("killed", ["waiting", "stopped", "fine-tuning"])
def test_killed_training_stops_where_one_that_ran_through_did(
    experiment: Experiment, stopped: Stopped, tmp_path: Path, killed: str
) -> None:
    num_frozen = len(stopped.losses("frozen"))
    # The best epoch is not the last one in any of these.
    epochs = {"waiting": num_frozen - 1, "stopped": num_frozen, "fine-tuning": len(stopped.history) - 1}[killed]
    shutil.copytree(stopped.states / str(epochs), tmp_path / "state")
    model = experiment.build("fusion")
    progress = make_progress(Counted, tmp_path / "state", experiment, model, training=REGULARIZED)
    history = experiment.train(model, progress, training=REGULARIZED)
    assert progress.trained == len(history) - epochs
    assert history == stopped.history
    assert_equal_weights(model, stopped.model)


def test_random_changes_go_on_where_they_were(experiment: Experiment, sequential: keras.Model, tmp_path: Path) -> None:
    def build() -> keras.Model:
        image = keras.Input((32, 32, 3), dtype="uint8")
        pixels = keras.layers.Flatten()(keras.ops.cast(image, "float32") / 255)
        kernel = keras.initializers.GlorotUniform(0)
        probabilities = keras.layers.Dense(3, "softmax", kernel_initializer=kernel)(pixels)
        shares = {"rotation": 10.0, "translation": 0.1, "crop": 0.1, "colour": 0.1}
        changes = TRAINING.augmentation.model_copy(update=shares | {"horizontal_flip": True})
        model = augment(keras.Model([image], probabilities), changes, 0)
        model.compile("adam", loss="sparse_categorical_crossentropy")
        model.optimizer.build(model.trainable_variables)
        return model

    def change(model: keras.Model) -> NDArray[np.float32]:
        return np.asarray(model([experiment.images], training=True))

    model, resumed = build(), build()
    first = change(model)
    epochs = [Epoch("frozen", 1, 0.5, 0.5, 0.5, 0.5)]
    make_progress(SavedProgress, tmp_path, experiment, sequential).save(model, epochs, [])
    make_progress(SavedProgress, tmp_path, experiment, sequential).load(resumed)
    second = change(resumed)
    np.testing.assert_array_equal(second, change(model))
    assert (second != first).any()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[{",
        b"null",
        b'[{"phase": "frozen"}]',
        b"[1]",
        b"\xff\xfe\x00",
        b"7",
        b'{"history": []}',
        b'{"history": [{"phase": "frozen"}], "seed_states": []}',
        b'{"history": [], "seed_states": [], "weights_sha256": ""}',
    ],
)
def test_damaged_history_starts_anew(
    experiment: Experiment, sequential: keras.Model, tmp_path: Path, content: bytes
) -> None:
    progress = make_progress(SavedProgress, tmp_path, experiment, sequential)
    save_epoch(progress, sequential)
    (file,) = tmp_path.glob("*/history.json")
    assert len(progress.read_history()) == 1
    file.write_bytes(content)
    assert make_progress(SavedProgress, tmp_path, experiment, sequential).read_history() == []


def test_training_after_damaged_weights_ends_as_one_that_ran_through(
    experiment: Experiment, trained: Trained, tmp_path: Path
) -> None:
    start_and_kill(tmp_path, experiment, 1)
    (file,) = tmp_path.glob("*/*.weights.h5")
    file.write_bytes(file.read_bytes()[:1000])
    model, history, trained_now = run_again(tmp_path, experiment)
    assert (trained_now, history) == (4, trained.history)
    assert_equal_weights(model, trained.model)


def test_damaged_best_weights_start_anew(experiment: Experiment, stopped: Stopped, tmp_path: Path) -> None:
    shutil.copytree(stopped.states / "2", tmp_path / "state")
    (file,) = tmp_path.glob("state/*/2.best.safetensors")
    model = experiment.build("fusion")
    progress = make_progress(SavedProgress, tmp_path / "state", experiment, model, training=REGULARIZED)
    assert len(progress.read_history()) == 2
    file.write_bytes(file.read_bytes()[:1000])
    assert progress.read_history() == []


def save_epoch(progress: SavedProgress, model: keras.Model) -> None:
    model.compile("adam", loss="sparse_categorical_crossentropy")
    model.optimizer.build(model.trainable_variables)
    progress.save(model, [Epoch("frozen", 1, 0.1 + 0.2, 0.5, 1e-17, 0.25)], [])


def test_history_survives_exactly(experiment: Experiment, sequential: keras.Model, tmp_path: Path) -> None:
    save_epoch(make_progress(SavedProgress, tmp_path, experiment, sequential), sequential)
    history = make_progress(SavedProgress, tmp_path, experiment, sequential).read_history()
    assert history == [Epoch("frozen", 1, 0.1 + 0.2, 0.5, 1e-17, 0.25)]


def change_array(array: NDArray[Any]) -> NDArray[Any]:
    changed = array.copy()
    changed.flat[-1] += 1
    return changed


@pytest.fixture(scope="module")
def changes(experiment: Experiment, sequential: keras.Model) -> dict[str, dict[str, Any]]:
    features = experiment.of_model(sequential)
    cut, pooled = "mobilenetv2/cut", "mobilenetv2/pooled"
    subsets = experiment.subsets
    rate = TRAINING.frozen.model_copy(update={"learning_rate": 1.1e-3})
    mixup = TRAINING.augmentation.model_copy(update={"mixup": 0.2})
    more_epochs = TRAINING.fine_tuning.model_copy(update={"epochs": 3})
    return {
        "seed": {"seed": 1},
        "batch size": {"training": TRAINING.model_copy(update={"batch_size": 4})},
        "learning rate": {"training": TRAINING.model_copy(update={"frozen": rate})},
        "epochs": {"training": TRAINING.model_copy(update={"fine_tuning": more_epochs})},
        "cut": {"first_trained_layers": CUTS | {"mobilenetv2": "block_15_expand"}},
        "labels": {"subsets": replace(subsets, labels=change_array(subsets.labels))},
        "split": {"subsets": replace(subsets, subset=np.roll(subsets.subset, 1))},
        "cut features": {"inputs": features | {cut: change_array(features[cut])}},
        "pooled features": {"inputs": features | {pooled: change_array(features[pooled])}},
        "initial weights": {"model": experiment.build("sequential", seed=1)},
        "threads": {"runtime": RUNTIME.model_copy(update={"threads": 1})},
        "images": {"inputs": experiment.images},
        "augmentation": {"training": TRAINING.model_copy(update={"augmentation": mixup})},
        "label smoothing": {"training": TRAINING.model_copy(update={"label_smoothing": 0.1})},
        "weight decay": {"training": TRAINING.model_copy(update={"weight_decay": 0.1})},
        "schedule": {"training": TRAINING.model_copy(update={"learning_rate_schedule": "cosine"})},
        "early stopping": {"training": TRAINING.model_copy(update={"early_stopping": EarlyStoppingParams(patience=9)})},
        "dropout": {"model": experiment.build("sequential", dropout=0.25)},
    }


@pytest.mark.parametrize(
    "change",
    [
        "seed",
        "batch size",
        "learning rate",
        "epochs",
        "cut",
        "labels",
        "split",
        "cut features",
        "pooled features",
        "initial weights",
        "threads",
        "images",
        "augmentation",
        "label smoothing",
        "weight decay",
        "schedule",
        "early stopping",
        "dropout",
    ],
)
def test_progress_of_other_settings_is_not_picked_up(
    experiment: Experiment,
    sequential: keras.Model,
    changes: dict[str, dict[str, Any]],
    tmp_path: Path,
    change: str,
) -> None:
    save_epoch(make_progress(SavedProgress, tmp_path, experiment, sequential), sequential)
    settings: dict[str, Any] = {
        "model": sequential,
        "inputs": experiment.of_model(sequential),
        "subsets": experiment.subsets,
        "first_trained_layers": CUTS,
        "training": TRAINING,
        "runtime": RUNTIME,
        "seed": 0,
    }
    assert SavedProgress(tmp_path, **settings).read_history()
    assert SavedProgress(tmp_path, **settings | changes[change]).read_history() == []


def test_names_of_images_do_not_decide_the_progress(
    experiment: Experiment, sequential: keras.Model, tmp_path: Path
) -> None:
    save_epoch(make_progress(SavedProgress, tmp_path, experiment, sequential), sequential)
    subsets = experiment.subsets
    renamed = Subsets(
        subsets.class_names, tuple(f"new {name}" for name in subsets.names), subsets.labels, subsets.subset
    )
    progress = SavedProgress(tmp_path, sequential, experiment.of_model(sequential), renamed, CUTS, TRAINING, RUNTIME, 0)
    assert len(progress.read_history()) == 1


@pytest.mark.parametrize("change", [{"engine": "ray"}, {"ray_address": "head:6379"}])
def test_who_computed_the_features_does_not_decide_the_progress(
    experiment: Experiment, sequential: keras.Model, tmp_path: Path, change: dict[str, str]
) -> None:
    save_epoch(make_progress(SavedProgress, tmp_path, experiment, sequential), sequential)
    runtime, of_model = RUNTIME.model_copy(update=change), experiment.of_model(sequential)
    progress = SavedProgress(tmp_path, sequential, of_model, experiment.subsets, CUTS, TRAINING, runtime, 0)
    assert len(progress.read_history()) == 1


def test_progress_is_that_of_the_features_however_they_lie_in_shards(
    experiment: Experiment, sequential: keras.Model, tmp_path: Path
) -> None:
    of_model = experiment.of_model(sequential)
    save_epoch(make_progress(SavedProgress, tmp_path / "saved", experiment, sequential), sequential)

    def read_history(inputs: dict[str, NDArray[Any]], *ends: int) -> list[Epoch]:
        stored = {name: ShardedArray(write_shards(tmp_path / name, inputs[name], *ends)) for name in inputs}
        return SavedProgress(
            tmp_path / "saved", sequential, stored, experiment.subsets, CUTS, TRAINING, RUNTIME, 0
        ).read_history()

    assert len(read_history(of_model, 7, 15)) == len(read_history(of_model)) == 1
    changed = {name: values.copy() for name, values in of_model.items()}
    changed["mobilenetv2/cut"][-1, 0] += 1
    assert read_history(changed, 7, 15) == []


def test_only_the_last_weights_are_kept(experiment: Experiment, tmp_path: Path) -> None:
    start_and_kill(tmp_path, experiment, 3)
    assert sorted(path.name for path in tmp_path.glob("*/*")) == [
        "3.best.safetensors",
        "3.weights.h5",
        "history.json",
    ]


def test_nothing_is_saved_a_moment_after_the_last_time(
    experiment: Experiment, sequential: keras.Model, tmp_path: Path
) -> None:
    progress = make_progress(SavedProgress, tmp_path, experiment, sequential, interval=3600.0)
    save_epoch(progress, sequential)
    assert progress.read_history() == []
    assert list(tmp_path.iterdir()) == []


def test_kill_before_the_history_is_written_leaves_the_older_state(
    experiment: Experiment, sequential: keras.Model, tmp_path: Path
) -> None:
    save_epoch(make_progress(SavedProgress, tmp_path, experiment, sequential), sequential)
    (folder,) = tmp_path.iterdir()
    (folder / "2.weights.h5").write_bytes(b"half")
    progress = make_progress(SavedProgress, tmp_path, experiment, sequential)
    assert len(progress.read_history()) == 1
    progress.load(sequential)


def test_progress_that_is_cleared_is_gone(experiment: Experiment, sequential: keras.Model, tmp_path: Path) -> None:
    progress = make_progress(SavedProgress, tmp_path, experiment, sequential)
    save_epoch(progress, sequential)
    progress.clear()
    assert list(tmp_path.iterdir()) == []
    progress.clear()


def test_saved_history_is_readable(experiment: Experiment, sequential: keras.Model, tmp_path: Path) -> None:
    save_epoch(make_progress(SavedProgress, tmp_path, experiment, sequential), sequential)
    (file,) = tmp_path.glob("*/history.json")
    assert json.loads(file.read_text(encoding="utf-8"))["history"][0]["phase"] == "frozen"
