"""Backbones that are to hold pretrained weights."""

from collections.abc import Mapping

import keras
import numpy as np
from numpy.typing import NDArray

from fusionseq.catalog import BACKBONES
from fusionseq.errors import PipelineError
from fusionseq.models.backbones import build_backbone


def build_untrained(name: str) -> keras.Model:
    """Build one backbone, with weights that are yet to be loaded.

    The size of its input is the smallest: weights do not depend on it.

    Parameters
    ----------
    name
        A key of `fusionseq.catalog.BACKBONES`.
    """
    side = BACKBONES[name].stride
    image = keras.Input((side, side, 3), dtype="uint8", name="image")
    return keras.Model(image, build_backbone(name, image), name=name)


def build_pretrained(name: str, weights: Mapping[str, NDArray[np.float16]]) -> keras.Model:
    """Build one backbone with given weights.

    Parameters
    ----------
    name
        A key of `fusionseq.catalog.BACKBONES`.
    weights
        By the backbone's name and the path of the variable, such as "vgg16/block1_conv1/kernel".

    Raises
    ------
    PipelineError
        An array is missing or has another shape.
    """
    backbone = build_untrained(name)
    for variable in backbone.variables:
        key = f"{name}/{variable.path}"
        if key not in weights or weights[key].shape != tuple(variable.shape):
            raise PipelineError(
                f"the embedded weights hold no {key} of shape {tuple(variable.shape)}; restore the file."
            )
        variable.assign(weights[key].astype(np.float32))
    return backbone
