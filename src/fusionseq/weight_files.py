"""Weights on disk, as .weights.h5: unlike a .keras file it holds no date."""

import warnings
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from fusionseq.artifacts import read_json, read_tensors, replacing
from fusionseq.errors import PipelineError
from fusionseq.model_catalog import find_model
from fusionseq.models.cutting import get_backbone, list_backbones
from fusionseq.models.weights import build_untrained


def read_embedded(weights: Path, record: Path, sha256: str) -> tuple[dict[str, NDArray[np.float16]], dict[str, Any]]:
    """Read the backbones that ship with the repository: arrays by name, and how they were made.

    Raises
    ------
    PipelineError
        A file is missing, or is not of the weights with this digest.
    """
    made = read_json(record)
    if made.get("sha256") != sha256:
        raise PipelineError(
            f"{record.name} describes weights with sha256 {made.get('sha256')}, but params.yaml (weights.sha256) "
            f"expects {sha256}. Bring the file back with `git checkout`, or name its digest in params.yaml."
        )
    return read_tensors(weights, sha256), made


def write_weights(path: Path, model: keras.Model) -> None:
    """Write the weights of a model as .weights.h5."""
    with replacing(path) as temporary:
        model.save_weights(temporary)


def read_weights(path: Path, model: keras.Model) -> None:
    """Load the weights of a model.

    Raises
    ------
    PipelineError
        The file is missing, damaged, or of another architecture.
    """
    if not path.is_file():
        raise PipelineError(f"{path} does not exist. Run `dvc repro` or `dvc pull` to get it.")
    try:
        with warnings.catch_warnings():
            # Of what Keras has to say, the error below tells enough.
            warnings.simplefilter("ignore", UserWarning)
            model.load_weights(path)
    # RuntimeError is what h5py makes of most damage within a file.
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise PipelineError(f"{path} does not fit {model.name}, or is damaged: {reason}") from error


def read_backbones(folder: Path, model: keras.Model) -> None:
    """Load the pretrained weights of each backbone of a model, or of what it has of one."""
    stem = find_model(model.name).stem
    if stem is None:
        for name in list_backbones(model):
            read_weights(folder / f"{name}.weights.h5", get_backbone(model, name))
        return
    layers = {layer.name: layer for layer in model.layers}
    for name in (stem.backbone, *list_backbones(model)):
        whole = build_untrained(name)
        read_weights(folder / f"{name}.weights.h5", whole)
        for layer in whole.layers:
            if layer.weights and layer.name in layers:
                layers[layer.name].set_weights(layer.get_weights())
