import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from conftest import CUTS, TRAINING, Experiment, Trained
from numpy.typing import NDArray

from fusionseq.artifacts import Subsets
from fusionseq.features import Features
from fusionseq.resuming import SavedProgress
from fusionseq.sections import AugmentationParams, RuntimeParams
from fusionseq.training import Epoch

RUNTIME = RuntimeParams(threads=2, jit_compile=False, precision="float32", deterministic=True, devices="one")


FLIPS = AugmentationParams(horizontal_flip=True, rotation=10, translation=0.1)


class KilledError(Exception):
    pass


class Killed(SavedProgress):
    """Dies once some epochs are saved, as a process would."""

    epochs = 0

    def save(self, model: keras.Model, history: list[Epoch]) -> None:
        super().save(model, history)
        if len(history) == self.epochs:
            raise KilledError


class Counted(SavedProgress):
    """Counts the epochs that are trained."""

    trained = 0

    def save(self, model: keras.Model, history: list[Epoch]) -> None:
        super().save(model, history)
        self.trained += 1


def make_progress(
    kind: Callable[..., SavedProgress], folder: Path, experiment: Experiment, model: keras.Model, interval: float = 0.0
) -> Any:
    of_model = experiment.of_model(model)
    return kind(folder, model, of_model, experiment.subsets, CUTS, TRAINING, RUNTIME, 0, interval=interval)


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
    history = experiment.train(model, progress)
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


def save_epoch(progress: SavedProgress, model: keras.Model) -> None:
    model.compile("adam", loss="sparse_categorical_crossentropy")
    model.optimizer.build(model.trainable_variables)
    progress.save(model, [Epoch("frozen", 1, 0.1 + 0.2, 0.5, 1e-17, 0.25)])


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
    features = experiment.of_model(sequential)["mobilenetv2"]
    subsets = experiment.subsets
    rate = TRAINING.frozen.model_copy(update={"learning_rate": 1.1e-3})
    more_epochs = TRAINING.fine_tuning.model_copy(update={"epochs": 3})
    return {
        "seed": {"seed": 1},
        "batch size": {"training": TRAINING.model_copy(update={"batch_size": 4})},
        "learning rate": {"training": TRAINING.model_copy(update={"frozen": rate})},
        "epochs": {"training": TRAINING.model_copy(update={"fine_tuning": more_epochs})},
        "cut": {"first_trained_layers": CUTS | {"mobilenetv2": "block_15_expand"}},
        "labels": {"subsets": replace(subsets, labels=change_array(subsets.labels))},
        "split": {"subsets": replace(subsets, subset=np.roll(subsets.subset, 1))},
        "cut features": {"inputs": {"mobilenetv2": Features(change_array(features.cut), features.pooled)}},
        "pooled features": {"inputs": {"mobilenetv2": Features(features.cut, change_array(features.pooled))}},
        "initial weights": {"model": experiment.build("sequential", seed=1)},
        "threads": {"runtime": RUNTIME.model_copy(update={"threads": 1})},
        "images": {"inputs": experiment.images},
        "augmentation": {"training": TRAINING.model_copy(update={"augmentation": FLIPS})},
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


def test_only_the_last_weights_are_kept(experiment: Experiment, tmp_path: Path) -> None:
    start_and_kill(tmp_path, experiment, 3)
    assert sorted(path.name for path in tmp_path.glob("*/*")) == ["3.weights.h5", "history.json"]


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
