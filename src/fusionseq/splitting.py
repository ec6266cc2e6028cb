"""Stratified, duplicate-aware splits.

Source: the source paper, Section 4.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from fusionseq.duplicates import EXCLUDED
from fusionseq.errors import PipelineError
from fusionseq.sections import SplitParams

SUBSETS = ("train", "validation", "test")
_DTYPE = f"<U{max(map(len, (*SUBSETS, EXCLUDED)))}"


def split_images(
    labels: NDArray[np.int64],
    groups: NDArray[np.int64],
    class_names: Sequence[str],
    given: Sequence[str],
    split: SplitParams,
) -> NDArray[np.str_]:
    """Assign each image to a subset so that every subset keeps the class distribution.

    Images of one group stay in one subset: a copy of a training image would flatter the test.

    Parameters
    ----------
    labels
        int64 of shape (num_images,).
    groups
        Which picture each image shows, numbered from 0; int64 of shape (num_images,).
    class_names
        What to call classes in messages.
    given
        The subset that each image came with, or "". Only looked at where they are to be kept: then a test subset must
        be among them, and a validation subset that is not is taken from the training subset. Images of the training
        subset that show a picture of another one are excluded, as are images of the validation subset that show one of
        the test subset.
    split
        Whether to keep the given subsets, the shares, and the seed.

    Returns
    -------
    NDArray[np.str_]
        One of `SUBSETS` or `EXCLUDED` for each image, of shape (num_images,).

    Raises
    ------
    PipelineError
        A class is too small for every subset to get an image of it, or there is no test subset to keep.
    """
    if split.use == "source":
        subset = _keep(groups, np.array(given), class_names, labels, split)
    else:
        subset = np.empty(len(labels), dtype=_DTYPE)
        fractions = {"train": split.train, "validation": split.validation, "test": split.test}
        _divide(subset, np.arange(len(labels)), labels, groups, class_names, fractions, split.seed)
    for name in SUBSETS:
        _check_all_classes(name, labels[subset == name], class_names)
    return subset


def _keep(
    groups: NDArray[np.int64],
    given: NDArray[np.str_],
    class_names: Sequence[str],
    labels: NDArray[np.int64],
    split: SplitParams,
) -> NDArray[np.str_]:
    """Keep the subsets that images came with."""
    if not (np.any(given == "test") and np.any(given == "train")):
        raise PipelineError(
            "split.use: source keeps the subsets of the dataset, but it has no test subset beside a training subset; "
            "set split.use: ours in params.yaml."
        )
    subset = given.astype(_DTYPE)
    # A later subset is the more precious one: what it holds the ones before must not know.
    for precious, others in (("test", ("train", "validation")), ("validation", ("train",))):
        known = np.isin(groups, groups[subset == precious])
        subset[known & np.isin(subset, others)] = EXCLUDED
    if not np.any(given == "validation"):
        rest = split.train + split.validation
        fractions = {"train": split.train / rest, "validation": split.validation / rest}
        _divide(subset, np.flatnonzero(subset == "train"), labels, groups, class_names, fractions, split.seed)
    return subset


def _divide(
    subset: NDArray[np.str_],
    rows: NDArray[np.int64],
    labels: NDArray[np.int64],
    groups: NDArray[np.int64],
    class_names: Sequence[str],
    fractions: Mapping[str, float],
    seed: int,
) -> None:
    """Assign some images at random, the pictures of each class in given shares."""
    # scikit-learn takes a second to import, and the figures need only the counts below.
    from sklearn.model_selection import train_test_split

    _, first, picture = np.unique(groups[rows], return_index=True, return_inverse=True)
    # The label of its first image stands for a picture; the images of few pictures have several.
    of_picture = labels[rows][first]
    _check_class_sizes(of_picture, class_names, list(fractions.values()))
    left = np.arange(len(first))
    subset_of_picture = np.empty(len(first), dtype=_DTYPE)
    for name, fraction in list(fractions.items())[:-1]:
        # Whole numbers: scikit-learn would round a fraction such as 1.9999999 down.
        size = round(fraction * len(first))
        chosen, left = train_test_split(
            left, train_size=size, stratify=of_picture[left], random_state=np.random.RandomState(seed)
        )
        subset_of_picture[chosen] = name
    subset_of_picture[left] = list(fractions)[-1]
    subset[rows] = subset_of_picture[picture]


def count_classes(
    labels: NDArray[np.int64], subset: NDArray[np.str_], num_classes: int
) -> dict[str, NDArray[np.int64]]:
    """Count the images of each class in each subset: int64 of shape (num_classes,) by the subset's name."""
    return {name: np.bincount(labels[subset == name], minlength=num_classes) for name in SUBSETS}


def _check_class_sizes(labels: NDArray[np.int64], class_names: Sequence[str], fractions: Sequence[float]) -> None:
    counts = np.bincount(labels, minlength=len(class_names))
    smallest = int(np.argmin(counts))
    needed = max(len(fractions), int(np.ceil(1 / min(fractions) - 1e-9)))
    if counts[smallest] < needed:
        raise PipelineError(
            f"class {class_names[smallest]!r} has {counts[smallest]} different images, too few for the split; it needs "
            f"at least {needed}. Add images, or give the smallest subset a larger fraction."
        )


def _check_all_classes(subset: str, labels: NDArray[np.int64], class_names: Sequence[str]) -> None:
    counts = np.bincount(labels, minlength=len(class_names))
    if not counts.all():
        raise PipelineError(
            f"no image of class {class_names[int(np.argmin(counts))]!r} falls in the {subset} subset; "
            "add images of that class."
        )
