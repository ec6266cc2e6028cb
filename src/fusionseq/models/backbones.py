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
    pixels = keras.ops.cast(image, "float32")
    # The operations of `keras.applications`, in their order. In a graph, TensorFlow turns the division into a product
    # with the reciprocal, which may differ in the last bit.
    is_caffe = backbone.preprocessing == "caffe"
    pixels = pixels[..., ::-1] - _IMAGENET_MEAN_BGR if is_caffe else pixels / 127.5 - 1.0
    build = getattr(keras.applications, backbone.application)
    return build(include_top=False, weights=None, input_tensor=pixels).output


def pool(name: str, feature_maps: KerasTensor) -> KerasTensor:
    """Average a backbone's feature maps over all positions: float32 of shape (batch, channels)."""
    return keras.layers.GlobalAveragePooling2D(name=f"{name}_pooled")(feature_maps)


def build_pooled(name: str, image_size: int) -> keras.Model:
    """Build one backbone alone, from uint8 RGB images to its pooled features."""
    image = keras.Input((image_size, image_size, 3), dtype="uint8", name="image")
    return keras.Model(image, pool(name, build_backbone(name, image)), name=name)
