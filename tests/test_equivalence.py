"""Training from the cut gives what the source paper's listings give, bit for bit."""

from pathlib import Path

import keras
import numpy as np
import pytest
from benchmarks.listings import (
    build_fusion_listing,
    build_sequential_listing,
    copy_weights,
    train_listing,
)
from conftest import BACKBONES, DEFAULT, Forgetful, make_execution
from numpy.typing import NDArray
from safetensors.numpy import load_file

from fusionseq.artifacts import Subsets
from fusionseq.batches import Batches, EpochOrder
from fusionseq.features import extract_features
from fusionseq.models.architectures import build_architecture
from fusionseq.models.cutting import get_backbone, get_frozen, list_backbones
from fusionseq.models.head import Head
from fusionseq.models.normalization import make_exact
from fusionseq.models.weights import build_pretrained
from fusionseq.training import train_model
from fusionseq.training_sections import TrainingParams

LISTINGS = {"fusion": build_fusion_listing, "sequential": build_sequential_listing}
Losses = tuple[float, float, float, float]
FIRST_CONVOLUTIONS = {"mobilenetv2": "Conv1", "vgg16": "block1_conv1"}
CUTS = {"mobilenetv2": "block_13_expand", "vgg16": "block5_conv1"}
# 8 training images make two full batches and a ragged one. Not of a single image: some processors have another kernel
# for it, which sums in another order, and then the frozen layers say something else in the last bit.
NUM_TRAINING, NUM_VALIDATION = 8, 3
NUM_CLASSES = 3
TRAINING = TrainingParams.model_validate(
    DEFAULT["training"]
    | {
        "batch_size": 3,
        "frozen": {"epochs": 2, "learning_rate": 1e-3},
        "fine_tuning": {"epochs": 2, "learning_rate": 1e-4},
    }
)


def make_images(image_size: int) -> NDArray[np.uint8]:
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (NUM_TRAINING + NUM_VALIDATION, image_size, image_size, 3), dtype=np.uint8)


def make_subsets() -> Subsets:
    num_images = NUM_TRAINING + NUM_VALIDATION
    return Subsets(
        class_names=("a", "b", "c"),
        names=tuple(map(str, range(num_images))),
        labels=np.arange(num_images) % NUM_CLASSES,
        subset=np.array(["train"] * NUM_TRAINING + ["validation"] * NUM_VALIDATION),
    )


@pytest.fixture(scope="module")
def pretrained() -> dict[str, keras.Model]:
    """The backbones that ship with the repository."""
    weights = load_file(Path(__file__).parent.parent / "pretraining" / "backbones.safetensors")
    return {name: build_pretrained(name, weights) for name in BACKBONES}


def build(architecture: str, image_size: int, pretrained: dict[str, keras.Model]) -> keras.Model:
    model = build_architecture(architecture, BACKBONES, image_size, Head(NUM_CLASSES, 256, 0.5, 0))
    for name in list_backbones(model):
        get_backbone(model, name).set_weights(pretrained[name].get_weights())
    return model


def train_both(
    architecture: str, image_size: int, pretrained: dict[str, keras.Model], dropout_seed: int
) -> tuple[keras.Model, list[Losses], keras.Model, list[Losses]]:
    """Train from the cut and end to end: both models, and loss and accuracy of every epoch."""
    images, subsets = make_images(image_size), make_subsets()
    model = build(architecture, image_size, pretrained)
    names = list_backbones(model)
    cuts = {name: CUTS[name] for name in names}
    listing = LISTINGS[architecture](image_size, NUM_CLASSES, dropout_seed)
    # Keras's own differs in the last bit, from one processor to another too; test_normalization.py holds both together.
    for layer in listing.layers:
        make_exact(layer)
    copy_weights(model, listing)

    features: dict[str, NDArray[np.float32]] = {}
    for name in names:
        of_images = list(extract_features(get_frozen(model, cuts[name], name), images))
        features |= {key: np.stack([of[key] for of in of_images]) for key in of_images[0]}
    history = train_model(model, features, subsets, cuts, TRAINING, 0, make_execution(), Forgetful())

    # In a graph, TensorFlow multiplies by a reciprocal where `preprocess_input` divides; test_backbones.py holds both
    # against each other. Here both models see the same pixels.
    firsts = {name: model.get_layer(FIRST_CONVOLUTIONS[name]).input for name in names}
    pixels = tuple(keras.Model(model.input, firsts).predict_on_batch(images)[name] for name in names)
    batches = Batches(pixels, subsets.labels, subsets.rows("train"), TRAINING.batch_size, seed=0)
    validation = Batches(pixels, subsets.labels, subsets.rows("validation"), TRAINING.batch_size, seed=None)
    logs = train_listing(listing, batches, validation, cuts, TRAINING, [EpochOrder(batches)])
    of_cut = [(epoch.loss, epoch.accuracy, epoch.validation_loss, epoch.validation_accuracy) for epoch in history]
    end_to_end = list(zip(logs["loss"], logs["accuracy"], logs["val_loss"], logs["val_accuracy"], strict=True))
    return model, of_cut, listing, end_to_end


def list_differing(model: keras.Model, listing: keras.Model) -> list[str]:
    """Name the layers whose weights differ in any bit."""
    return [
        layer.name
        for layer in listing.layers
        if layer.weights
        and not all(map(np.array_equal, layer.get_weights(), model.get_layer(layer.name).get_weights()))
    ]


# Kernels are chosen by size; fusion holds what sequential trains.
@pytest.mark.parametrize(("architecture", "image_size"), [("fusion", 48), ("fusion", 224), ("sequential", 96)])
def test_training_from_the_cut_is_training_end_to_end(
    architecture: str, image_size: int, pretrained: dict[str, keras.Model]
) -> None:
    model, of_cut, listing, end_to_end = train_both(architecture, image_size, pretrained, dropout_seed=0)
    assert of_cut == end_to_end
    assert list_differing(model, listing) == []
    # Both phases did something: the layers after the cut, and the head, have moved.
    before = build(architecture, image_size, pretrained)
    moved = list_differing(model, before)
    assert {"hidden", "probabilities", CUTS["mobilenetv2"]} <= set(moved)
    assert not any(isinstance(model.get_layer(name), keras.layers.BatchNormalization) for name in moved)


def test_another_dropout_gives_other_weights(pretrained: dict[str, keras.Model]) -> None:
    model, of_cut, listing, end_to_end = train_both("sequential", 48, pretrained, dropout_seed=1)
    assert of_cut != end_to_end
    assert "hidden" in list_differing(model, listing)
