"""The sequential model: one backbone alone, MobileNetV2 in the source paper.

"Sequential" is the source paper's word for its second model; it is not a `keras.Sequential`, and no second backbone
follows the first. `fusionseq.models.stacked` has one that does.

Source: the source paper, Section 7 and Listing 2.
"""

from collections.abc import Sequence

from keras import KerasTensor

from fusionseq.models.backbones import build_backbone, pool
from fusionseq.models.head import Head, build_head


def build_sequential(image: KerasTensor, backbones: Sequence[str], head: Head) -> KerasTensor:
    """Add the first backbone and a head to the graph of an image."""
    return build_single(image, backbones[0], head)


def build_single(image: KerasTensor, backbone: str, head: Head) -> KerasTensor:
    """Add one backbone and a head to the graph of an image."""
    return build_head(pool(backbone, build_backbone(backbone, image)), head)
