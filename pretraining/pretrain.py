"""Pretrain the embedded backbones on rendered letters and write them as one float16 file.

A killed run resumes at the last finished epoch.
"""

import hashlib
import json
import subprocess
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import yaml
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, PositiveFloat, PositiveInt

from fusionseq.glyphs import LETTERS, render_glyphs

FOLDER = Path(__file__).parent
WEIGHTS = FOLDER / "backbones.safetensors"
RECORD = FOLDER / "backbones.json"
SCRATCH = FOLDER / "scratch"

_CHUNK = 1000


class BackboneRecipe(BaseModel):
    """How one backbone is pretrained."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    precision: str
    batch_size: PositiveInt
    epochs: PositiveInt
    learning_rate: PositiveFloat
    weight_decay: PositiveFloat


class Recipe(BaseModel):
    """Everything that decides the embedded backbones."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    seed: int
    threads: PositiveInt
    image_size: PositiveInt
    num_training: PositiveInt
    num_validation: PositiveInt
    backbones: dict[str, BackboneRecipe]


def render(recipe: Recipe) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Render the letters of both subsets, training first, in worker processes."""
    total = recipe.num_training + recipe.num_validation
    chunks = [range(start, min(start + _CHUNK, total)) for start in range(0, total, _CHUNK)]
    with ProcessPoolExecutor() as pool:
        parts = list(pool.map(partial(render_glyphs, image_size=recipe.image_size, seed=recipe.seed), chunks))
    return np.concatenate([images for images, _ in parts]), np.concatenate([labels for _, labels in parts])


def pretrain_backbone(
    name: str, recipe: Recipe, images: NDArray[np.uint8], labels: NDArray[np.int64]
) -> tuple[dict[str, NDArray[np.float16]], float]:
    """Train one backbone with a linear classifier of letters on top.

    Returns
    -------
    weights
        float16 arrays by the path of the variable in the Keras model, e.g. "block1_conv1/kernel".
    accuracy
        Share of the validation letters that the rounded weights name rightly.
    """
    import keras

    from fusionseq.batches import Batches, EpochOrder
    from fusionseq.models.backbones import build_backbone

    settings = recipe.backbones[name]
    keras.utils.set_random_seed(recipe.seed)
    keras.mixed_precision.set_global_policy(settings.precision)
    image = keras.Input((recipe.image_size, recipe.image_size, 1), dtype="uint8")
    features = build_backbone(name, keras.layers.Concatenate()([image, image, image]))
    backbone = keras.Model(image, features)
    for layer in backbone.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            # The default of 0.999 needs tens of thousands of steps before the moving statistics mean anything.
            layer.momentum = 0.9
        elif name == "vgg16" and isinstance(layer, keras.layers.Conv2D):
            # Without normalization, sixteen layers of Keras's default initializer let the signal vanish.
            kernel = keras.initializers.HeNormal(recipe.seed)(layer.kernel.shape)
            # He's rule expects inputs of unit variance; the first layer sees pixels of some 64 grey levels.
            layer.kernel.assign(kernel / 64 if layer.name == "block1_conv1" else kernel)
    pooled = keras.layers.GlobalAveragePooling2D()(features)
    model = keras.Model(image, keras.layers.Dense(len(LETTERS), activation="softmax", dtype="float32")(pooled))

    batches = Batches(images, labels, np.arange(recipe.num_training), settings.batch_size, recipe.seed)
    steps = len(batches) * settings.epochs
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0, steps - steps // 20, warmup_target=settings.learning_rate, warmup_steps=steps // 20
    )
    optimizer = keras.optimizers.AdamW(schedule, weight_decay=settings.weight_decay, clipnorm=1.0)
    model.compile(optimizer, loss="sparse_categorical_crossentropy", metrics=["accuracy"], jit_compile=False)
    validation = images[recipe.num_training :], labels[recipe.num_training :]
    resume = keras.callbacks.BackupAndRestore(SCRATCH / name, delete_checkpoint=False)
    model.fit(
        batches,
        epochs=settings.epochs,
        callbacks=[EpochOrder(batches), resume],
        validation_data=validation,
        validation_batch_size=256,
        shuffle=False,
        verbose=2,
    )

    weights = {variable.path: np.asarray(variable, dtype=np.float16) for variable in backbone.variables}
    for variable in backbone.variables:
        variable.assign(weights[variable.path])
    accuracy = model.evaluate(*validation, batch_size=256, verbose=0, return_dict=True)["accuracy"]
    return weights, accuracy


def pretrain() -> None:
    """Make both files anew."""
    from safetensors.numpy import save

    from fusionseq.runtime import configure_runtime

    recipe = Recipe.model_validate(yaml.safe_load((FOLDER / "params.yaml").read_text(encoding="utf-8")))
    images, labels = render(recipe)
    # A process is kept to the kernels of float32, or has those of half precision too: each backbone sets its own.
    precisions = sorted({backbone.precision for backbone in recipe.backbones.values()} - {"float32"})
    configure_runtime(recipe.threads, precisions[0] if precisions else "float32", deterministic=True)

    weights: dict[str, NDArray[np.float16]] = {}
    accuracies = {}
    for name in recipe.backbones:
        of_backbone, accuracies[name] = pretrain_backbone(name, recipe, images[..., np.newaxis], labels)
        weights |= {f"{name}/{path}": value for path, value in of_backbone.items()}
    content = save(weights)
    WEIGHTS.write_bytes(content)
    commit = subprocess.run(["git", "rev-parse", "HEAD"], check=True, capture_output=True, text=True, cwd=FOLDER)
    record = {
        "sha256": hashlib.sha256(content).hexdigest(),
        "validation_accuracy": accuracies,
        "num_classes": len(LETTERS),
        "commit": commit.stdout.strip(),
    }
    RECORD.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    pretrain()
