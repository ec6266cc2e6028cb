"""The pretrained weights that params.yaml asks for, whichever source they come from, inside the backbones."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import keras

from fusionseq.catalog import BACKBONES
from fusionseq.checksums import Checksums
from fusionseq.errors import PipelineError
from fusionseq.models.weights import build_pretrained, build_untrained
from fusionseq.sections import EmbeddedWeights, WeightsParams
from fusionseq.trusted_files import RemoteFile, fetch_once
from fusionseq.weight_files import read_embedded, read_weights


@dataclass(frozen=True)
class Pretrained:
    """Pretrained backbones.

    Attributes
    ----------
    models
        From images to feature maps, by the names that were asked for.
    record
        Where the weights come from; goes into JSON. The same on every machine.
    """

    models: Mapping[str, keras.Model]
    record: Mapping[str, Any]


def open_pretrained(
    weights: WeightsParams,
    names: Sequence[str],
    embedded: Path,
    embedded_record: Path,
    downloads: Path,
    checksums: Checksums,
) -> Pretrained:
    """Find the weights of a source, and build backbones with them.

    Parameters
    ----------
    weights
        Which source, and what it needs.
    names
        Keys of `fusionseq.catalog.BACKBONES`.
    embedded, embedded_record
        The backbones that ship with the repository, and how they were made.
    downloads
        Folder for what is downloaded.
    checksums
        Digests of what is downloaded.

    Raises
    ------
    PipelineError
        The source has no weights of a backbone, or they are missing, are not the expected ones, or cannot be
        downloaded.
    """
    if isinstance(weights, EmbeddedWeights):
        _check_embedded(names)
        arrays, record = read_embedded(embedded, embedded_record, weights.sha256)
        return Pretrained({name: build_pretrained(name, arrays) for name in names}, record)
    return _fetch_imagenet(weights.address, names, downloads, checksums)


def _check_embedded(names: Sequence[str]) -> None:
    others = [name for name in names if not BACKBONES[name].is_embedded]
    if others:
        known = " and ".join(name for name, backbone in BACKBONES.items() if backbone.is_embedded)
        raise PipelineError(
            f"weights.source embedded holds {known} alone; set weights.source: imagenet and its address, or name these "
            f"in backbones and controls. Got {', '.join(others)}."
        )


def _fetch_imagenet(address: str, names: Sequence[str], downloads: Path, checksums: Checksums) -> Pretrained:
    """Build the backbones with the weights of `keras.applications`.

    Their files name layers as they were once called. As in `keras.applications`, weights go by the order of the layers.
    """
    models, files = {}, {}
    for name in names:
        backbone = BACKBONES[name]
        models[name] = build_untrained(name)
        remote = RemoteFile(
            name=f"keras-applications/{backbone.imagenet_file}",
            url=f"{address}/{backbone.imagenet_file}",
            md5=backbone.imagenet_md5,
            setting="weights.address in params.yaml",
        )
        file = fetch_once(remote, downloads, checksums, partial(read_weights, model=models[name]))
        files[name] = {"name": remote.name, "size": file.size, "sha256": file.sha256}
    return Pretrained(models, {"source": "imagenet", "files": files})
