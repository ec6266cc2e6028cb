"""Decode all images and resize them to one size.

Source: the source paper, Section 5.
"""

import numpy as np

from fusionseq.artifacts import writing_array
from fusionseq.console import logger, run_stage, track
from fusionseq.params import Params
from fusionseq.paths import Paths
from fusionseq.preprocessing import decode_images
from fusionseq.raw_images import RawImages


def preprocess(params: Params, paths: Paths) -> None:
    """Decode all images and resize them to one size."""
    raw = RawImages.read(paths.raw)
    shape = (len(raw), params.image_size, params.image_size, 3)
    with writing_array(paths.processed, shape, np.uint8) as images:
        decoded = decode_images(raw.contents(), raw.names, params.image_size)
        for row, pixels in enumerate(track(decoded, "preprocess", len(raw))):
            images[row] = pixels
    logger.info("preprocess: %d images of %d by %d pixels", len(raw), params.image_size, params.image_size)


if __name__ == "__main__":
    run_stage(preprocess)
