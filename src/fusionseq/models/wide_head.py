"""The sequential model with as large a head as fusion has, so that width alone cannot tell the two apart.

Source: the source paper compares a model with another that has a seventh of its parameters; see its Sections 6 and 7.
"""

import dataclasses
from collections.abc import Sequence

from keras import KerasTensor

from fusionseq.models.backbones import build_backbone, pool
from fusionseq.models.head import Head, build_head


def build_wide_head(image: KerasTensor, backbones: Sequence[str], head: Head) -> KerasTensor:
    """Add the first backbone and a head of the nearest width that has fusion's number of parameters."""
    pooled = [pool(name, build_backbone(name, image)) for name in backbones]
    widths = [features.shape[-1] for features in pooled]
    target = count_head(sum(widths), head.units, head.num_classes)
    units = find_nearest_width(target, widths[0], head.num_classes)
    return build_head(pooled[0], dataclasses.replace(head, units=units))


def count_head(num_features: int, units: int, num_classes: int) -> int:
    """Count the parameters of a head, which are those that the frozen phase trains."""
    return (num_features + 1) * units + (units + 1) * num_classes


def find_nearest_width(num_parameters: int, num_features: int, num_classes: int) -> int:
    """Find the number of hidden units whose head comes nearest to a number of parameters; at least 1."""
    return max(1, round((num_parameters - num_classes) / (num_features + 1 + num_classes)))
