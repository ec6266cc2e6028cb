"""Fetch the dataset and store its images as they are encoded.

Source: the source paper, Section 4.
"""

from fusionseq.checksums import Checksums
from fusionseq.console import logger, run_stage, track
from fusionseq.datasets.opening import open_dataset
from fusionseq.params import Params
from fusionseq.paths import Paths
from fusionseq.raw_images import write_raw_images


def fetch(params: Params, paths: Paths) -> None:
    """Fetch the dataset and store its images as they are encoded."""
    dataset = open_dataset(params.data, paths.downloads, Checksums(paths.checksums))
    images = track(dataset.images, "fetch", dataset.num_images)
    write_raw_images(paths.raw, dataset, images, params.data.on_bad_image)
    logger.info("fetch: %d images of %d classes", dataset.num_images, len(dataset.class_names))


if __name__ == "__main__":
    run_stage(fetch)
