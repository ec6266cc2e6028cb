"""The sequential model: MobileNetV2 alone.

"Sequential" is the source paper's word for its second model; it is not a `keras.Sequential`, and no second backbone
follows the first.

Source: the source paper, Section 7 and Listing 2.
"""

import keras

from fusionseq.models.backbones import build_backbone, pool
from fusionseq.models.head import build_head


def build_sequential(image_size: int, num_classes: int, units: int, dropout: float, seed: int) -> keras.Model:
    """Build the sequential model, with weights that are yet to be loaded in its backbone.

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
    features = pool("mobilenetv2", build_backbone("mobilenetv2", image))
    return keras.Model(image, build_head(features, num_classes, units, dropout, seed), name="sequential")
