"""Split the images into training, validation and test subsets.

Source: the source paper, Section 4.
"""

from fusionseq.artifacts import Subsets, write_subsets
from fusionseq.console import logger, run_stage
from fusionseq.params import Params
from fusionseq.paths import Paths
from fusionseq.raw_images import RawImages
from fusionseq.splitting import split_images


def split(params: Params, paths: Paths) -> None:
    """Split the images into training, validation and test subsets."""
    raw = RawImages.read(paths.raw)
    fractions = (params.split.train, params.split.validation, params.split.test)
    subset = split_images(raw.labels, raw.digests, raw.names, raw.class_names, fractions, params.split.seed)
    subsets = Subsets(raw.class_names, raw.names, raw.labels, subset)
    write_subsets(paths.subsets, subsets)
    sizes = (len(subsets.rows(name)) for name in ("train", "validation", "test"))
    logger.info("split: %d train, %d validation, %d test images", *sizes)


if __name__ == "__main__":
    run_stage(split)
