"""What one image of 224 px takes: core seconds as measured here, operations and numbers as counted."""

import math
import os
import statistics
import time
from collections.abc import Callable

import keras
import numpy as np

from benchmarks.case import CUTS
from benchmarks.input import draw_jpegs
from benchmarks.needs import IMAGE_SIZE
from fusionseq.features import extract_features
from fusionseq.forward import BATCH_SIZE
from fusionseq.models.backbones import build_pooled
from fusionseq.models.cutting import get_frozen
from fusionseq.models.operations import count_operations
from fusionseq.preprocessing import preprocess_images

ROUNDS = 3


def measure_rates(quick: bool, threads: int) -> dict[str, float]:
    """Measure both stages that touch every image, on all cores, and count what passes them.

    Parameters
    ----------
    quick
        Whether a few images and one round will do.
    threads
        That the runtime is configured with, for the frozen layers.

    Returns
    -------
    dict[str, float]
        Core seconds that an image takes in decoding, resizing and hashing, and in the frozen layers of both backbones;
        the bytes of the JPEG images that were decoded; and of each image the floating-point operations, the numbers
        that are stored, and the arrays that they lie in.
    """
    rounds = 1 if quick else ROUNDS
    contents = draw_jpegs(16 if quick else 256)
    cores = len(os.sched_getaffinity(0))
    decode_s = _time(lambda: [*preprocess_images(contents, [""] * len(contents), IMAGE_SIZE)], rounds)
    frozen = [get_frozen(build_pooled(name, IMAGE_SIZE), CUTS[name], name) for name in CUTS]
    shape = (BATCH_SIZE, IMAGE_SIZE, IMAGE_SIZE, 3)
    images = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    frozen_s = _time(lambda: [[*extract_features(model, images)] for model in frozen], rounds)
    stored = [math.prod(output.shape[1:]) for model in frozen for output in model.output.values()]
    results = {
        "drawn_bytes": statistics.mean(map(len, contents)),
        "decode_core_s": cores * decode_s / len(contents),
        "frozen_core_s": threads * frozen_s / BATCH_SIZE,
        "operations": sum(map(count_operations, frozen)),
        "numbers": sum(stored),
        "arrays": len(stored),
    }
    keras.backend.clear_session()
    return results


def _time(run: Callable[[], object], rounds: int) -> float:
    """Take the least seconds of some rounds after a first, in which graphs are built."""
    run()
    seconds = math.inf
    for _ in range(rounds):
        start = time.perf_counter()
        run()
        seconds = min(seconds, time.perf_counter() - start)
    return seconds
