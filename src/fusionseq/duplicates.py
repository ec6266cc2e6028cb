"""Which images show one picture.

Source: B. Barz and J. Denzler, Do We Train on Test Data? Purging CIFAR of Near-Duplicates, 2020, for why it matters.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from fusionseq.errors import PipelineError

# Of an image that is in no subset, since one like it is in a subset that must not know it.
EXCLUDED = "excluded"

_BITS = 64


def group_images(digests: Sequence[str], perceptual_hashes: Sequence[str], distance: int | None) -> NDArray[np.int64]:
    """Number the pictures that images show; images with one number must not be torn apart by a split.

    Parameters
    ----------
    digests
        Of the files; equal ones are one picture.
    perceptual_hashes
        16 hexadecimal digits each.
    distance
        Up to how many bits of two perceptual hashes may differ for their images to be one picture; a chain of such
        pairs is one picture, too. None compares digests alone.

    Returns
    -------
    NDArray[np.int64]
        Shape (num_images,), numbered from 0 on.
    """
    _, group = np.unique(np.array(digests), return_inverse=True)
    if distance is not None:
        hashes = np.array([int(digits, 16) for digits in perceptual_hashes], dtype=np.uint64)
        group = _join(group, find_pairs(hashes, distance))
    return group.astype(np.int64)


def find_pairs(hashes: NDArray[np.uint64], distance: int) -> NDArray[np.int64]:
    """Find the pairs of hashes of which at most `distance` bits differ, without comparing all with all.

    Of `distance + 1` parts of the bits, such a pair agrees in at least one, so only hashes that share a part are
    compared.

    Returns
    -------
    NDArray[np.int64]
        Positions, of shape (num_pairs, 2); a hash that occurs several times is chained to its first occurrence, so not
        all of its pairs are listed.
    """
    unique, first, inverse = np.unique(hashes, return_index=True, return_inverse=True)
    copies = np.flatnonzero(first[inverse] != np.arange(len(hashes)))
    pairs = [np.stack([first[inverse[copies]], copies], axis=1)]
    edges = np.linspace(0, _BITS, distance + 2).astype(int)
    for low, high in pairwise(edges):
        part = (unique >> np.uint64(low)) & np.uint64(2 ** int(high - low) - 1)
        order = np.argsort(part, kind="stable")
        # Within a run of equal parts, each hash is compared with the one 1, 2, ... places behind it.
        shift = 1
        while shift < len(order):
            left, right = order[:-shift], order[shift:]
            same = part[left] == part[right]
            if not same.any():
                break
            left, right = left[same], right[same]
            near = np.bitwise_count(unique[left] ^ unique[right]) <= distance
            pairs.append(np.stack([first[left[near]], first[right[near]]], axis=1))
            shift += 1
    return np.unique(np.sort(np.concatenate(pairs), axis=1), axis=0)


def check_labels(
    labels: NDArray[np.int64], digests: Sequence[str], names: Sequence[str], class_names: Sequence[str]
) -> None:
    """Refuse two identical files with different labels: one of them must be wrong.

    Near duplicates may have two labels, since two frames of one scene can show different things.

    Raises
    ------
    PipelineError
        There are such files; the message names the first two.
    """
    _, first, picture = np.unique(np.array(digests), return_index=True, return_inverse=True)
    contradictory = np.flatnonzero(labels != labels[first][picture])
    if len(contradictory):
        one = contradictory[0]
        other = first[picture[one]]
        raise PipelineError(
            f"{names[other]} and {names[one]} are the same picture in two classes, {class_names[labels[other]]!r} and "
            f"{class_names[labels[one]]!r}; remove one of them."
        )


def describe_duplicates(
    labels: NDArray[np.int64], digests: Sequence[str], groups: NDArray[np.int64], subset: NDArray[np.str_]
) -> dict[str, int]:
    """Count what the split made of duplicates, for the paper.

    Parameters
    ----------
    labels, digests, groups, subset
        One entry for each image; `groups` as `group_images` gives them.

    Returns
    -------
    dict[str, int]
        "identical_files": images whose file equals that of an image before; "groups": pictures that several images
        show, and "images_in_groups", how many do; "groups_of_several_classes": those of the groups whose images have
        different labels; "excluded": images that are in no subset, since one like them is in the test subset, or in the
        validation subset.
    """
    sizes = np.bincount(groups)
    several = np.flatnonzero(sizes > 1)
    lowest, highest = np.full(len(sizes), labels.max()), np.zeros(len(sizes), dtype=np.int64)
    np.minimum.at(lowest, groups, labels)
    np.maximum.at(highest, groups, labels)
    return {
        "identical_files": len(digests) - len(set(digests)),
        "groups": len(several),
        "images_in_groups": int(sizes[several].sum()),
        "groups_of_several_classes": int(np.sum(lowest != highest)),
        "excluded": int(np.sum(subset == EXCLUDED)),
    }


def _join(group: NDArray[np.int64], pairs: NDArray[np.int64]) -> NDArray[np.int64]:
    # SciPy takes a moment to import.
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    left, right = group[pairs[:, 0]], group[pairs[:, 1]]
    size = int(group.max()) + 1
    graph = coo_array((np.ones(len(pairs)), (left, right)), shape=(size, size))
    _, component = connected_components(graph, directed=False)
    joined: NDArray[np.int64] = component[group].astype(np.int64)
    return joined
