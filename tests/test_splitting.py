import numpy as np
import pytest
from numpy.typing import NDArray

from fusionseq.duplicates import EXCLUDED, group_images
from fusionseq.errors import PipelineError
from fusionseq.sections import SplitParams
from fusionseq.splitting import SUBSETS, count_classes, split_images

FRACTIONS = (0.6, 0.2, 0.2)


def split(
    labels: NDArray[np.int64],
    digests: list[str] | None = None,
    fractions: tuple[float, float, float] = FRACTIONS,
    seed: int = 0,
) -> NDArray[np.str_]:
    names = [f"image-{row}.png" for row in range(len(labels))]
    class_names = [f"class {label}" for label in range(labels.max() + 1)]
    groups = group_images(digests or names, names, None)
    return split_images(labels, groups, class_names, [""] * len(labels), make_params("ours", fractions, seed))


def make_params(use: str, fractions: tuple[float, float, float] = FRACTIONS, seed: int = 0) -> SplitParams:
    shares = dict(zip(SUBSETS, fractions, strict=True))
    return SplitParams.model_validate({"use": use, "seed": seed, "near_duplicates": None} | shares)


def keep(labels: NDArray[np.int64], groups: list[int], given: list[str]) -> NDArray[np.str_]:
    return split_images(labels, np.array(groups), ["a", "b"], given, make_params("source"))


@pytest.mark.parametrize("fractions", [FRACTIONS, (0.7, 0.15, 0.15), (0.8, 0.1, 0.1), (0.7, 0.1, 0.2)])
def test_every_image_is_in_one_subset_and_proportions_hold_within_one_image(
    fractions: tuple[float, float, float],
) -> None:
    for seed in range(25):
        sizes = np.random.default_rng(seed).integers(10, 60, seed % 7 + 2)
        labels = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(sizes)), sizes))
        subset = split(labels, fractions=fractions, seed=seed)
        assert subset.shape == labels.shape
        assert set(subset) == set(SUBSETS)
        for name, fraction in zip(SUBSETS, fractions, strict=True):
            counts = np.bincount(labels[subset == name], minlength=len(sizes))
            assert np.abs(counts - fraction * sizes).max() <= 1
            assert abs(counts.sum() - fraction * len(labels)) < 2


def test_fractions_are_those_of_their_subset() -> None:
    subset = split(np.repeat(np.arange(4), 100), fractions=(0.5, 0.4, 0.1))
    assert [int((subset == name).sum()) for name in ("train", "validation", "test")] == [200, 160, 40]


def test_copies_stay_together() -> None:
    for seed in range(25):
        rng = np.random.default_rng(seed)
        group_labels = np.repeat(np.arange(3), 20)
        groups = rng.permutation(np.repeat(np.arange(len(group_labels)), rng.integers(1, 5, len(group_labels))))
        subset = split(group_labels[groups], [f"digest {group}" for group in groups], seed=seed)
        for group in range(len(group_labels)):
            assert len(set(subset[groups == group])) == 1


def test_copies_within_a_class_are_no_contradiction() -> None:
    digests = [str(row) for row in range(20)]
    digests[4] = digests[3]
    subset = split(np.repeat([0, 1], 10), digests)
    assert subset[4] == subset[3]


@pytest.mark.parametrize(
    ("sizes", "fractions", "needed"),
    [
        ((5, 4), FRACTIONS, 5),
        ((10, 9), (0.8, 0.1, 0.1), 10),
        ((3, 2), (0.34, 0.33, 0.33), 4),
        ((20, 0, 20), FRACTIONS, 5),
    ],
)
def test_class_too_small_is_named(sizes: tuple[int, ...], fractions: tuple[float, float, float], needed: int) -> None:
    labels = np.repeat(np.arange(len(sizes)), sizes)
    smallest = int(np.argmin(sizes))
    with pytest.raises(PipelineError, match=f"class 'class {smallest}' has {sizes[smallest]} .* at least {needed}"):
        split(labels, fractions=fractions)


def test_copies_do_not_make_a_class_large_enough() -> None:
    labels = np.repeat([0, 1], [10, 10])
    digests = [str(row) for row in range(10)] + ["the same"] * 7 + ["a", "b", "c"]
    with pytest.raises(PipelineError, match="class 'class 1' has 4 different images"):
        split(labels, digests)


