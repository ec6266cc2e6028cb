"""What a model consists of, for the tables of the paper."""

import math
from collections.abc import Mapping
from typing import Any

import keras

from fusionseq.catalog import BACKBONES
from fusionseq.models.cutting import get_backbone, get_frozen, get_head, get_tail, list_backbones, make_trainable
from fusionseq.models.operations import count_backward, count_operations


def describe_layers(model: keras.Model, first_trained_layers: Mapping[str, str]) -> list[dict[str, Any]]:
    """List the parts of a model with the shape of their output and their number of parameters.

    Returns
    -------
    list[dict[str, Any]]
        "part", "output" (such as "3 × 3 × 96") and "parameters", from the image to the probabilities.
    """
    rows = []
    for name in list_backbones(model):
        cut = get_frozen(model, first_trained_layers[name], name).output["cut"]
        frozen = keras.Model(model.input, cut).count_params()
        whole = get_backbone(model, name)
        title = BACKBONES[name].title
        rows.append({"part": f"{title}, frozen", "output": _format_shape(cut), "parameters": frozen})
        fine_tuned = whole.count_params() - frozen
        rows.append({"part": f"{title}, fine-tuned", "output": _format_shape(whole.output), "parameters": fine_tuned})
    hidden = model.get_layer("hidden")
    rows.append({"part": "Pooled features", "output": _format_shape(hidden.input), "parameters": 0})
    for part, layer in (
        ("Hidden layer", hidden),
        ("Dropout", model.get_layer("dropout")),
        ("Softmax", model.layers[-1]),
    ):
        rows.append({"part": part, "output": _format_shape(layer.output), "parameters": layer.count_params()})
    return rows


def count_parameters(model: keras.Model, first_trained_layers: Mapping[str, str]) -> dict[str, int]:
    """Count the parameters of a model: all, in its backbones, in the hidden layer, and trained in each phase.

    Leaves the layers after the cut trainable, and the others frozen.
    """
    head, tail = get_head(model), get_tail(model, first_trained_layers)
    make_trainable(model, tail)
    return {
        "total": model.count_params(),
        "backbones": sum(get_backbone(model, name).count_params() for name in list_backbones(model)),
        "hidden": model.get_layer("hidden").count_params(),
        "trainable_frozen": _count_trainable(head),
        "trainable_fine_tuning": _count_trainable(tail),
    }


def describe_operations(model: keras.Model, first_trained_layers: Mapping[str, str]) -> dict[str, int]:
    """Count the floating-point operations for one image: of a prediction, and of training in each phase.

    Leaves the layers after the cut trainable, and the others frozen.

    Returns
    -------
    dict[str, int]
        "forward" is a prediction. "frozen_phase" and "fine_tuning" are training from stored activations: the pooled
        features and those at the cut. "end_to_end_frozen_phase" and "end_to_end_fine_tuning" are the same training
        where the image passes the frozen layers, too.
    """
    head, tail = get_head(model), get_tail(model, first_trained_layers)
    make_trainable(model, tail)
    forward = count_operations(model)
    backward = {"frozen_phase": count_backward(head), "fine_tuning": count_backward(tail)}
    return {
        "forward": forward,
        "frozen_phase": count_operations(head) + backward["frozen_phase"],
        "fine_tuning": count_operations(tail) + backward["fine_tuning"],
        **{f"end_to_end_{phase}": forward + of_phase for phase, of_phase in backward.items()},
    }


def _count_trainable(model: keras.Model) -> int:
    return sum(math.prod(variable.shape) for variable in model.trainable_variables)


def _format_shape(tensor: keras.KerasTensor) -> str:
    return " × ".join(str(side) for side in tensor.shape[1:])
