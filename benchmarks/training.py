"""Training from stored features, against the source paper's listings and against the least arithmetic there is."""

import time
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from safetensors.numpy import load_file

from benchmarks.listings import (
    PREPROCESSING,
    build_fusion_listing,
    build_sequential_listing,
    copy_weights,
    train_listing,
)
from benchmarks.operations import measure_rate
from fusionseq.artifacts import Subsets
from fusionseq.catalog import BACKBONES
from fusionseq.features import Features, extract_features
from fusionseq.models.architectures import ARCHITECTURES
from fusionseq.models.backbones import build_pooled
from fusionseq.models.cutting import get_backbone, get_frozen, get_head, get_tail, list_backbones
from fusionseq.models.operations import count_backward, count_operations
from fusionseq.models.weights import build_pretrained
from fusionseq.sections import TrainingParams
from fusionseq.streaming import stream_batches
from fusionseq.training import Epoch, Execution, train_model

CUTS = {"mobilenetv2": "block_13_expand", "vgg16": "block5_conv1"}
LISTINGS = {"fusion": build_fusion_listing, "sequential": build_sequential_listing}
NUM_CLASSES = 10
NO_AUGMENTATION = {"horizontal_flip": False, "rotation": 0, "translation": 0}
# A tenth of the images is for validation, on both sides.
VALIDATION_SHARE = 0.1


class NoProgress:
    """Keeps nothing: both sides only compute."""

    def read_history(self) -> list[Epoch]:
        """Start from the beginning."""
        return []

    def load(self, model: keras.Model) -> None:
        """Never called."""

    def save(self, model: keras.Model, history: list[Epoch]) -> None:
        """Keep nothing."""


@dataclass(frozen=True)
class Case:
    """What both sides train on."""

    images: NDArray[np.uint8]
    subsets: Subsets
    training: TrainingParams
    weights: dict[str, list[NDArray[np.float32]]]

    @property
    def image_size(self) -> int:
        """Height and width in pixels."""
        return int(self.images.shape[1])


def make_case(num_images: int, image_size: int, epochs: int) -> Case:
    """Draw random images: time does not depend on what they show."""
    rng = np.random.default_rng(0)
    num_validation = round(num_images * VALIDATION_SHARE)
    tensors = load_file(Path(__file__).parent.parent / "pretraining" / "backbones.safetensors")
    phases = {"frozen": {"epochs": epochs, "learning_rate": 1e-3}}
    phases["fine_tuning"] = {"epochs": epochs, "learning_rate": 1e-4}
    return Case(
        images=rng.integers(0, 256, (num_images, image_size, image_size, 3), dtype=np.uint8),
        subsets=Subsets(
            class_names=tuple(map(str, range(NUM_CLASSES))),
            names=tuple(map(str, range(num_images))),
            labels=rng.integers(0, NUM_CLASSES, num_images),
            subset=np.array(["train"] * (num_images - num_validation) + ["validation"] * num_validation),
        ),
        training=TrainingParams.model_validate({"batch_size": 32, "augmentation": NO_AUGMENTATION, **phases}),
        weights={name: build_pretrained(name, tensors).get_weights() for name in BACKBONES},
    )


def build(architecture: str, case: Case, seed: int) -> keras.Model:
    """Build a model with pretrained backbones."""
    model = ARCHITECTURES[architecture](case.image_size, NUM_CLASSES, 256, 0.5, seed)
    for name in list_backbones(model):
        get_backbone(model, name).set_weights(case.weights[name])
    return model


def time_features(case: Case) -> tuple[float, dict[str, Features]]:
    """Seconds for every image through both frozen backbones, once, graphs included."""
    start = time.perf_counter()
    features = {}
    for name in BACKBONES:
        model = build_pooled(name, case.image_size)
        model.set_weights(case.weights[name])
        of_images = list(extract_features(get_frozen(model, CUTS[name], name), case.images))
        features[name] = Features(*(np.stack([of[kind] for of in of_images]) for kind in ("cut", "pooled")))
    return time.perf_counter() - start, features


