"""Training on two devices that share each batch, against one: in a process of its own, since devices are set once."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PROGRAM = """
import json
from dataclasses import replace
import numpy as np
import tensorflow as tf

tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
)
import keras
from conftest import BACKBONES, CLASS_NAMES, IMAGE_SIZE, REGULARIZED, TRAINING, Forgetful, make_execution
from fusionseq.artifacts import Subsets
from fusionseq.augmentation import augment
from fusionseq.batches import Batches
from fusionseq.models.architectures import build_architecture
from fusionseq.models.head import Head
from fusionseq.runtime import configure_runtime, using_devices
from fusionseq.streaming import stream_batches
from fusionseq.training import train_model
from fusionseq.training_sections import AugmentationParams

configure_runtime(2, "float32", deterministic=True)


def train(devices, num_training, dropout=0.0, training=TRAINING):
    rng = np.random.default_rng(0)
    num_images = num_training + 7
    subset = np.array(["train"] * num_training + ["validation"] * 7)
    subsets = Subsets(CLASS_NAMES, tuple(map(str, range(num_images))), np.arange(num_images) % 3, subset)
    cut = rng.standard_normal((num_images, 1, 1, 320)).astype(np.float32)
    pooled = rng.standard_normal((num_images, 1280)).astype(np.float32)
    with using_devices(devices) as num_devices:
        model = build_architecture("sequential", BACKBONES, IMAGE_SIZE, Head(3, 16, dropout, 0))
        # Untrained weights make features vanish; a large last convolution brings them back.
        kernel = model.get_layer("Conv_1").kernel
        kernel.assign(np.random.default_rng(1).standard_normal(kernel.shape).astype(np.float32) * 0.1)
        execution = replace(make_execution(), num_devices=num_devices)
        training = training.model_copy(update={"batch_size": 4})
        inputs = {"mobilenetv2/cut": cut, "mobilenetv2/pooled": pooled}
        history = train_model(model, inputs, subsets, {"mobilenetv2": "Conv_1"}, training, 0, execution, Forgetful())
    layers = [model.get_layer(name) for name in ("hidden", "probabilities", "Conv_1")]
    weights = [np.asarray(weight, np.float64).ravel().tolist() for layer in layers for weight in layer.weights]
    return {
        "devices": num_devices,
        "history": [[of.loss, of.accuracy, of.validation_loss, of.validation_accuracy] for of in history],
        "weights": sum(weights, []),
    }


runs = {f"{devices} {number}": train(devices, number) for devices in ("one", "all") for number in NUMBERS}
runs |= {f"dropout {turn}": train("all", 17, 0.5) for turn in (1, 2)}
# Whatever can be on, mixtures too, of features for once.
mixup = TRAINING.augmentation.model_copy(update={"mixup": 0.4})
phases = {"frozen": TRAINING.frozen, "fine_tuning": TRAINING.fine_tuning}
regularized = REGULARIZED.model_copy(update={"augmentation": mixup, **phases})
runs |= {f"{devices} regularized": train(devices, 17, training=regularized) for devices in ("one", "all")}


def train_on_changed_images():
    images = np.random.default_rng(0).integers(0, 256, (10, 8, 8, 3)).astype(np.uint8)
    shares = {"rotation": 10, "translation": 0.1, "crop": 0.1, "colour": 0.1, "mixup": 0}
    changes = AugmentationParams.model_validate({"horizontal_flip": True, **shares})
    with using_devices("all"):
        image = keras.Input((8, 8, 3), dtype="uint8")
        pixels = keras.layers.Flatten()(keras.ops.cast(image, "float32") / 255)
        probabilities = keras.layers.Dense(3, "softmax", kernel_initializer="zeros")(pixels)
        model = augment(keras.Model([image], probabilities), changes, 0)
        model.compile("sgd", "sparse_categorical_crossentropy", jit_compile=False)
        batches = Batches((images,), np.arange(10) % 3, np.arange(10), 4, seed=0, full=True)
        model.fit(stream_batches(batches), epochs=2, shuffle=False, verbose=0)
    return [weights.ravel().tolist() for weights in model.get_weights()]


runs |= {f"changed images {turn}": train_on_changed_images() for turn in (1, 2)}
print(json.dumps(runs))
"""
# A last batch of which one device would get nothing; one of unequal shares.
NUMBERS = (17, 19)


@pytest.fixture(scope="module")
def runs() -> dict[str, Any]:
    """Trainings on one and on two logical devices."""
    folders = [str(Path(__file__).parent), *sys.path]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.replace("NUMBERS", str(NUMBERS))],
        env={"PYTHONPATH": ":".join(filter(None, folders)), "TF_CPP_MIN_LOG_LEVEL": "3"},
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return dict(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize("what", [*NUMBERS, "regularized"])
def test_two_devices_train_as_one(runs: dict[str, Any], what: object) -> None:
    one, two = runs[f"one {what}"], runs[f"all {what}"]
    assert (one["devices"], two["devices"]) == (1, 2)
    assert max(abs(a - b) for a, b in zip(one["weights"], two["weights"], strict=True)) < 1e-5
    for of_one, of_two in zip(one["history"], two["history"], strict=True):
        assert of_two == pytest.approx(of_one, abs=1e-5)
    assert one["history"][-1][0] < one["history"][0][0]


def test_two_devices_repeat_what_happens_to_images(runs: dict[str, Any]) -> None:
    assert runs["changed images 1"] == runs["changed images 2"]


def test_two_devices_with_dropout_repeat_themselves(runs: dict[str, Any]) -> None:
    assert runs["dropout 1"] == runs["dropout 2"]
    assert runs["dropout 1"]["history"] != runs["all 17"]["history"]
