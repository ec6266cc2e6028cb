"""Pass every image through the frozen layers of each backbone, once.

Source: the source paper, Section 8.
"""

from fusionseq.console import logger, run_stage, track
from fusionseq.engines import run_work
from fusionseq.extract_shards import ExtractShards
from fusionseq.feature_files import choose_mode, estimate_size, write_modes
from fusionseq.params import Params
from fusionseq.paths import Paths


def features(params: Params, paths: Paths) -> None:
    """Pass every image through the frozen layers of each backbone, once."""
    work = ExtractShards(
        images=paths.processed,
        weights=paths.backbones,
        scratch=paths.scratch,
        backbones=tuple(params.backbones),
        controls=tuple(params.controls),
        first_trained_layer=params.first_trained_layer,
        image_size=params.image_size,
        dtype=params.features.dtype,
        runtime=params.runtime,
    )
    shards = work.list_shards()
    num_images = sum(shard.num_images for shard in shards)
    size = estimate_size(work.frozen, num_images, params.features.dtype)
    mode = choose_mode(params.features.mode, params.training.augmentation.is_on, size, paths.features)
    if mode == "cached":
        for _ in track(
            run_work(work, shards, params.runtime.engine, params.runtime.ray_address), "features", num_images
        ):
            pass
        work.finish(paths.features)
    write_modes(paths.features, mode, [*params.backbones, *params.controls])
    logger.info("features: %s, %d images", mode, num_images)


if __name__ == "__main__":
    run_stage(features)
