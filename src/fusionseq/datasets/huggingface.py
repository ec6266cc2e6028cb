"""A dataset of the Hugging Face hub at a fixed commit: parquet files whose images stay encoded.

No code of a dataset is run, and nothing is kept but the files themselves.

Source: https://huggingface.co/docs/datasets, and Q. Lhoest et al., Datasets: A Community Library for Natural Language
Processing, EMNLP 2021.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fusionseq.checksums import Checksums
from fusionseq.console import logger
from fusionseq.datasets import Dataset
from fusionseq.datasets.columns import find_columns
from fusionseq.datasets.hub import Hub
from fusionseq.datasets.layout import Layout, read_layout
from fusionseq.datasets.parquet import Part, count_rows, read_features, read_images, read_labels
from fusionseq.datasets.repository import Repository
from fusionseq.errors import PipelineError

if TYPE_CHECKING:
    from datasets import Features

# Seconds; doubled with each attempt.
_PAUSE = 1.0
# The words by which the library `datasets` tells splits apart in the names of files.
_WORDS = {
    "train": {"train", "training"},
    "validation": {"validation", "valid", "val", "dev"},
    "test": {"test", "testing", "eval", "evaluation"},
}


@dataclass(frozen=True)
class PlannedFile:
    """A file that makes up a split, or a part of it; `size` in bytes."""

    path: str
    split: str
    size: int
    is_cached: bool


@dataclass(frozen=True)
class Plan:
    """What loading a dataset would fetch.

    Attributes
    ----------
    config
        The configuration.
    files
        Its files.
    num_images
        How many images the dataset's card claims, None where it does not.
    """

    config: str
    files: tuple[PlannedFile, ...]
    num_images: int | None


def resolve_revision(name: str, revision: str, pause: float = _PAUSE) -> str:
    """Ask the hub for the full commit hash of a revision such as "main"; the rest is as in `load_huggingface`."""
    return Hub(pause).resolve_revision(name, revision)


def plan_huggingface(
    name: str,
    revision: str,
    config: str | None,
    image_column: str | None,
    label_column: str | None,
    cache: Path,
    checksums: Checksums,
    pause: float = _PAUSE,
) -> Plan:
    """Find out what loading a dataset would fetch, from the list of its files and from its card alone.

    Parameters and errors are those of `load_huggingface`, as far as they show without the data. Nothing is recorded.
    """
    repository = Repository(name, revision, cache, checksums, Hub(pause), is_trial=True)
    layout = read_layout(repository, config)
    _assign_subsets(layout.splits)
    if layout.features is not None:
        find_columns(layout.features, image_column, label_column)
    files = [
        PlannedFile(path, split, repository.files[path].size, repository.is_cached(path))
        for split, paths in layout.splits.items()
        for path in paths
    ]
    return Plan(layout.config, tuple(files), layout.num_images)


def load_huggingface(
    name: str,
    revision: str,
    config: str | None,
    image_column: str | None,
    label_column: str | None,
    cache: Path,
    checksums: Checksums,
    pause: float = _PAUSE,
) -> Dataset:
    """Fetch a dataset, verify its files, and read its labels.

    Parameters
    ----------
    name
        Such as "Bingsu/Cat_and_Dog".
    revision
        Full commit hash.
    config
        Configuration of the dataset; None where it has a single one.
    image_column, label_column
        Names of the columns; None finds the only one.
    cache
        Folder for what is fetched. Once all is there, no request is made.
    checksums
        Digests of what was fetched at first.
    pause
        Seconds before a request that failed is made again; doubled each time.

    Returns
    -------
    Dataset
        Images in the order of the splits and rows, called such as "train/000012.jpg"; classes without images are left
        out. Where there are several splits, one is the test or validation subset if a word of its name says so, and
        else belongs to the training subset.

    Raises
    ------
    PipelineError
        The dataset cannot be fetched or is another one than at first, is not made of parquet files, its columns or
        configuration are not plain, or an image has no label.
    """
    repository = Repository(name, revision, cache, checksums, Hub(pause))
    layout = read_layout(repository, config)
    subsets = _assign_subsets(layout.splits)
    # Before anything large is fetched.
    columns = find_columns(_find_features(repository, layout), image_column, label_column)
    parts, files, splits = [], [], dict.fromkeys(layout.splits, 0)
    for split, paths in layout.splits.items():
        for path in paths:
            file = repository.fetch(path)
            parts.append(Part(path, file.location, split, start=splits[split]))
            splits[split] += count_rows(parts[-1])
            files.append({"path": path, "size": file.size, "sha256": file.sha256, "split": split})
    class_names, labels = read_labels(parts, columns)
    return Dataset(
        class_names=class_names,
        num_images=len(labels),
        images=read_images(parts, columns, labels, subsets),
        origin={
            "source": "huggingface",
            "name": name,
            "revision": revision,
            "config": layout.config,
            "license": layout.license,
            "columns": {"image": columns.image, "label": columns.label},
            "splits": splits,
            "files": files,
        },
    )


def _find_features(repository: Repository, layout: Layout) -> "Features":
    if layout.features is not None:
        return layout.features
    split, (path, *_) = next(iter(layout.splits.items()))
    return read_features(Part(path, repository.fetch(path).location, split, start=0))


def _assign_subsets(splits: Iterable[str]) -> dict[str, str]:
    """Choose the subset of each split."""
    if len(splits := list(splits)) == 1:
        return {splits[0]: ""}
    subsets = {}
    for split in splits:
        words = set(re.split("[^a-z]+", split.lower()))
        found = [subset for subset, names in _WORDS.items() if words & names]
        if len(found) > 1:
            raise PipelineError(
                f"the split {split!r} of the dataset could be of the subsets {' or '.join(found)}; name another "
                "configuration in data.config in params.yaml, or another dataset."
            )
        subsets[split] = found[0] if found else "train"
        if not found:
            logger.info("fetch: the split %r belongs to the training subset", split)
    return subsets
