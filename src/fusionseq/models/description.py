"""What a model consists of, for the tables of the paper."""

import math
from collections.abc import Mapping
from typing import Any

import keras

from fusionseq.catalog import BACKBONES
from fusionseq.model_catalog import find_model
from fusionseq.models.cutting import (
    Phase,
    get_backbone,
    get_fine_tuning_phase,
    get_frozen_phase,
    list_backbones,
    make_trainable,
)
from fusionseq.models.operations import count_backward, count_operations


def describe_layers(model: keras.Model, first_trained_layers: Mapping[str, str]) -> list[dict[str, Any]]:
    """List the parts of a model with the shape of their output and their number of parameters.

    Returns
    -------
    list[dict[str, Any]]
        "part", "output" (such as "3 × 3 × 96") and "parameters", from the image to the probabilities.
    """
    rows, before = _describe_stem(model)
    for name in list_backbones(model):
        cut = model.get_layer(first_trained_layers[name]).input
        frozen = _count_until(model, cut)
        whole = get_backbone(model, name)
        title = BACKBONES[name].title
        rows.append(_make_row(f"{title}, frozen", cut, frozen - before))
        rows.append(_make_row(f"{title}, fine-tuned", whole.output, whole.count_params() - frozen))
    hidden = model.get_layer("hidden")
    rows.append(_make_row("Pooled features", hidden.input, 0))
    for part, layer in (
        ("Hidden layer", hidden),
        ("Dropout", model.get_layer("dropout")),
        ("Softmax", model.layers[-1]),
    ):
        rows.append(_make_row(part, layer.output, layer.count_params()))
    return rows


def _describe_stem(model: keras.Model) -> tuple[list[dict[str, Any]], int]:
    """Rows of what comes before the model's one backbone, if anything does, and its number of parameters."""
    stem = find_model(model.name).stem
    if stem is None:
        return [], 0
    last, adapter = model.get_layer(stem.layer).output, model.get_layer(stem.adapter)
    frozen = _count_until(model, last)
    rows = [
        _make_row(f"{BACKBONES[stem.backbone].title}, frozen", last, frozen),
        _make_row("Adapter", adapter.output, adapter.count_params()),
    ]
    return rows, frozen + int(adapter.count_params())


def count_parameters(model: keras.Model, first_trained_layers: Mapping[str, str]) -> dict[str, int]:
    """Count the parameters of a model: all, in its backbones, in the hidden layer, and trained in each phase.

    Leaves the layers after the cut trainable, and the others frozen.
    """
    stem = find_model(model.name).stem
    adapter = 0 if stem is None else model.get_layer(stem.adapter).count_params()
    return {
        "total": model.count_params(),
        "backbones": sum(get_backbone(model, name).count_params() for name in list_backbones(model)) - adapter,
        "hidden": model.get_layer("hidden").count_params(),
        "trainable_frozen": _count_trainable(model, get_frozen_phase(model)),
        "trainable_fine_tuning": _count_trainable(model, get_fine_tuning_phase(model, first_trained_layers)),
    }


def describe_operations(model: keras.Model, first_trained_layers: Mapping[str, str]) -> dict[str, int]:
    """Count the floating-point operations for one image: of a prediction, and of training in each phase.

    Leaves the layers after the cut trainable, and the others frozen.

    Returns
    -------
    dict[str, int]
        "forward" is a prediction. "frozen_phase" and "fine_tuning" are training from what is stored: the pooled
        features, the activations at the cut, or those of a stem. "end_to_end_frozen_phase" and
        "end_to_end_fine_tuning" are the same training where the image passes the layers before, too.
    """
    forward = count_operations(model)
    phases = {
        "frozen_phase": get_frozen_phase(model),
        "fine_tuning": get_fine_tuning_phase(model, first_trained_layers),
    }
    stored, end_to_end = {}, {}
    for name, phase in phases.items():
        make_trainable(model, phase)
        backward = count_backward(phase.part)
        stored[name] = count_operations(phase.part) + backward
        end_to_end[f"end_to_end_{name}"] = forward + backward
    return {"forward": forward, **stored, **end_to_end}


def _count_until(model: keras.Model, tensor: keras.KerasTensor) -> int:
    return int(keras.Model(model.input, tensor).count_params())


def _count_trainable(model: keras.Model, phase: Phase) -> int:
    make_trainable(model, phase)
    return sum(math.prod(variable.shape) for variable in phase.part.trainable_variables)


def _make_row(part: str, output: keras.KerasTensor, parameters: int) -> dict[str, Any]:
    return {"part": part, "output": " × ".join(str(side) for side in output.shape[1:]), "parameters": parameters}
