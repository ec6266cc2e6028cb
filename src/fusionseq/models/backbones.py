"""Convolutional backbones, with the preprocessing that each was pretrained with inside.

Source: the source paper, Sections 5 and 6; for other backbones its future work.
"""

import keras
import numpy as np
from keras import KerasTensor

from fusionseq.catalog import BACKBONES
from fusionseq.models.normalization import make_exact

# Mean of the ImageNet training images per channel, blue first: what the "caffe" weights of VGG16 were trained with.
_IMAGENET_MEAN_BGR = np.array([103.939, 116.779, 123.68], dtype=np.float32)

# The same, and the standard deviation, of RGB in [0, 1]: what the "torch" weights of DenseNet121 were trained with.
_IMAGENET_MEAN = np.array([0.485, 0.456, 0.406], dtype=np.float32)
_IMAGENET_DEVIATION = np.array([0.229, 0.224, 0.225], dtype=np.float32)


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
    pixels = _preprocess(backbone.preprocessing, keras.ops.cast(image, "float32"))
    build = getattr(keras.applications, backbone.application)
    feature_maps = build(include_top=False, weights=None, input_tensor=pixels).output
    # What leads to the pixels is shared with other backbones, and left alone.
    for layer in keras.Model(pixels, feature_maps).layers:
        layer.name = f"{backbone.layer_prefix}{layer.name}"
        if isinstance(layer, keras.layers.Dropout):
            # EfficientNetV2 drops whole blocks, at random without a seed. Stored features know nothing of that, and
            # no other backbone does it; its builder cannot be told to leave it.
            layer.rate = 0.0
        make_exact(layer)
    return feature_maps


def _preprocess(kind: str, pixels: KerasTensor) -> KerasTensor:
    """Scale RGB of 0 to 255 with the operations of `keras.applications`, in their order.

    In a graph, TensorFlow turns a division into a product with the reciprocal, which may differ in the last bit.
    """
    if kind == "caffe":
        return pixels[..., ::-1] - _IMAGENET_MEAN_BGR
    if kind == "tf":
        return pixels / 127.5 - 1.0
    if kind == "torch":
        return (pixels / 255.0 - _IMAGENET_MEAN) / _IMAGENET_DEVIATION
    return pixels


def pool(name: str, feature_maps: KerasTensor) -> KerasTensor:
    """Average a backbone's feature maps over all positions: float32 of shape (batch, channels)."""
    return keras.layers.GlobalAveragePooling2D(name=f"{name}_pooled")(feature_maps)


def build_pooled(name: str, image_size: int) -> keras.Model:
    """Build one backbone alone, from uint8 RGB images to its pooled features."""
    image = keras.Input((image_size, image_size, 3), dtype="uint8", name="image")
    return keras.Model(image, pool(name, build_backbone(name, image)), name=name)
