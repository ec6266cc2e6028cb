"""The dataset that params.yaml asks for, whichever source it comes from."""

from pathlib import Path

from fusionseq.checksums import Checksums
from fusionseq.datasets import Dataset
from fusionseq.datasets.digits import load_digits
from fusionseq.datasets.huggingface import load_huggingface
from fusionseq.datasets.imagefolder import load_image_folder
from fusionseq.sections import DataParams, DigitsParams, ImageFolderParams


def open_dataset(data: DataParams, cache: Path, checksums: Checksums) -> Dataset:
    """Find the images of a source.

    Parameters
    ----------
    data
        Which source, and what it needs.
    cache
        Folder for what is downloaded.
    checksums
        Digests of what is downloaded.
    """
    if isinstance(data, DigitsParams):
        return load_digits(data.num_classes, data.images_per_class)
    if isinstance(data, ImageFolderParams):
        return load_image_folder(Path(data.path), data.labels)
    return load_huggingface(
        data.name, data.revision, data.config, data.image_column, data.label_column, cache, checksums
    )
