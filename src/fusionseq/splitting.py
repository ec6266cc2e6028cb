"""Stratified, duplicate-aware splits.

Source: the source paper, Section 4.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fusionseq.errors import PipelineError

SUBSETS = ("train", "validation", "test")


def split_images(
    labels: NDArray[np.int64],
    digests: Sequence[str],
    names: Sequence[str],
    class_names: Sequence[str],
    fractions: Sequence[float],
    seed: int,
) -> NDArray[np.str_]:
    """Assign each image to a subset so that every subset keeps the class distribution.

    Images of equal content stay in one subset: a copy of a training image would flatter the test.

    Parameters
    ----------
    labels
        int64 of shape (num_images,).
    digests
        Digest of each image's content.
    names, class_names
        What to call images and classes in messages.
    fractions
        Shares of `SUBSETS`, in their order; their sum is 1.
    seed
        Start of the random assignment.

    Returns
    -------
    NDArray[np.str_]
        One of `SUBSETS` for each image, of shape (num_images,).

    Raises
    ------
    PipelineError
        One content has two labels, or a class is too small for every subset to get an image of it.
    """
    # scikit-learn takes a second to import, and the figures need only the counts below.
    from sklearn.model_selection import train_test_split

    unique, first, group_of_image = np.unique(np.array(digests), return_index=True, return_inverse=True)
    group_labels = labels[first]
    contradictory = np.flatnonzero(labels != group_labels[group_of_image])
    if len(contradictory):
        one = contradictory[0]
        other = first[group_of_image[one]]
        raise PipelineError(
            f"{names[other]} and {names[one]} are the same picture in two classes, {class_names[labels[other]]!r} and "
            f"{class_names[labels[one]]!r}; remove one of them."
        )
    _check_class_sizes(group_labels, class_names, fractions)

    groups = np.arange(len(unique))
    # Whole numbers: scikit-learn would round a fraction such as 1.9999999 down.
    num_train, num_validation = (round(fraction * len(groups)) for fraction in fractions[:2])
    train, held_out = train_test_split(
        groups, train_size=num_train, stratify=group_labels, random_state=np.random.RandomState(seed)
    )
    validation, test = train_test_split(
        held_out,
        train_size=num_validation,
        stratify=group_labels[held_out],
        random_state=np.random.RandomState(seed),
    )
    subset_of_group = np.empty(len(unique), dtype=f"<U{max(map(len, SUBSETS))}")
    for name, members in zip(SUBSETS, (train, validation, test), strict=True):
        subset_of_group[members] = name
        _check_all_classes(name, group_labels[members], class_names)
    return subset_of_group[group_of_image]


def count_classes(
    labels: NDArray[np.int64], subset: NDArray[np.str_], num_classes: int
) -> dict[str, NDArray[np.int64]]:
    """Count the images of each class in each subset: int64 of shape (num_classes,) by the subset's name."""
    return {name: np.bincount(labels[subset == name], minlength=num_classes) for name in SUBSETS}


def _check_class_sizes(labels: NDArray[np.int64], class_names: Sequence[str], fractions: Sequence[float]) -> None:
    counts = np.bincount(labels, minlength=len(class_names))
    smallest = int(np.argmin(counts))
    needed = max(len(SUBSETS), int(np.ceil(1 / min(fractions) - 1e-9)))
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
