"""The files of a checkout that has trained and evaluated one model, as the stages write them."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import yaml
from conftest import DEFAULT, THREADS
from numpy.typing import NDArray
from sharded import write_shards

from fusionseq.artifacts import Subsets, write_json, write_subsets, write_table
from fusionseq.model_catalog import PAPER_MODELS
from fusionseq.model_files import Conditions, write_model
from fusionseq.paths import Paths
from fusionseq.statistics import Run, build_statistics
from fusionseq.tables import PREDICTION_COLUMNS, tabulate_predictions
from fusionseq.training import Epoch

if TYPE_CHECKING:
    import keras
    from conftest import Experiment

    from fusionseq.model_files import ModelCard

# Of a training with an epoch in each phase.
HISTORY = [Epoch("frozen", 1, 1.25, 0.5, 1.125, 0.5), Epoch("fine-tuning", 2, 0.75, 0.625, 1.0, 0.5)]
OTHER_SEED = 7
# What YAML, JSON, CSV and Markdown must each quote.
STRANGE_NAMES = ('cat, "wild" | <b>`x`</b>', "two\nlines", "Größe: 猫")


def write_checkout(
    root: Path,
    model: "keras.Model",
    card: "ModelCard",
    experiment: "Experiment",
    probabilities: NDArray[np.float32],
) -> Paths:
    """Write a model, the images, what evaluation says of it, and choices that fit; `probabilities` of all images.

    Of dvc.lock there are the stages that led to the model, with nothing but their parameters.
    """
    paths = Paths(root)
    conditions = Conditions(THREADS, "float32", deterministic=True, cut_dtype="float32")
    write_model(paths.model(card.architecture, card.seed), card, conditions, model, HISTORY)
    subsets = replace(experiment.subsets, class_names=card.class_names)
    write_subsets(paths.subsets, subsets)
    write_shards(paths.processed, experiment.images, 8, 15)
    _write_reports(paths, card, subsets, probabilities)
    content = DEFAULT | {
        "image_size": card.image_size,
        "head": {"units": card.units, "dropout": card.dropout},
        "controls": ["vgg16"],
        "ensemble": [],
        "seeds": [card.seed, OTHER_SEED],
    }
    paths.params.write_text(yaml.safe_dump(content), encoding="utf-8")
    name, seed = card.architecture, card.seed
    read = {
        "fetch": ("data",),
        "backbones": ("backbones", "weights"),
        "split": ("split",),
        f"train_{name}@{seed}" if name in PAPER_MODELS else f"train_controls@{name}-{seed}": ("head", "training"),
    }
    stages = {
        stage: {"params": {"params.yaml": {key: content[key] for key in sections}}} for stage, sections in read.items()
    }
    paths.lock.write_text(yaml.safe_dump({"stages": stages}), encoding="utf-8")
    return paths


def _write_reports(paths: Paths, card: "ModelCard", subsets: Subsets, probabilities: NDArray[np.float32]) -> None:
    """Write the reports of a model, beside one more seed of it, and another model that every evaluation needs."""
    name, seeds = card.architecture, (card.seed, OTHER_SEED)
    test, validation = subsets.rows("test"), subsets.rows("validation")
    runs = [Run(seed, probabilities[test], probabilities[validation]) for seed in seeds]
    labels = (subsets.labels[test], subsets.labels[validation])
    of_models = {name: runs, "other": runs}
    write_json(paths.statistics, build_statistics(*labels, of_models, {one: {} for one in of_models}, 0.95, 200))
    write_table(paths.predictions(name), PREDICTION_COLUMNS, tabulate_predictions(subsets, runs))
    rows = [(seed, *asdict(epoch).values()) for seed in seeds for epoch in HISTORY]
    write_table(paths.history(name), ("seed", *Epoch.__dataclass_fields__), rows)
