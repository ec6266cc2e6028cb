"""What all sides of the benchmarks train on: random images, the embedded weights, and the default's training."""

from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import yaml
from numpy.typing import NDArray
from safetensors.numpy import load_file

from fusionseq.artifacts import Subsets
from fusionseq.model_catalog import find_model
from fusionseq.models.architectures import build_architecture
from fusionseq.models.cutting import get_backbone, list_backbones
from fusionseq.models.head import Head
from fusionseq.models.weights import build_pretrained
from fusionseq.training_sections import TrainingParams

ROOT = Path(__file__).parent.parent
CUTS = {"mobilenetv2": "block_13_expand", "vgg16": "block5_conv1"}
NUM_CLASSES = 10
# With every option off, whatever params.yaml says now.
PLAIN = yaml.safe_load((ROOT / "profiles" / "default.yaml").read_text(encoding="utf-8"))["training"]
BATCH_SIZE: int = PLAIN["batch_size"]
# Images, their side in pixels, and epochs of each phase.
CASE, QUICK_CASE = (512, 96, 5), (64, 48, 2)
# A tenth of the images is for validation, on both sides.
VALIDATION_SHARE = 0.1


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
    tensors = load_file(ROOT / "pretraining" / "backbones.safetensors")
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
        training=TrainingParams.model_validate(PLAIN | phases),
        weights={name: build_pretrained(name, tensors).get_weights() for name in CUTS},
    )


def build(architecture: str, case: Case, seed: int) -> keras.Model:
    """Build a model with pretrained backbones; behind a stem they are random, which takes no other time."""
    model = build_architecture(architecture, list(CUTS), case.image_size, Head(NUM_CLASSES, 256, 0.5, seed))
    if find_model(architecture).stem is None:
        for name in list_backbones(model):
            get_backbone(model, name).set_weights(case.weights[name])
    return model
