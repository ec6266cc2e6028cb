"""Fetch the dataset and store its images as they are encoded.

Source: the source paper, Section 4.
"""

from fusionseq.console import logger, run_stage, track
from fusionseq.datasets.digits import load_digits
from fusionseq.params import Params
from fusionseq.paths import Paths
from fusionseq.raw_images import write_raw_images


def fetch(params: Params, paths: Paths) -> None:
    """Fetch the dataset and store its images as they are encoded."""
    dataset = load_digits(params.data.num_classes, params.data.images_per_class)
    write_raw_images(paths.raw, dataset, track(dataset.images, "fetch", dataset.num_images))
    logger.info("fetch: %d images of %d classes", dataset.num_images, len(dataset.class_names))


if __name__ == "__main__":
    run_stage(fetch)
