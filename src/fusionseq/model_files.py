"""Trained models on disk. A model's folder is all that is needed to build it whole again."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import keras
from pydantic import Field, TypeAdapter, ValidationError

from fusionseq.artifacts import read_json, read_table, write_json, write_table
from fusionseq.catalog import BACKBONES
from fusionseq.errors import PipelineError
from fusionseq.features import Inputs
from fusionseq.model_catalog import MODELS
from fusionseq.models.architectures import build_architecture
from fusionseq.models.cutting import list_backbones
from fusionseq.models.description import count_parameters, describe_layers, describe_operations
from fusionseq.models.head import Head
from fusionseq.sections import Count, RuntimeParams, Seed
from fusionseq.training import Epoch
from fusionseq.weight_files import read_weights, write_weights

Part = TypeVar("Part")


@dataclass(frozen=True)
class ModelCard:
    """What must be known besides the weights to build a model again."""

    architecture: str
    backbones: Annotated[tuple[str, ...], Field(min_length=2, max_length=2)]
    seed: Seed
    image_size: Count
    class_names: Annotated[tuple[str, ...], Field(min_length=2)]
    units: Count
    dropout: Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)]
    first_trained_layer: Mapping[str, str]


@dataclass(frozen=True)
class Conditions:
    """What the last bits of a model's probabilities depend on besides.

    Attributes
    ----------
    threads, precision, deterministic
        As `fusionseq.runtime.configure_runtime` takes them.
    cut_dtype
        What the activations at the cut were rounded to before the model was trained from them. "float32" rounds
        nothing, whether they were stored or not.
    """

    threads: Count
    precision: Literal["float32", "mixed_float16", "mixed_bfloat16"]
    deterministic: bool
    cut_dtype: Literal["float32", "float16"]

    @classmethod
    def of_training(cls, runtime: RuntimeParams, inputs: Inputs) -> "Conditions":
        """Tell what a model is trained under, and from what."""
        narrowed = isinstance(inputs, Mapping) and any(values.dtype == "float16" for values in inputs.values())
        return cls(runtime.threads, runtime.precision, runtime.deterministic, "float16" if narrowed else "float32")


@dataclass(frozen=True)
class _Contents:
    """What a model consists of; see `fusionseq.models.description`."""

    layers: list[dict[str, str | int]]
    parameters: dict[str, int]
    operations: dict[str, int]


def build_model(card: ModelCard) -> keras.Model:
    """Build the architecture that a card describes, with weights that are yet to be loaded."""
    head = Head(len(card.class_names), card.units, card.dropout, card.seed)
    model = build_architecture(card.architecture, card.backbones, card.image_size, head)
    missing = set(list_backbones(model)) - set(card.first_trained_layer)
    if missing:
        raise PipelineError(
            f"the {card.architecture} model needs a first trained layer of {', '.join(sorted(missing))}; train it anew."
        )
    return model


def write_model(
    folder: Path, card: ModelCard, conditions: Conditions, model: keras.Model, history: list[Epoch]
) -> None:
    """Write a trained model, how it was trained, and what it consists of."""
    write_weights(folder / "model.weights.h5", model)
    rows = [(card.seed, *asdict(epoch).values()) for epoch in history]
    write_table(folder / "history.csv", ("seed", *Epoch.__dataclass_fields__), rows)
    contents = {
        "conditions": asdict(conditions),
        "layers": describe_layers(model, card.first_trained_layer),
        "parameters": count_parameters(model, card.first_trained_layer),
        "operations": describe_operations(model, card.first_trained_layer),
    }
    write_json(folder / "model.json", asdict(card) | contents)


def read_model_weights(folder: Path, model: keras.Model) -> None:
    """Load the weights of a trained model into one that was built from its card."""
    read_weights(folder / "model.weights.h5", model)


def read_card(folder: Path) -> ModelCard:
    """Read what must be known besides the weights to build a model again."""
    path = folder / "model.json"
    card = _validate(ModelCard, read_json(path), path)
    for what, name, known in (
        ("architecture", card.architecture, (*MODELS, *BACKBONES)),
        *(("a backbone", name, tuple(BACKBONES)) for name in (*card.backbones, *card.first_trained_layer)),
        *(
            (f"first_trained_layer of {name}", layer, BACKBONES[name].clean_cuts)
            for name, layer in card.first_trained_layer.items()
            if name in BACKBONES
        ),
    ):
        if name not in known:
            raise PipelineError(f"{path}: {what} must be one of {', '.join(known)}. Got {name!r}.")
    smallest = max(BACKBONES[name].stride for name in card.backbones)
    if card.image_size < smallest:
        raise PipelineError(f"{path}: image_size must be at least {smallest}. Got {card.image_size}.")
    return card


def read_conditions(folder: Path) -> Conditions:
    """Read what the last bits of a model's probabilities depend on besides."""
    path = folder / "model.json"
    content = read_json(path)
    return _validate(Conditions, content.get("conditions") if isinstance(content, dict) else content, path)


def _validate(part: type[Part], content: object, path: Path) -> Part:
    try:
        return TypeAdapter(part).validate_python(content)
    except ValidationError as error:
        first = error.errors()[0]
        location = "".join(f"{place}: " for place in first["loc"])
        raise PipelineError(
            f"{path} is no description of a model: {location}{first['msg']}. Remove it and run `dvc repro`."
        ) from error


def read_contents(folder: Path) -> dict[str, Any]:
    """Read what a trained model consists of: its layers, and how many parameters and operations."""
    path = folder / "model.json"
    return asdict(_validate(_Contents, read_json(path), path))


def read_history(folders: Sequence[Path]) -> tuple[Sequence[str], list[list[str]]]:
    """Read how models were trained: the columns, and a row for each model and epoch."""
    rows = [row for folder in folders for row in read_table(folder / "history.csv")]
    return list(rows[0]), [list(row.values()) for row in rows]
