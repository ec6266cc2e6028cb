"""Parallel fusion: backbones side by side, their pooled features concatenated.

Source: the source paper, Section 6 and Listing 1.
"""

from collections.abc import Sequence

import keras
from keras import KerasTensor

from fusionseq.models.backbones import build_backbone, pool
from fusionseq.models.head import Head, build_head


def build_fusion(image: KerasTensor, backbones: Sequence[str], head: Head) -> KerasTensor:
    """Add all backbones and a head to the graph of an image; see `fusionseq.models.architectures`."""
    pooled = [pool(name, build_backbone(name, image)) for name in backbones]
    return build_head(keras.layers.Concatenate(name="features")(pooled), head)
