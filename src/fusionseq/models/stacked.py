"""Two backbones in sequence, as the words of the source paper's abstract would have it: MobileNetV2 behind VGG16.

Source: the source paper, Abstract ("arranging them in sequence"). Its listing has a single backbone.
"""

from collections.abc import Sequence

import keras
from keras import KerasTensor

from fusionseq.model_catalog import STACKED_STEM
from fusionseq.models.backbones import build_backbone, pool
from fusionseq.models.head import Head, build_head


def build_stacked(image: KerasTensor, backbones: Sequence[str], head: Head) -> KerasTensor:  # noqa: ARG001, all builders take the same
    """Add the first blocks of VGG16, a 1 × 1 convolution, MobileNetV2 from its middle on, and a head."""
    vgg16 = keras.Model(image, build_backbone("vgg16", image))
    mobilenetv2 = keras.Model(image, build_backbone("mobilenetv2", image))
    entry = mobilenetv2.get_layer(STACKED_STEM.entry).input
    adapted = keras.layers.Conv2D(
        entry.shape[-1], 1, kernel_initializer=keras.initializers.GlorotUniform(head.seed), name=STACKED_STEM.adapter
    )(vgg16.get_layer(STACKED_STEM.layer).output)
    # The layers themselves, rather than a model as one layer, so that the cut can be found among them. The clone is a
    # model of its own, with an input of its own; the last of its layers was called on what follows the adapter first.
    rest = keras.models.clone_model(keras.Model(entry, mobilenetv2.output), input_tensors=adapted)
    return build_head(pool("mobilenetv2", rest.layers[-1].output), head)
