"""Pass every image through the frozen layers of each backbone, once.

Source: the source paper, Section 8.
"""

from fusionseq.artifacts import read_array
from fusionseq.catalog import BACKBONES
from fusionseq.console import logger, run_stage, track
from fusionseq.feature_files import choose_mode, estimate_size, write_features, write_modes
from fusionseq.features import extract_features
from fusionseq.model_catalog import find_stems
from fusionseq.models.backbones import build_pooled
from fusionseq.models.cutting import get_frozen
from fusionseq.params import Params
from fusionseq.paths import Paths
from fusionseq.runtime import configure_runtime
from fusionseq.weight_files import read_backbones


def features(params: Params, paths: Paths) -> None:
    """Pass every image through the frozen layers of each backbone, once."""
    runtime, dtype = params.runtime, params.features.dtype
    configure_runtime(runtime.threads, runtime.precision, runtime.deterministic)
    images = read_array(paths.processed)
    frozen = {}
    for name in params.backbones:
        model = build_pooled(name, params.image_size)
        read_backbones(paths.backbones, model)
        frozen[name] = get_frozen(model, params.first_trained_layer[name], name, find_stems(name, params.controls))
    size = estimate_size(frozen.values(), len(images), dtype)
    mode = choose_mode(params.features.mode, params.training.augmentation.is_on, size, paths.features)
    for name, layers in frozen.items():
        progress = track(extract_features(layers, images), f"features of {BACKBONES[name].title}", len(images))
        write_features(paths.features, mode, layers, len(images), progress, dtype)
    write_modes(paths.features, mode, [*params.backbones, *params.controls])
    logger.info("features: %s, %d images", mode, len(images))


if __name__ == "__main__":
    run_stage(features)
