"""Cut a model into the part that stays frozen and the part that is trained.

The models here share their layers, and so their weights, with the model that they were cut from. Those that start
behind the image take one input for each backbone, in the order of `list_backbones`.
"""

from collections.abc import Mapping

import keras

from fusionseq.catalog import BACKBONES


def list_backbones(model: keras.Model) -> list[str]:
    """Name the backbones of a model, in the order of the catalog."""
    layers = {layer.name for layer in model.layers}
    return [name for name in BACKBONES if f"{name}_pooled" in layers]


def get_backbone(model: keras.Model, name: str) -> keras.Model:
    """From images to the feature maps of one backbone."""
    return keras.Model(model.input, model.get_layer(f"{name}_pooled").input)


def get_frozen(model: keras.Model, first_trained_layer: str, name: str) -> keras.Model:
    """From images to what one backbone says of them while it is frozen.

    Returns
    -------
    keras.Model
        Outputs "cut", the activations that enter the first trained layer, and "pooled", the pooled feature maps.
    """
    outputs = {"cut": model.get_layer(first_trained_layer).input, "pooled": model.get_layer(f"{name}_pooled").output}
    return keras.Model(model.input, outputs)


def get_head(model: keras.Model) -> keras.Model:
    """From the pooled features of each backbone to probabilities."""
    pooled = [model.get_layer(f"{name}_pooled").output for name in list_backbones(model)]
    return keras.Model(pooled, model.output)


def get_tail(model: keras.Model, first_trained_layers: Mapping[str, str]) -> keras.Model:
    """From the activations at the cut of each backbone to probabilities."""
    cuts = [model.get_layer(first_trained_layers[name]).input for name in list_backbones(model)]
    return keras.Model(cuts, model.output)


def make_trainable(model: keras.Model, part: keras.Model) -> None:
    """Have the layers of a part of a model trained, and freeze all others.

    BatchNormalization stays in inference mode wherever it is: Keras trains its moving statistics unless the layer
    itself is frozen, and one backbone has it while the other has not.
    """
    trained = {id(layer) for layer in part.layers}
    for layer in model.layers:
        layer.trainable = id(layer) in trained and not isinstance(layer, keras.layers.BatchNormalization)
