"""Parallel fusion: MobileNetV2 and VGG16 side by side, their pooled features concatenated.

Source: the source paper, Section 6 and Listing 1.
"""

import keras

from fusionseq.models.backbones import build_backbone, pool
from fusionseq.models.head import build_head


def build_fusion(image_size: int, num_classes: int, units: int, dropout: float, seed: int) -> keras.Model:
    """Build the fusion model, with weights that are yet to be loaded in its backbones.

    Parameters
    ----------
    image_size
        Height and width in pixels.
    num_classes, units, dropout, seed
        See `fusionseq.models.head.build_head`.

    Returns
    -------
    keras.Model
        From uint8 RGB images of shape (batch, image_size, image_size, 3) to probabilities of shape
        (batch, num_classes).
    """
    image = keras.Input((image_size, image_size, 3), dtype="uint8", name="image")
    mobilenetv2 = pool("mobilenetv2", build_backbone("mobilenetv2", image))
    vgg16 = pool("vgg16", build_backbone("vgg16", image))
    features = keras.layers.Concatenate(name="features")([mobilenetv2, vgg16])
    return keras.Model(image, build_head(features, num_classes, units, dropout, seed), name="fusion")
