"""A small experiment on 32 px images, built once for all tests: random backbones stand in for pretrained ones."""

# Before NumPy and TensorFlow, as in every program: it settles which of their kernels compute.
import fusionseq  # noqa: F401  # isort: skip

import shutil
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import yaml
from numpy.typing import NDArray

from fusionseq.artifacts import Subsets
from fusionseq.model_catalog import find_stems
from fusionseq.sections import RuntimeParams
from fusionseq.training_sections import EarlyStoppingParams, PhaseParams, TrainingParams

if TYPE_CHECKING:
    import keras

    from fusionseq.features import Inputs
    from fusionseq.model_files import ModelCard
    from fusionseq.training import Epoch, Execution, Progress, Weights

# Files of few tests that take long: begun first, so that no process is left alone with one at the end.
LONGEST = (
    "test_ray_engine.py",
    "test_equivalence.py",
    "test_dvc_commands.py",
    "test_stages.py",
    "test_pipeline.py",
    "test_devices.py",
    "test_resuming.py",
    "test_adding_a_model.py",
    "test_own_images.py",
    "test_plan.py",
    "test_ray_cluster.py",
    "test_shared_runs.py",
    "test_export.py",
)

THREADS = 2
IMAGE_SIZE = 32
CLASS_NAMES = ("ant", "bee", "cat")
UNITS = 16
DROPOUT = 0.5
# Each of these leaves BatchNormalization, where there is any, on both of its sides.
BACKBONES = ("mobilenetv2", "vgg16")
CUTS = {"mobilenetv2": "block_16_expand", "vgg16": "block5_conv3"}
RUNTIME = RuntimeParams(
    threads=THREADS,
    jit_compile=False,
    precision="float32",
    deterministic=True,
    devices="one",
    engine="local",
    ray_address=None,
)
# The embedded default, whose training has every option off.
DEFAULT = yaml.safe_load((Path(__file__).parents[1] / "profiles" / "default.yaml").read_text(encoding="utf-8"))
# 13 training images make two full batches and a ragged one.
TRAINING = TrainingParams.model_validate(
    DEFAULT["training"]
    | {
        "batch_size": 5,
        "frozen": {"epochs": 2, "learning_rate": 1e-3},
        "fine_tuning": {"epochs": 2, "learning_rate": 5e-4},
    }
)
# Everything that stored features allow. The rates are so high that validation soon gets worse: both phases stop early.
REGULARIZED = TRAINING.model_copy(
    update={
        "label_smoothing": 0.1,
        "weight_decay": 0.1,
        "learning_rate_schedule": "cosine",
        "early_stopping": EarlyStoppingParams(patience=2),
        "frozen": PhaseParams(epochs=7, learning_rate=5e-3),
        "fine_tuning": PhaseParams(epochs=7, learning_rate=2e-3),
    }
)


@dataclass(frozen=True)
class Experiment:
    """All that training takes, small."""

    backbones: Path
    images: NDArray[np.uint8]
    subsets: Subsets
    features: Mapping[str, NDArray[Any]]

    def build(self, architecture: str, seed: int = 0, dropout: float = DROPOUT) -> "keras.Model":
        """Build a model with the stand-ins for pretrained backbones."""
        from fusionseq.models.architectures import build_architecture
        from fusionseq.models.head import Head
        from fusionseq.weight_files import read_backbones

        head = Head(len(CLASS_NAMES), UNITS, dropout, seed)
        model = build_architecture(architecture, BACKBONES, IMAGE_SIZE, head)
        read_backbones(self.backbones, model)
        return model

    def train(
        self,
        model: "keras.Model",
        progress: "Progress | None" = None,
        subsets: Subsets | None = None,
        seed: int = 0,
        inputs: "Inputs | None" = None,
        training: TrainingParams | None = None,
        observe: "Callable[[Epoch], object] | None" = None,
    ) -> "list[Epoch]":
        """Train a model in both phases, by default on features; without a place for its progress, none is kept."""
        from fusionseq.training import train_model

        subsets, progress = subsets or self.subsets, progress or Forgetful()
        inputs = self.of_model(model) if inputs is None else inputs
        execution = make_execution(observe or ignore)
        return train_model(model, inputs, subsets, CUTS, training or TRAINING, seed, execution, progress)

    def of_model(self, model: "keras.Model") -> dict[str, NDArray[Any]]:
        """The features that a model is trained from."""
        from fusionseq.models.cutting import list_stored

        return {name: self.features[name] for name in list_stored(model, CUTS)}


