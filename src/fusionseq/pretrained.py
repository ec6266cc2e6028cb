"""The pretrained weights that params.yaml asks for, whichever source they come from, inside the backbones."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import keras

from fusionseq.catalog import BACKBONES
from fusionseq.checksums import Checksums
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
        From images to feature maps, by the keys of `fusionseq.catalog.BACKBONES`.
    record
        Where the weights come from; goes into JSON. The same on every machine.
    """

    models: Mapping[str, keras.Model]
    record: Mapping[str, Any]


def open_pretrained(
    weights: WeightsParams, embedded: Path, embedded_record: Path, downloads: Path, checksums: Checksums
) -> Pretrained:
    """Find the weights of a source, and build the backbones with them.

    Parameters
    ----------
    weights
        Which source, and what it needs.
    embedded, embedded_record
        The backbones that ship with the repository, and how they were made.
    downloads
        Folder for what is downloaded.
    checksums
        Digests of what is downloaded.

    Raises
    ------
    PipelineError
        Weights are missing, are not the expected ones, or cannot be downloaded.
    """
    if isinstance(weights, EmbeddedWeights):
        arrays, record = read_embedded(embedded, embedded_record, weights.sha256)
        return Pretrained({name: build_pretrained(name, arrays) for name in BACKBONES}, record)
    return _fetch_imagenet(weights.address, downloads, checksums)


def _fetch_imagenet(address: str, downloads: Path, checksums: Checksums) -> Pretrained:
    """Build the backbones with the weights of `keras.applications`.

    Their files name layers as they were once called. As in `keras.applications`, weights go by the order of the layers.
    """
    models, files = {}, {}
    for name, backbone in BACKBONES.items():
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
