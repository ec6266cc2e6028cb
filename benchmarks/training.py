"""Training from stored features, against the source paper's listings and against the least arithmetic there is."""

import subprocess
import sys
import time
from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from benchmarks.case import BATCH_SIZE, CASE, CUTS, NUM_CLASSES, QUICK_CASE, Case, build, make_case
from benchmarks.listings import (
    PREPROCESSING,
    build_fusion_listing,
    build_sequential_listing,
    copy_weights,
    train_listing,
)
from benchmarks.operations import measure_rate
from fusionseq.features import extract_features
from fusionseq.model_catalog import PAPER_MODELS, find_stems
from fusionseq.models.backbones import build_pooled
from fusionseq.models.cutting import (
    get_fine_tuning_phase,
    get_frozen,
    get_frozen_phase,
    list_backbones,
    list_stored,
    make_trainable,
)
from fusionseq.models.operations import count_backward, count_operations
from fusionseq.streaming import stream_batches
from fusionseq.training import Epoch, Execution, Weights, train_model

# By the names of fusionseq.models.cutting.
Features = dict[str, NDArray[np.float32]]
LISTINGS = {"fusion": build_fusion_listing, "sequential": build_sequential_listing}


class Clock:
    """Keeps no state, only the time at the end of each epoch."""

    def __init__(self) -> None:
        self.ends: dict[str, list[float]] = {}

    def read_history(self) -> list[Epoch]:
        """Start from the beginning."""
        return []

    def load(self, model: keras.Model) -> Weights:
        """Never called."""
        raise NotImplementedError

    def save(self, model: keras.Model, history: list[Epoch], best: Weights) -> None:
        """Note the time."""
        self.ends.setdefault(history[-1].phase, []).append(time.perf_counter())

    def epoch_s(self, phase: str) -> float:
        """Seconds of an epoch once the graphs are built: the median of all but the first, validation included."""
        return float(np.median(np.diff(self.ends[phase])))


def time_features(case: Case, models: Sequence[str] = ()) -> tuple[float, Features]:
    """Seconds for every image through both frozen backbones, once, graphs included; and what some models build on."""
    start = time.perf_counter()
    features: Features = {}
    for name, cut in CUTS.items():
        model = build_pooled(name, case.image_size)
        model.set_weights(case.weights[name])
        frozen = get_frozen(model, cut, name, find_stems(name, models))
        of_images = list(extract_features(frozen, case.images))
        features |= {key: np.stack([of[key] for of in of_images]) for key in of_images[0]}
    return time.perf_counter() - start, features


def time_training(case: Case, features: Features, seed: int) -> tuple[float, float]:
    """Seconds for both models in both phases from stored features: graphs included, and in steady state."""
    start = time.perf_counter()
    steady = 0.0
    for architecture in PAPER_MODELS:
        clock = train(architecture, case, features, seed)
        steady += sum(
            settings.epochs * clock.epoch_s(phase)
            for phase, settings in (("frozen", case.training.frozen), ("fine-tuning", case.training.fine_tuning))
        )
        keras.backend.clear_session()
    return time.perf_counter() - start, steady


def train(architecture: str, case: Case, features: Features, seed: int) -> Clock:
    """Train one model in both phases from stored features."""
    model = build(architecture, case, seed)
    of_model = {name: features[name] for name in list_stored(model, CUTS)}
    clock = Clock()
    execution = Execution(False, 1, stream_batches, verbose=0, observe=lambda _: None)
    train_model(model, of_model, case.subsets, CUTS, case.training, seed, execution, clock)
    return clock


def time_listings(case: Case, seed: int) -> float:
    """Seconds for both listings in both phases, fed by `tf.data` with everything that speeds it up."""
    start = time.perf_counter()
    for architecture, build_listing in LISTINGS.items():
        model = build(architecture, case, seed)
        listing = build_listing(case.image_size, NUM_CLASSES, seed)
        copy_weights(model, listing)
        names = list_backbones(model)
        data, validation_data = (_make_dataset(case, subset, names, seed) for subset in ("train", "validation"))
        train_listing(listing, data, validation_data, {name: CUTS[name] for name in names}, case.training, [])
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
    options = tf.data.Options()
    # With it, an epoch may wait for a thread that sleeps; see fusionseq.streaming. The rival is spared that, too.
    options.autotune.enabled = False
    return dataset.batch(case.training.batch_size).prefetch(2).with_options(options)