def test_smallest_classes_that_are_accepted_reach_every_subset() -> None:
    for seed in range(25):
        counts = count_classes(labels := np.repeat(np.arange(10), 5), split(labels, seed=seed), 10)
        assert [of_subset.tolist() for of_subset in counts.values()] == [[3] * 10, [1] * 10, [1] * 10]


@pytest.mark.parametrize("fractions", [(0.09, 0.02, 0.89), (0.17, 0.02, 0.81), (0.02, 0.09, 0.89), (0.01, 0.01, 0.98)])
def test_size_that_the_smallest_fraction_asks_for_is_enough(fractions: tuple[float, float, float]) -> None:
    labels = np.repeat([0, 1], round(1 / min(fractions)))
    subset = split(labels, fractions=fractions)
    assert all(set(labels[subset == name]) == {0, 1} for name in SUBSETS)


def test_equal_seed_gives_the_equal_split_and_another_seed_another() -> None:
    labels = np.repeat(np.arange(3), 30)
    first = split(labels, seed=7)
    np.random.default_rng().random()
    np.testing.assert_array_equal(first, split(labels, seed=7))
    assert all((first != split(labels, seed=seed)).any() for seed in range(7))


def test_split_depends_on_content_rather_than_on_order() -> None:
    labels = np.repeat(np.arange(3), 30)
    digests = [f"{row:03d}" for row in range(90)]
    order = np.random.default_rng(0).permutation(90)
    shuffled = split(labels[order], [digests[row] for row in order])
    np.testing.assert_array_equal(shuffled, split(labels, digests)[order])


def test_given_subsets_are_kept_whole() -> None:
    labels = np.tile([0, 1], 15)
    given = ["train"] * 10 + ["test"] * 10 + ["validation"] * 10
    assert keep(labels, list(range(30)), given).tolist() == given


def test_missing_validation_is_taken_from_training_in_the_proportion_of_the_shares() -> None:
    labels = np.tile([0, 1], 60)
    given = ["train"] * 80 + ["test"] * 40
    subset = keep(labels, list(range(120)), given)
    assert (subset[80:] == "test").all()
    counts = {name: np.bincount(labels[subset == name]).tolist() for name in SUBSETS}
    assert counts == {"train": [30, 30], "validation": [10, 10], "test": [20, 20]}


def test_what_a_precious_subset_holds_is_excluded_from_the_others() -> None:
    given = ["train"] * 6 + ["validation"] * 4 + ["test"] * 4
    groups = list(range(14))
    groups[0] = groups[10]  # training and test
    groups[1] = groups[6]  # training and validation
    groups[7] = groups[11]  # validation and test
    groups[2] = groups[3]  # both training
    subset = keep(np.tile([0, 1], 7), groups, given)
    assert np.flatnonzero(subset == EXCLUDED).tolist() == [0, 1, 7]
    assert [name for name in subset if name != EXCLUDED] == ["train"] * 4 + ["validation"] * 3 + ["test"] * 4


@pytest.mark.parametrize("given", [[""] * 30, ["train"] * 30, ["test"] * 30, ["train"] * 20 + ["validation"] * 10])
def test_there_must_be_a_test_subset_to_keep(given: list[str]) -> None:
    with pytest.raises(PipelineError, match=r"no test subset beside a training subset; set split\.use: ours"):
        keep(np.tile([0, 1], 15), list(range(30)), given)


def test_a_class_that_a_kept_subset_lacks_is_named() -> None:
    with pytest.raises(PipelineError, match="no image of class 'b' falls in the test subset"):
        keep(np.array([0, 1] * 10 + [0] * 10), list(range(30)), ["train"] * 20 + ["test"] * 10)


def test_classes_are_counted_in_each_subset() -> None:
    labels = np.array([0, 0, 2, 2, 2, 0])
    subset = np.array(["train", "test", "train", "train", "validation", "train"])
    counts = count_classes(labels, subset, 4)
    assert {name: of_subset.tolist() for name, of_subset in counts.items()} == {
        "train": [2, 0, 2, 0],
        "validation": [0, 0, 1, 0],
        "test": [1, 0, 0, 0],
    }
