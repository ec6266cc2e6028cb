"""What an experiment will take before any of it is done: disk from shapes, time from operations and a measured rate."""

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass

import keras
import numpy as np

from fusionseq.model_catalog import find_stems
from fusionseq.models.architectures import build_architecture
from fusionseq.models.backbones import build_pooled
from fusionseq.models.cutting import get_frozen
from fusionseq.models.description import describe_operations
from fusionseq.models.head import Head
from fusionseq.models.operations import count_operations
from fusionseq.params import Params

# The workspace and DVC's cache hold a copy each, unless the file system shares them.
_COPIES = 2
_BYTES = 4
# Enough images that starting a pass is little of it.
_MEASURED_IMAGES = 8


@dataclass(frozen=True)
class Needs:
    """What the stages after `fetch` take.

    Attributes
    ----------
    disk
        Bytes by what they are for, copies in DVC's cache included.
    operations
        Floating-point operations of all passes and trainings.
    rate
        Operations per second that this machine reached in one pass.
    """

    disk: Mapping[str, int]
    operations: int
    rate: float

    @property
    def seconds(self) -> float:
        """Time of the passes and trainings, without starts and drawings."""
        return self.operations / self.rate


def estimate_needs(params: Params, num_images: int, num_classes: int, raw_bytes: int) -> Needs:
    """Estimate disk and time, and measure this machine for the latter.

    Parameters
    ----------
    params
        The experiment.
    num_images, num_classes, raw_bytes
        Of the dataset.
    """
    size, head = params.image_size, params.head
    backbones = {name: build_pooled(name, size) for name in params.backbones}
    cuts = params.first_trained_layer
    features = sum(
        math.prod(output.shape[1:])
        for name, model in backbones.items()
        for output in get_frozen(model, cuts[name], name, find_stems(name, params.controls)).output.values()
    )
    is_streaming = params.features.mode == "streaming" or params.training.augmentation.is_on
    in_training = num_images * params.split.train
    operations, weights = 0, 0
    if not is_streaming:
        operations += num_images * sum(count_operations(model) for model in backbones.values())
    for name in params.models:
        model = build_architecture(name, params.backbones, size, Head(num_classes, head.units, head.dropout, 0))
        weights += model.count_params() * _BYTES
        of_image = describe_operations(model, cuts)
        prefix = "end_to_end_" if is_streaming else ""
        for phase, epochs in (
            ("frozen_phase", params.training.frozen.epochs),
            ("fine_tuning", params.training.fine_tuning.epochs),
        ):
            operations += len(params.seeds) * epochs * round(in_training * of_image[prefix + phase])
    disk = {
        "encoded images": _COPIES * raw_bytes,
        "decoded images": _COPIES * num_images * size * size * 3,
        "features": 0 if is_streaming else _COPIES * num_images * features * np.dtype(params.features.dtype).itemsize,
        "models": _COPIES * len(params.seeds) * weights,
    }
    return Needs(disk, operations, measure_rate(backbones, size))


def measure_rate(backbones: Mapping[str, keras.Model], image_size: int) -> float:
    """Measure the operations per second of a pass through some backbones, the second time they are run."""
    images = np.zeros((_MEASURED_IMAGES, image_size, image_size, 3), np.uint8)
    operations = _MEASURED_IMAGES * sum(map(count_operations, backbones.values()))
    seconds = math.inf
    for _ in range(2):
        start = time.perf_counter()
        for model in backbones.values():
            model.predict_on_batch(images)
        seconds = min(seconds, time.perf_counter() - start)
    return operations / seconds
