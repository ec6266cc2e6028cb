"""Split the images into training, validation and test subsets.

Source: the source paper, Section 4.
"""

from fusionseq.artifacts import Subsets, write_json, write_subsets
from fusionseq.console import logger, run_stage
from fusionseq.duplicates import check_labels, describe_duplicates, group_images
from fusionseq.params import Params
from fusionseq.paths import Paths
from fusionseq.processed_images import ProcessedImages
from fusionseq.splitting import split_images


def split(params: Params, paths: Paths) -> None:
    """Split the images into training, validation and test subsets."""
    images = ProcessedImages.read(paths.processed.parent)
    check_labels(images.labels, images.digests, images.names, images.class_names)
    groups = group_images(images.digests, images.perceptual_hashes, params.split.near_duplicates)
    subset = split_images(images.labels, groups, images.class_names, images.subsets, params.split)
    subsets = Subsets(images.class_names, images.names, images.labels, subset)
    write_subsets(paths.subsets, subsets)
    write_json(paths.duplicates, describe_duplicates(images.labels, images.digests, groups, subset))
    sizes = (len(subsets.rows(name)) for name in ("train", "validation", "test"))
    logger.info("split: %d train, %d validation, %d test images", *sizes)


if __name__ == "__main__":
    run_stage(split)
