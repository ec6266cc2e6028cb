"""Convolutional backbones, with the preprocessing that each was pretrained with inside.

Source: the source paper, Sections 5 and 6.
"""

import keras
import numpy as np
from keras import KerasTensor

from fusionseq.catalog import BACKBONES

# Mean of the ImageNet training images per channel, blue first: what the "caffe" weights of VGG16 were trained with.
_IMAGENET_MEAN_BGR = np.array([103.939, 116.779, 123.68], dtype=np.float32)


def build_backbone(name: str, image: KerasTensor) -> KerasTensor:
    """Add a backbone without its classification layers to the graph of an image.

    Parameters
    ----------
    name
        A key of `fusionseq.catalog.BACKBONES`.
    image
        uint8 or float32 of shape (batch, height, width, 3), RGB, 0 to 255.

    Returns
    -------
    KerasTensor
        Feature maps, float32 of shape (batch, height / stride, width / stride, channels).
    """
    backbone = BACKBONES[name]
    if backbone.preprocessing == "caffe":
        pixels = keras.layers.Rescaling(1.0, offset=-_IMAGENET_MEAN_BGR, name=f"{name}_preprocessing")(image[..., ::-1])
    else:
        pixels = keras.layers.Rescaling(1 / 127.5, offset=-1.0, name=f"{name}_preprocessing")(image)
    build = getattr(keras.applications, backbone.application)
    return build(include_top=False, weights=None, input_tensor=pixels).output


def pool(name: str, feature_maps: KerasTensor) -> KerasTensor:
    """Average a backbone's feature maps over all positions: float32 of shape (batch, channels)."""
    return keras.layers.GlobalAveragePooling2D(name=f"{name}_pooled")(feature_maps)


def build_pooled(name: str, image_size: int) -> keras.Model:
    """Build one backbone alone, from uint8 RGB images to its pooled features."""
    image = keras.Input((image_size, image_size, 3), dtype="uint8", name="image")
    return keras.Model(image, pool(name, build_backbone(name, image)), name=name)