def ignore(epoch: object) -> None:
    """Look at no epoch."""


def make_execution(observe: "Callable[[Epoch], object]" = ignore) -> "Execution":
    """Carry a training out as the pipeline does, without a word."""
    from fusionseq.streaming import stream_batches
    from fusionseq.training import Execution

    return Execution(jit_compile=False, num_devices=1, feed=stream_batches, verbose=0, observe=observe)


class Forgetful:
    """Keeps no progress."""

    def read_history(self) -> "list[Epoch]":
        return []

    def load(self, model: "keras.Model") -> "Weights":
        raise AssertionError("nothing was saved")

    def save(self, model: "keras.Model", history: "list[Epoch]", best: "Weights") -> None:
        pass


@dataclass(frozen=True)
class Trained:
    """A sequential model after both phases."""

    model: "keras.Model"
    history: "list[Epoch]"
    card: "ModelCard"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: LONGEST.index(item.path.name) if item.path.name in LONGEST else len(LONGEST))


@pytest.fixture(scope="session", autouse=True)
def runtime() -> None:
    """Before anything is computed: afterwards TensorFlow no longer lets the number of threads be set."""
    from fusionseq.runtime import configure_runtime

    configure_runtime(THREADS, "float32", deterministic=True)


@pytest.fixture(scope="session")
def images() -> NDArray[np.uint8]:
    """Twenty images of coarse random blocks."""
    blocks = np.random.default_rng(0).integers(0, 256, (20, 4, 4, 3))
    return np.kron(blocks, np.ones((1, 8, 8, 1), dtype=np.int64)).astype(np.uint8)


@pytest.fixture(scope="session")
def embedded_weights(runtime: None, images: NDArray[np.uint8]) -> dict[str, NDArray[np.float16]]:
    """Random weights through which a signal survives, as the embedded file would hold them."""
    import keras

    from fusionseq.models.backbones import build_backbone

    weights: dict[str, NDArray[np.float16]] = {}
    for name in BACKBONES:
        image = keras.Input((IMAGE_SIZE, IMAGE_SIZE, 3), dtype="uint8")
        model = keras.Model(image, build_backbone(name, image))
        for seed, variable in enumerate(model.trainable_variables):
            if len(variable.shape) == 4:
                variable.assign(keras.initializers.HeNormal(seed)(variable.shape))
        for layer in model.layers:
            if isinstance(layer, keras.layers.BatchNormalization):
                # Without momentum, one pass makes the statistics of these images the moving ones.
                layer.momentum = 0.0
            elif layer.name == "block1_conv1":
                layer.kernel.assign(layer.kernel / 64)
        model(images, training=True)
        weights |= {f"{name}/{variable.path}": np.asarray(variable, np.float16) for variable in model.variables}
    return weights


@pytest.fixture(scope="session")
def experiment(
    embedded_weights: dict[str, NDArray[np.float16]],
    images: NDArray[np.uint8],
    tmp_path_factory: pytest.TempPathFactory,
) -> Experiment:
    """All that training takes, small."""
    from fusionseq.features import extract_features
    from fusionseq.models.backbones import build_pooled
    from fusionseq.models.cutting import get_frozen
    from fusionseq.models.weights import build_pretrained
    from fusionseq.weight_files import read_backbones, write_weights

    folder = tmp_path_factory.mktemp("backbones")
    features: dict[str, NDArray[Any]] = {}
    for name in BACKBONES:
        write_weights(folder / f"{name}.weights.h5", build_pretrained(name, embedded_weights))
        model = build_pooled(name, IMAGE_SIZE)
        read_backbones(folder, model)
        rows = list(extract_features(get_frozen(model, CUTS[name], name, find_stems(name, ["stacked"])), images))
        features |= {key: np.stack([row[key] for row in rows]) for key in rows[0]}
    subset = np.array(["train", "train", "validation", "train", "test"] * 4)
    subset[4] = "train"
    labels = np.random.default_rng(1).permutation(np.arange(len(images)) % len(CLASS_NAMES))
    names = tuple(f"image-{row:02d}.png" for row in range(len(images)))
    return Experiment(folder, images, Subsets(CLASS_NAMES, names, labels, subset), features)


