"""Models by name: what a file or a command line says becomes a model."""

from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.util import find_spec

import keras
from keras import KerasTensor

from fusionseq.errors import PipelineError
from fusionseq.model_catalog import MODELS, find_model
from fusionseq.models.head import Head
from fusionseq.models.sequential import build_single


def build_architecture(name: str, backbones: Sequence[str], image_size: int, head: Head) -> keras.Model:
    """Build a model, with weights that are yet to be loaded in its backbones.

    Parameters
    ----------
    name
        A key of `fusionseq.model_catalog.MODELS`, or the name of a backbone: that backbone alone.
    backbones
        Those of the run; what the model makes of them is its own affair.
    image_size
        Height and width in pixels.
    head
        What its head is like.

    Returns
    -------
    keras.Model
        From uint8 RGB images of shape (batch, image_size, image_size, 3) to probabilities of shape
        (batch, num_classes).

    Raises
    ------
    PipelineError
        There is no model of that name, or no function that builds it.
    """
    image = keras.Input((image_size, image_size, 3), dtype="uint8", name="image")
    return keras.Model(image, _find_builder(name)(image, backbones, head), name=name)


def _find_builder(name: str) -> Callable[[KerasTensor, Sequence[str], Head], KerasTensor]:
    find_model(name)
    if name not in MODELS:
        return lambda image, _, head: build_single(image, name, head)
    place = f"fusionseq.models.{name}"
    if find_spec(place) is None or not hasattr(import_module(place), f"build_{name}"):
        raise PipelineError(f"src/fusionseq/models/{name}.py must define build_{name}(image, backbones, head).")
    builder: Callable[[KerasTensor, Sequence[str], Head], KerasTensor] = getattr(import_module(place), f"build_{name}")
    return builder