def count_limit(case: Case) -> tuple[int, int, int]:
    """Count the operations of the features, of training both models from them, and of the listings."""
    num_images, num_train = len(case.images), len(case.subsets.rows("train"))
    num_validation = num_images - num_train
    of_features = sum(num_images * count_operations(build_pooled(name, case.image_size)) for name in CUTS)
    of_training, of_listings = 0, 0
    for architecture in PAPER_MODELS:
        model = build(architecture, case, 0)
        of_pass = count_operations(model)
        for phase, settings in (
            (get_frozen_phase(model), case.training.frozen),
            (get_fine_tuning_phase(model, CUTS), case.training.fine_tuning),
        ):
            make_trainable(model, phase)
            forward, backward = count_operations(phase.part), count_backward(phase.part)
            of_training += settings.epochs * (num_train * (forward + backward) + num_validation * forward)
            of_listings += settings.epochs * (num_train * (of_pass + backward) + num_validation * of_pass)
    return of_features, of_training, of_listings


def measure_listings(case: Case, quick: bool) -> float:
    """Seconds of the listings: under this project's runtime or TensorFlow's own, whichever is faster."""
    in_here = time_listings(case, 0)
    if quick:
        return in_here
    arguments = [str(len(case.images)), str(case.image_size), str(case.training.frozen.epochs)]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.training", *arguments], check=True, capture_output=True, text=True
    )
    return min(in_here, float(done.stdout.split()[-1]))


def measure_training(quick: bool) -> dict[str, dict[str, float]]:
    """Measure everything in one run, each side with a run of its own to warm up.

    Returns
    -------
    dict[str, dict[str, float]]
        Sections "training" and "features" of the results.
    """
    num_images, image_size, epochs = QUICK_CASE if quick else CASE
    warm_up = make_case(2 * BATCH_SIZE, image_size, 2)
    time_training(warm_up, time_features(warm_up)[1], 0)
    time_listings(warm_up, 0)

    case = make_case(num_images, image_size, epochs)
    of_features, of_training, of_listings = count_limit(case)
    rates, seeds = [measure_rate()], []
    features_s, features = time_features(case)
    rates.append(measure_rate())
    for seed in range(3):
        seeds.append(time_training(case, features, seed))
        rates.append(measure_rate())
    listings_s = measure_listings(case, quick)
    rates.append(measure_rate())
    rate = max(rates)
    one_seed_s = features_s + seeds[0][0]
    three_seeds_s = features_s + sum(seconds for seconds, _ in seeds)
    steady_s = float(np.median([steady for _, steady in seeds]))
    training = {
        "num_images": num_images,
        "image_size": image_size,
        "epochs_per_phase": epochs,
        "batch_size": case.training.batch_size,
        "listings_s": listings_s,
        "one_seed_s": one_seed_s,
        "three_seeds_s": three_seeds_s,
        "speedup_one_seed": listings_s / one_seed_s,
        # A listing pays for its frozen layers with every seed: three take three times as long as one.
        "speedup_three_seeds": 3 * listings_s / three_seeds_s,
        # What the speedups would be if every operation took the same time on both sides, and nothing else took any.
        "operations_ratio_one_seed": of_listings / (of_features + of_training),
        "operations_ratio_three_seeds": 3 * of_listings / (of_features + 3 * of_training),
        "listings_over_limit": listings_s * rate / of_listings,
        "steady_s": steady_s,
        "graphs_s": float(np.median([seconds for seconds, _ in seeds])) - steady_s,
        "limit_s": of_training / rate,
        "over_limit": steady_s * rate / of_training,
        "matrix_rate_gflops": rate / 1e9,
    }
    of_pass = {"seconds": features_s, "limit_s": of_features / rate, "over_limit": features_s * rate / of_features}
    return {"training": training, "features": of_pass}


def main() -> None:
    """Print the seconds of the listings in a process that nobody has configured, as their readers would run them."""
    case = make_case(*map(int, sys.argv[1:]))
    time_listings(make_case(2 * BATCH_SIZE, case.image_size, 2), 0)
    print(time_listings(case, 0))


if __name__ == "__main__":
    main()
