"""The layers after the pooled features, the same in every model.

Source: the source paper, Listings 1 and 2.
"""

import keras
from keras import KerasTensor


def build_head(features: KerasTensor, num_classes: int, units: int, dropout: float, seed: int) -> KerasTensor:
    """Add a hidden layer, dropout and a softmax.

    Parameters
    ----------
    features
        float32 of shape (batch, num_features).
    num_classes
        Width of the softmax.
    units
        Width of the hidden layer.
    dropout
        Share of the hidden layer that is dropped in training.
    seed
        Start of the initial weights and of the dropout masks.

    Returns
    -------
    KerasTensor
        Probabilities, float32 of shape (batch, num_classes).
    """
    x = keras.layers.Dense(
        units, activation="relu", kernel_initializer=keras.initializers.GlorotUniform(seed), name="hidden"
    )(features)
    x = keras.layers.Dropout(dropout, seed=seed, name="dropout")(x)
    return keras.layers.Dense(
        num_classes,
        activation="softmax",
        dtype="float32",
        kernel_initializer=keras.initializers.GlorotUniform(seed),
        name="probabilities",
    )(x)
