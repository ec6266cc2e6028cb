import numpy as np
import pytest
from numpy.typing import NDArray

from fusionseq.duplicates import EXCLUDED, check_labels, describe_duplicates, find_pairs, group_images
from fusionseq.errors import PipelineError


def draw_hashes(num_hashes: int, seed: int = 0) -> NDArray[np.uint64]:
    """Random hashes, some of them a few bits from another one."""
    rng = np.random.default_rng(seed)
    hashes = rng.integers(0, 2**64, num_hashes, dtype=np.uint64)
    for place in range(0, num_hashes - 1, 3):
        bits = rng.choice(64, rng.integers(0, 9), replace=False)
        hashes[place + 1] = hashes[place] ^ np.bitwise_or.reduce(
            np.uint64(1) << bits.astype(np.uint64), initial=np.uint64(0)
        )
    return rng.permutation(hashes)


def spell(hashes: NDArray[np.uint64]) -> list[str]:
    return [f"{int(value):016x}" for value in hashes]


def group_slowly(hashes: NDArray[np.uint64], distance: int) -> list[set[int]]:
    """Join every image to those whose hashes are near, until nothing changes."""
    near = np.bitwise_count(hashes[:, None] ^ hashes[None, :]) <= distance
    reached = near.copy()
    while True:
        further = (reached.astype(int) @ near.astype(int)) > 0
        if (further == reached).all():
            return [set(np.flatnonzero(row).tolist()) for row in reached]
        reached = further


@pytest.mark.parametrize("distance", [0, 1, 4, 8, 16])
@pytest.mark.parametrize("seed", range(3))
def test_groups_are_those_of_comparing_all_with_all(distance: int, seed: int) -> None:
    hashes = draw_hashes(200, seed)
    groups = group_images([str(row) for row in range(200)], spell(hashes), distance)
    assert set(groups) == set(range(groups.max() + 1))
    expected = group_slowly(hashes, distance)
    assert [set(np.flatnonzero(groups == group).tolist()) for group in groups] == expected
    assert distance == 0 or max(map(len, expected)) > 1


def test_pairs_are_near() -> None:
    hashes = draw_hashes(300)
    pairs = find_pairs(hashes, 4)
    assert len(pairs) > 20
    assert (pairs[:, 0] < pairs[:, 1]).all()
    assert (np.bitwise_count(hashes[pairs[:, 0]] ^ hashes[pairs[:, 1]]) <= 4).all()


def test_a_chain_is_one_picture() -> None:
    groups = group_images(["a", "b", "c", "d"], ["0" * 16, "0" * 15 + "f", "0" * 14 + "ff", "f" * 16], 4)
    assert len(set(groups[:3])) == 1
    assert groups[3] != groups[0]


def test_identical_files_are_one_picture_whatever_their_hashes() -> None:
    for distance in (None, 0, 4):
        groups = group_images(["a", "b", "a"], ["0" * 16, "f0" * 8, "f" * 16], distance)
        assert groups[0] == groups[2] != groups[1]


def test_without_a_distance_hashes_are_not_looked_at() -> None:
    assert len(set(group_images(list("abc"), ["0" * 16] * 3, None))) == 3


def test_identical_files_in_two_classes_are_named() -> None:
    labels = np.repeat([0, 1], 10)
    digests = [str(row) for row in range(20)]
    names = [f"image-{row}.png" for row in range(20)]
    check_labels(labels, digests, names, ["x", "y"])
    digests[13] = digests[4]
    with pytest.raises(PipelineError) as caught:
        check_labels(labels, digests, names, ["class 0", "class 1"])
    assert str(caught.value) == (
        "image-4.png and image-13.png are the same picture in two classes, 'class 0' and 'class 1'; remove one of them."
    )


def test_duplicates_are_counted() -> None:
    counts = describe_duplicates(
        labels=np.array([0, 0, 1, 0, 1, 1]),
        digests=["a", "a", "b", "c", "d", "e"],
        groups=np.array([0, 0, 1, 2, 2, 3]),
        subset=np.array(["train", "train", "test", "validation", "validation", EXCLUDED]),
    )
    assert counts == {
        "identical_files": 1,
        "groups": 2,
        "images_in_groups": 4,
        "groups_of_several_classes": 1,
        "excluded": 1,
    }