@pytest.fixture(scope="session")
def fusion(experiment: Experiment) -> "keras.Model":
    """An untrained fusion model. Leave its weights alone."""
    return experiment.build("fusion")


@pytest.fixture(scope="session")
def sequential(experiment: Experiment) -> "keras.Model":
    """An untrained sequential model. Leave its weights alone."""
    return experiment.build("sequential")


@pytest.fixture(scope="session")
def trained(experiment: Experiment) -> Trained:
    """A sequential model, trained without interruption. Leave its weights alone."""
    from fusionseq.model_files import ModelCard

    model = experiment.build("sequential")
    history = experiment.train(model)
    cuts = {"mobilenetv2": CUTS["mobilenetv2"]}
    return Trained(model, history, ModelCard("sequential", BACKBONES, 0, IMAGE_SIZE, CLASS_NAMES, UNITS, DROPOUT, cuts))


class Recorded(Forgetful):
    """Keeps the state of the training, and all weights of the model, after each epoch."""

    def __init__(self, folder: Path, experiment: Experiment, model: "keras.Model", training: TrainingParams) -> None:
        from fusionseq.resuming import SavedProgress

        self.whole, self.folder = model, folder
        self.weights = [model.get_weights()]
        inputs = experiment.of_model(model)
        self.progress = SavedProgress(
            folder / "last", model, inputs, experiment.subsets, CUTS, training, RUNTIME, 0, interval=0
        )

    def save(self, model: "keras.Model", history: "list[Epoch]", best: "Weights") -> None:
        self.progress.save(model, history, best)
        shutil.copytree(self.folder / "last", self.folder / str(len(history)))
        self.weights.append(self.whole.get_weights())


@dataclass(frozen=True)
class Stopped:
    """A fusion model, each phase of whose training stopped early: also all weights and states on the way."""

    model: "keras.Model"
    history: "list[Epoch]"
    weights: list[list[NDArray[np.float32]]]
    states: Path

    def losses(self, phase: str) -> list[float]:
        """Validation losses of a phase."""
        return [epoch.validation_loss for epoch in self.history if epoch.phase == phase]


@pytest.fixture(scope="session")
def stopped(experiment: Experiment, tmp_path_factory: pytest.TempPathFactory) -> Stopped:
    """A fusion model, trained without interruption until each phase stopped. Leave its weights alone."""
    model = experiment.build("fusion")
    recorded = Recorded(tmp_path_factory.mktemp("states"), experiment, model, REGULARIZED)
    history = experiment.train(model, recorded, training=REGULARIZED)
    return Stopped(model, history, recorded.weights, recorded.folder)


@pytest.fixture
def params_content() -> dict[str, Any]:
    """What YAML reads from a valid params.yaml."""
    return {
        "data": {
            "source": "digits",
            "path": "requirements.txt",
            "on_bad_image": "error",
            "num_classes": 10,
            "images_per_class": None,
        },
        "split": {
            "use": "ours",
            "train": 0.6,
            "validation": 0.2,
            "test": 0.2,
            "seed": 0,
            "near_duplicates": None,
        },
        "image_size": 48,
        "weights": {"source": "embedded", "sha256": "0" * 64},
        "backbones": ["mobilenetv2", "vgg16"],
        "controls": ["vgg16", "stacked", "wide_head"],
        "ensemble": ["sequential", "vgg16"],
        "first_trained_layer": {"mobilenetv2": "block_13_expand", "vgg16": "block5_conv1"},
        "features": {"mode": "auto", "dtype": "float32"},
        "head": {"units": 256, "dropout": 0.5},
        "training": deepcopy(DEFAULT["training"])
        | {
            "batch_size": 32,
            "frozen": {"epochs": 15, "learning_rate": 1e-3},
            "fine_tuning": {"epochs": 6, "learning_rate": 1e-4},
        },
        "seeds": [0, 1, 2],
        "statistics": {"confidence": 0.95, "resamples": 200},
        "runtime": {
            "threads": 2,
            "jit_compile": False,
            "precision": "float32",
            "deterministic": True,
            "devices": "one",
            "engine": "local",
            "ray_address": None,
        },
    }
