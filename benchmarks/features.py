"""Every image through both frozen backbones: this project's features against PyTorch's."""

import json
import subprocess
import time
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from benchmarks.case import CUTS
from fusionseq.features import extract_features
from fusionseq.models.backbones import build_pooled
from fusionseq.models.cutting import get_frozen

ROUNDS = 3
# Whole batches on both sides.
NUM_IMAGES = {96: 192, 224: 64}
NUM_IMAGES_QUICK = {96: 32, 224: 8}
PYTORCH_BATCH_SIZES = (8, 32, 64)

_FOLDER = Path(__file__).parent
_PYTORCH = _FOLDER.parent / ".venv-torch" / "bin" / "python"


def measure_features(quick: bool) -> dict[str, float]:
    """Measure the images per second through MobileNetV2 and VGG16, one after the other, in float32 on all cores.

    Both sides start from uint8 pixels in memory, preprocess them in the timing, and store the activations at the cut
    and the pooled features. Both have run every shape before; rounds alternate and the best counts. PyTorch runs in a
    process and an environment of its own (benchmarks/pytorch_rival.py), with `channels_last`, its normalizations fused
    into the convolutions, and the best of a few batch sizes.
    """
    results: dict[str, float] = {}
    for size, num_images in (NUM_IMAGES_QUICK if quick else NUM_IMAGES).items():
        images = np.random.default_rng(0).integers(0, 256, (num_images, size, size, 3), dtype=np.uint8)
        frozen = [get_frozen(build_pooled(name, size), CUTS[name], name) for name in CUTS]
        stored = [_make_arrays(model, num_images) for model in frozen]
        _extract(frozen, images, stored)
        ours, rates = 0.0, dict.fromkeys((num_images,) if quick else PYTORCH_BATCH_SIZES, 0.0)
        for _ in range(1 if quick else ROUNDS):
            ours = max(ours, num_images / _extract(frozen, images, stored))
            for batch_size, rate in _measure_pytorch(size, num_images, list(rates)).items():
                rates[batch_size] = max(rates[batch_size], rate)
        batch_size, rival = max(rates.items(), key=lambda measured: measured[1])
        results |= {
            f"ours_{size}_per_s": ours,
            f"pytorch_{size}_per_s": rival,
            f"vs_pytorch_{size}": ours / rival,
            f"pytorch_{size}_batch_size": batch_size,
        }
        keras.backend.clear_session()
    return results


def _make_arrays(frozen: keras.Model, num_images: int) -> dict[str, NDArray[np.float32]]:
    shapes = {kind: tuple(output.shape[1:]) for kind, output in frozen.output.items()}
    return {kind: np.empty((num_images, *shape), np.float32) for kind, shape in shapes.items()}


def _extract(
    frozen: list[keras.Model], images: NDArray[np.uint8], stored: list[dict[str, NDArray[np.float32]]]
) -> float:
    start = time.perf_counter()
    for model, arrays in zip(frozen, stored, strict=True):
        for row, features in enumerate(extract_features(model, images)):
            for kind, values in features.items():
                arrays[kind][row] = values
    return time.perf_counter() - start


def _measure_pytorch(image_size: int, num_images: int, batch_sizes: list[int]) -> dict[int, float]:
    if not _PYTORCH.exists():
        raise FileNotFoundError(f"{_PYTORCH} is missing: run `make bench`, which installs PyTorch there.")
    command = [_PYTORCH, _FOLDER / "pytorch_rival.py", image_size, num_images, *batch_sizes]
    done = subprocess.run(list(map(str, command)), check=True, stdout=subprocess.PIPE, text=True)
    return {int(batch_size): rate for batch_size, rate in json.loads(done.stdout).items()}
