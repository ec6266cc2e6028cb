"""Decode all images and resize them to one size.

Source: the source paper, Section 5.
"""

from fusionseq.console import logger, run_stage, track
from fusionseq.decode_shards import DecodeShards
from fusionseq.engines import run_work
from fusionseq.params import Params
from fusionseq.paths import Paths


def preprocess(params: Params, paths: Paths) -> None:
    """Decode all images and resize them to one size."""
    work = DecodeShards(paths.raw, paths.scratch, params.image_size, params.data.on_bad_image)
    shards = work.list_shards()
    num_images, num_done = (sum(shard.num_images for shard in some) for some in (shards, filter(work.is_done, shards)))
    logger.info("preprocess: %d images, %d of them done before", num_images, num_done)
    for _ in track(run_work(work, shards, params.runtime.engine, params.runtime.ray_address), "preprocess", num_images):
        pass
    num_skipped = work.finish(paths.processed.parent)
    logger.info("preprocess: %d by %d pixels, %d images left out", params.image_size, params.image_size, num_skipped)


if __name__ == "__main__":
    run_stage(preprocess)
