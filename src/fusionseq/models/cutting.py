"""Cut a model into the part that stays frozen and the part that is trained.

The models here share their layers, and so their weights, with the model that they were cut from. What leaves the
frozen part is stored, by the names of the arrays: "vgg16/cut", "vgg16/pooled", or "stacked/cut".
"""

from collections.abc import Mapping
from dataclasses import dataclass

import keras

from fusionseq.catalog import BACKBONES
from fusionseq.model_catalog import find_model


@dataclass(frozen=True)
class Phase:
    """What of a model computes in one phase of its training, once what is frozen before it is stored.

    Attributes
    ----------
    part
        From what is stored to probabilities, one input for each of `stored`.
    stored
        Names of the arrays that enter it.
    trained
        Its layers that learn; others within it may stay frozen.
    """

    part: keras.Model
    stored: tuple[str, ...]
    trained: tuple[keras.Layer, ...]


def list_backbones(model: keras.Model) -> list[str]:
    """Name the backbones whose pooled features a model classifies from, in the order of the catalog."""
    layers = {layer.name for layer in model.layers}
    return [name for name in BACKBONES if f"{name}_pooled" in layers]


def get_backbone(model: keras.Model, name: str) -> keras.Model:
    """From images to the feature maps of one backbone."""
    return keras.Model(model.input, model.get_layer(f"{name}_pooled").input)


def get_frozen(
    model: keras.Model, first_trained_layer: str, name: str, stems: Mapping[str, str] | None = None
) -> keras.Model:
    """From images to what one backbone says of them while it is frozen.

    Parameters
    ----------
    model
        One that holds the backbone whole.
    first_trained_layer
        Of that backbone.
    name
        Of that backbone.
    stems
        Layers of it that other models build on, by the name of the model.

    Returns
    -------
    keras.Model
        A dictionary of what is stored: "NAME/cut", the activations that enter the first trained layer, "NAME/pooled",
        the pooled feature maps, and "MODEL/cut" for each of `stems`.
    """
    outputs = {
        f"{name}/cut": model.get_layer(first_trained_layer).input,
        f"{name}/pooled": model.get_layer(f"{name}_pooled").output,
        **{f"{of_model}/cut": model.get_layer(layer).output for of_model, layer in (stems or {}).items()},
    }
    return keras.Model(model.input, outputs)


def list_frozen(model: keras.Model, first_trained_layers: Mapping[str, str]) -> list[keras.Model]:
    """Give the frozen parts of a model, from images to dictionaries of what is stored."""
    stem = find_model(model.name).stem
    if stem is not None:
        return [keras.Model(model.input, {f"{model.name}/cut": model.get_layer(stem.layer).output})]
    return [get_frozen(model, first_trained_layers[name], name) for name in list_backbones(model)]


def get_frozen_phase(model: keras.Model) -> Phase:
    """From the pooled features of each backbone to probabilities; where there is a stem, from its activations."""
    names = list_backbones(model)
    head = keras.Model([model.get_layer(f"{name}_pooled").output for name in names], model.output)
    return _begin_at_stem(model, head) or Phase(head, tuple(f"{name}/pooled" for name in names), tuple(head.layers))


def get_fine_tuning_phase(model: keras.Model, first_trained_layers: Mapping[str, str]) -> Phase:
    """From the activations at the cut of each backbone to probabilities; where there is a stem, from its own."""
    names = list_backbones(model)
    tail = keras.Model([model.get_layer(first_trained_layers[name]).input for name in names], model.output)
    return _begin_at_stem(model, tail) or Phase(tail, tuple(f"{name}/cut" for name in names), tuple(tail.layers))


def _begin_at_stem(model: keras.Model, trained: keras.Model) -> Phase | None:
    stem = find_model(model.name).stem
    if stem is None:
        return None
    adapter = model.get_layer(stem.adapter)
    part = keras.Model([model.get_layer(stem.layer).output], model.output)
    return Phase(part, (f"{model.name}/cut",), (adapter, *trained.layers))


def list_stored(model: keras.Model, first_trained_layers: Mapping[str, str]) -> list[str]:
    """Name everything that a model is trained from once it is stored."""
    phases = (get_frozen_phase(model), get_fine_tuning_phase(model, first_trained_layers))
    return list(dict.fromkeys(name for phase in phases for name in phase.stored))


def make_trainable(model: keras.Model, phase: Phase) -> None:
    """Have the layers that learn in a phase trained, and freeze all others of a model.

    BatchNormalization stays in inference mode wherever it is: Keras trains its moving statistics unless the layer
    itself is frozen, and one backbone has it while the other has not.
    """
    trained = {id(layer) for layer in phase.trained}
    for layer in model.layers:
        layer.trainable = id(layer) in trained and not isinstance(layer, keras.layers.BatchNormalization)
