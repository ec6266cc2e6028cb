"""Decode all images and resize them to one size.

Source: the source paper, Section 5.
"""

from fusionseq.console import logger, run_stage, track
from fusionseq.params import Params
from fusionseq.paths import Paths
from fusionseq.preprocessing import preprocess_images
from fusionseq.raw_images import RawImages
from fusionseq.unfinished_images import UnfinishedImages


def preprocess(params: Params, paths: Paths) -> None:
    """Decode all images and resize them to one size."""
    raw = RawImages.read(paths.raw)
    unfinished = UnfinishedImages(paths.scratch, raw, params.image_size)
    done = unfinished.num_done
    logger.info("preprocess: %d images, %d of them done before", len(raw), done)
    images = preprocess_images(raw.contents(done), raw.names[done:], params.image_size)
    images = track(images, "preprocess", len(raw) - done)
    skipped = unfinished.write(images, paths.processed.parent, params.data.on_bad_image)
    logger.info("preprocess: %d by %d pixels, %d images left out", params.image_size, params.image_size, len(skipped))


if __name__ == "__main__":
    run_stage(preprocess)
