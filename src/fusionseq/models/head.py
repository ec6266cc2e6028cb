"""The layers after the pooled features, the same in every model.

Source: the source paper, Listings 1 and 2.
"""

from dataclasses import dataclass

import keras
from keras import KerasTensor


@dataclass(frozen=True)
class Head:
    """What a head is like.

    Attributes
    ----------
    num_classes
        Width of the softmax.
    units
        Width of the hidden layer.
    dropout
        Share of the hidden layer that is dropped in training.
    seed
        Start of the initial weights and of the dropout masks.
    """

    num_classes: int
    units: int
    dropout: float
    seed: int


def build_head(features: KerasTensor, head: Head) -> KerasTensor:
    """Add a hidden layer, dropout and a softmax.

    Parameters
    ----------
    features
        float32 of shape (batch, num_features).
    head
        Widths, dropout and seed.

    Returns
    -------
    KerasTensor
        Probabilities, float32 of shape (batch, num_classes).
    """
    initializer = keras.initializers.GlorotUniform
    x = keras.layers.Dense(head.units, activation="relu", kernel_initializer=initializer(head.seed), name="hidden")(
        features
    )
    x = keras.layers.Dropout(head.dropout, seed=head.seed, name="dropout")(x)
    return keras.layers.Dense(
        head.num_classes,
        activation="softmax",
        dtype="float32",
        kernel_initializer=initializer(head.seed),
        name="probabilities",
    )(x)