def time_training(case: Case, features: dict[str, Features], seed: int) -> float:
    """Seconds for both models in both phases from stored features, graphs included."""
    start = time.perf_counter()
    for architecture in ARCHITECTURES:
        model = build(architecture, case, seed)
        of_model = {name: features[name] for name in list_backbones(model)}
        cuts = {name: CUTS[name] for name in of_model}
        execution = Execution(jit_compile=False, num_devices=1, feed=stream_batches, verbose=0)
        train_model(model, of_model, case.subsets, cuts, case.training, seed, execution, NoProgress())
        keras.backend.clear_session()
    return time.perf_counter() - start


def time_listings(case: Case, seed: int) -> float:
    """Seconds for both listings in both phases, fed by `tf.data` with everything that speeds it up."""
    start = time.perf_counter()
    for architecture, build_listing in LISTINGS.items():
        model = build(architecture, case, seed)
        listing = build_listing(case.image_size, NUM_CLASSES, seed)
        copy_weights(model, listing)
        names = list_backbones(model)
        train, validation = (_make_dataset(case, subset, names, seed) for subset in ("train", "validation"))
        train_listing(listing, train, validation, {name: CUTS[name] for name in names}, case.training, [])
        keras.backend.clear_session()
    return time.perf_counter() - start


def _make_dataset(case: Case, subset: str, names: list[str], seed: int) -> tf.data.Dataset:
    rows = case.subsets.rows(subset)

    def preprocess(image: tf.Tensor, label: tf.Tensor) -> tuple[tuple[tf.Tensor, ...], tf.Tensor]:
        return tuple(PREPROCESSING[name](tf.cast(image, tf.float32)) for name in names), label

    dataset = tf.data.Dataset.from_tensor_slices((case.images[rows], case.subsets.labels[rows]))
    # Preprocessed images are kept after the first epoch: the frozen layers are then all that is done anew.
    dataset = dataset.map(preprocess, num_parallel_calls=tf.data.AUTOTUNE).cache()
    dataset = dataset.shuffle(len(rows), seed=seed) if subset == "train" else dataset
    return dataset.batch(case.training.batch_size).prefetch(tf.data.AUTOTUNE)


def count_limit(case: Case) -> tuple[int, int]:
    """Count the operations that no training can avoid: of the features, and of both models in both phases."""
    num_images, num_train = len(case.images), len(case.subsets.rows("train"))
    num_validation = num_images - num_train
    of_features = sum(num_images * count_operations(build_pooled(name, case.image_size)) for name in BACKBONES)
    of_training = 0
    for architecture in ARCHITECTURES:
        model = build(architecture, case, 0)
        cuts = {name: CUTS[name] for name in list_backbones(model)}
        for part, settings in (
            (get_head(model), case.training.frozen),
            (get_tail(model, cuts), case.training.fine_tuning),
        ):
            forward, backward = count_operations(part), count_backward(part)
            of_training += settings.epochs * (num_train * (forward + backward) + num_validation * forward)
    return of_features, of_training


def measure_training(num_images: int, image_size: int, epochs: int) -> dict[str, float]:
    """Measure everything in one run, each side with a run of its own to warm up."""
    warm_up = make_case(64, image_size, 1)
    time_training(warm_up, time_features(warm_up)[1], 0)
    time_listings(warm_up, 0)

    case = make_case(num_images, image_size, epochs)
    rate = measure_rate()
    features_s, features = time_features(case)
    seeds_s = [time_training(case, features, seed) for seed in range(3)]
    listing_s = time_listings(case, 0)
    rate = max(rate, measure_rate())
    of_features, of_training = count_limit(case)
    limit_s = (of_features + of_training) / rate
    return {
        "listings_s": listing_s,
        "features_s": features_s,
        "one_seed_s": features_s + seeds_s[0],
        "three_seeds_s": features_s + sum(seeds_s),
        "speedup_one_seed": listing_s / (features_s + seeds_s[0]),
        # A listing pays for its frozen layers with every seed: three take three times as long as one.
        "speedup_three_seeds": 3 * listing_s / (features_s + sum(seeds_s)),
        "limit_one_seed_s": limit_s,
        "over_limit_with_graphs": (features_s + seeds_s[0]) / limit_s,
        "features_over_limit_with_graphs": features_s / (of_features / rate),
        "matrix_rate_gflops": rate / 1e9,
    }
