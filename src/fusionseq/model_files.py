"""Trained models on disk. A model's folder is all that is needed to build it whole again."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import keras

from fusionseq.artifacts import read_json, read_table, write_json, write_table
from fusionseq.errors import PipelineError
from fusionseq.models.architectures import ARCHITECTURES
from fusionseq.models.description import count_parameters, describe_layers, describe_operations
from fusionseq.training import Epoch
from fusionseq.weight_files import read_weights, write_weights


@dataclass(frozen=True)
class ModelCard:
    """What must be known besides the weights."""

    architecture: str
    seed: int
    image_size: int
    class_names: Sequence[str]
    units: int
    dropout: float
    first_trained_layer: Mapping[str, str]


def build_model(card: ModelCard) -> keras.Model:
    """Build the architecture that a card describes, with weights that are yet to be loaded."""
    build = ARCHITECTURES[card.architecture]
    return build(card.image_size, len(card.class_names), card.units, card.dropout, card.seed)


def write_model(folder: Path, card: ModelCard, model: keras.Model, history: list[Epoch]) -> None:
    """Write a trained model, how it was trained, and what it consists of."""
    write_weights(folder / "model.weights.h5", model)
    rows = [(card.seed, *asdict(epoch).values()) for epoch in history]
    write_table(folder / "history.csv", ("seed", *Epoch.__dataclass_fields__), rows)
    contents = {
        "layers": describe_layers(model, card.first_trained_layer),
        "parameters": count_parameters(model, card.first_trained_layer),
        "operations": describe_operations(model, card.first_trained_layer),
    }
    write_json(folder / "model.json", asdict(card) | contents)


def read_model_weights(folder: Path, model: keras.Model) -> None:
    """Load the weights of a trained model into one that was built from its card."""
    read_weights(folder / "model.weights.h5", model)


def read_card(folder: Path) -> ModelCard:
    """Read what must be known besides the weights."""
    content = read_json(folder / "model.json")
    try:
        card = ModelCard(**{field: content[field] for field in ModelCard.__dataclass_fields__})
    except (KeyError, TypeError) as error:
        raise PipelineError(f"{folder / 'model.json'} is no description of a model: {error} is missing.") from error
    if card.architecture not in ARCHITECTURES:
        raise PipelineError(
            f"{folder / 'model.json'}: architecture must be one of {', '.join(ARCHITECTURES)}. "
            f"Got {card.architecture!r}."
        )
    return card


def read_contents(folder: Path) -> dict[str, Any]:
    """Read what a trained model consists of: its layers, and how many parameters and operations."""
    content = read_json(folder / "model.json")
    return {key: content[key] for key in ("layers", "parameters", "operations")}


def read_history(folders: Sequence[Path]) -> tuple[Sequence[str], list[list[str]]]:
    """Read how models were trained: the columns, and a row for each model and epoch."""
    rows = [row for folder in folders for row in read_table(folder / "history.csv")]
    return list(rows[0]), [list(row.values()) for row in rows]
