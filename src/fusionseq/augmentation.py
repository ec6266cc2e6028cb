"""Images changed at random while a model trains on them, on the device that trains.

Mixtures of two images are made before, with their labels; see `fusionseq.mixup`.

Source: the source paper, Section 10, which names augmentation as future work.
"""

from typing import Any

import keras
import numpy as np

from fusionseq.training_sections import AugmentationParams


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
    layers = _build_layers(augmentation, seed)
    if not layers:
        return model
    pixels = keras.ops.cast(model.inputs[0], "float32")
    for layer in layers:
        pixels = layer(pixels)
    # What the model takes: interpolated values lie between whole ones.
    image = keras.ops.cast(keras.ops.round(pixels), "uint8")
    return keras.Model(model.inputs, model([image]))


class RandomCropAndResize(keras.layers.Layer):  # type: ignore[misc]
    """Cut a random part out of each image in training, and enlarge it to the size of the image.

    The layers of Keras do not: `RandomCrop` cuts parts of one size, at inference too, and `RandomZoom` none but the
    middle.

    Parameters
    ----------
    share
        Largest share of the side that is cut off, in [0, 1).
    seed
        Start of the random parts.
    """

    def __init__(self, share: float, seed: int, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._share = share
        self.generator = keras.random.SeedGenerator(seed)

    def call(self, images: Any, training: bool = False) -> Any:
        """Take and give float32 of shape (batch, height, width, channels)."""
        if not training:
            return images
        num_images, height, width = keras.ops.shape(images)[:3]
        side = keras.random.uniform((num_images,), 1 - self._share, 1, seed=self.generator)
        left, top = (
            (1 - side) * (length - 1) * keras.random.uniform((num_images,), seed=self.generator)
            for length in (width, height)
        )
        zero = keras.ops.zeros_like(side)
        transform = keras.ops.stack([side, zero, left, zero, side, top, zero, zero], axis=1)
        return keras.ops.image.affine_transform(images, transform, fill_mode="nearest")


def _build_layers(augmentation: AugmentationParams, seed: int) -> list[keras.layers.Layer]:
    # From one seed, all layers, and dropout too, would draw the same numbers: every image that is flipped would turn
    # to the same side.
    flip, rotation, translation, crop, brightness, contrast, saturation = (
        {"seed": state, "dtype": "float32"} for state in np.random.SeedSequence(seed).generate_state(7).tolist()
    )
    layers = []
    if augmentation.horizontal_flip:
        layers.append(keras.layers.RandomFlip("horizontal", **flip))
    if augmentation.rotation:
        layers.append(keras.layers.RandomRotation(augmentation.rotation / 360, fill_mode="nearest", **rotation))
    if augmentation.translation:
        share = augmentation.translation
        layers.append(keras.layers.RandomTranslation(share, share, fill_mode="nearest", **translation))
    if augmentation.crop:
        layers.append(RandomCropAndResize(augmentation.crop, **crop))
    if augmentation.colour:
        strength = augmentation.colour
        layers += [
            keras.layers.RandomBrightness(strength, **brightness),
            # A single number would raise it alone.
            keras.layers.RandomContrast((strength, strength), **contrast),
            # It takes values up to one, and a factor f for the saturation times f / (1 - f).
            keras.layers.Rescaling(1 / 255, dtype="float32"),
            keras.layers.RandomSaturation(((1 - strength) / 2, (1 + strength) / 2), value_range=(0, 1), **saturation),
            keras.layers.Rescaling(255, dtype="float32"),
        ]
    return layers
