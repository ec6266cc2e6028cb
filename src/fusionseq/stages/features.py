"""Pass every image through the frozen layers of each backbone, once.

Source: the source paper, Section 8.
"""

from fusionseq.artifacts import read_array
from fusionseq.catalog import BACKBONES
from fusionseq.console import logger, run_stage, track
from fusionseq.feature_files import write_features
from fusionseq.features import extract_features
from fusionseq.models.backbones import build_pooled
from fusionseq.models.cutting import get_frozen
from fusionseq.params import Params
from fusionseq.paths import Paths
from fusionseq.runtime import configure_runtime
from fusionseq.weight_files import read_backbones


def features(params: Params, paths: Paths) -> None:
    """Pass every image through the frozen layers of each backbone, once."""
    configure_runtime(params.runtime.threads)
    images = read_array(paths.processed)
    for name in BACKBONES:
        model = build_pooled(name, params.image_size)
        read_backbones(paths.backbones, model)
        frozen = get_frozen(model, params.first_trained_layer[name], name)
        progress = track(extract_features(frozen, images), f"features of {BACKBONES[name].title}", len(images))
        write_features(paths.features / name, frozen, len(images), progress)
    logger.info("features: %d images through %s", len(images), ", ".join(BACKBONES))


if __name__ == "__main__":
    run_stage(features)
