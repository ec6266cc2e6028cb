"""Images changed at random while a model trains on them, on the device that trains.

Source: the source paper, Section 10, which names augmentation as future work.
"""

import keras

from fusionseq.sections import AugmentationParams


def augment(model: keras.Model, augmentation: AugmentationParams, seed: int) -> keras.Model:
    """Put random changes before a model. They happen in training alone; it shares the model's layers.

    Parameters
    ----------
    model
        From a list of one input, uint8 RGB images.
    augmentation
        What may happen to an image, each independent of the other; a model that nothing happens to is given back.
    seed
        Start of the random changes.

    Returns
    -------
    keras.Model
        From the same images, to the same outputs.
    """
    layers = []
    if augmentation.horizontal_flip:
        layers.append(keras.layers.RandomFlip("horizontal", seed=seed))
    if augmentation.rotation:
        layers.append(keras.layers.RandomRotation(augmentation.rotation / 360, fill_mode="nearest", seed=seed))
    if augmentation.translation:
        share = augmentation.translation
        layers.append(keras.layers.RandomTranslation(share, share, fill_mode="nearest", seed=seed))
    if not layers:
        return model
    pixels = keras.ops.cast(model.inputs[0], "float32")
    for layer in layers:
        pixels = layer(pixels)
    # What the model takes: interpolated values lie between whole ones.
    image = keras.ops.cast(keras.ops.round(pixels), "uint8")
    return keras.Model(model.inputs, model([image]))
