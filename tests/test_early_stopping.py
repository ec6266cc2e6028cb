import pytest

from fusionseq.early_stopping import find_best, is_patience_over


@pytest.mark.parametrize(
    ("losses", "best"), [([1.0], 0), ([3.0, 2.0, 1.0], 2), ([1.0, 2.0, 3.0], 0), ([2.0, 1.0, 1.0, 1.5], 1)]
)
def test_best_epoch_is_the_first_of_the_least_loss(losses: list[float], best: int) -> None:
    assert find_best(losses) == best


@pytest.mark.parametrize(
    ("losses", "patience", "is_over"),
    [
        ([], 1, False),
        ([1.0], 1, False),
        ([1.0, 2.0], 1, True),
        ([1.0, 2.0], 2, False),
        ([1.0, 2.0, 1.5], 2, True),
        ([1.0, 1.0], 1, True),
        ([1.0, 2.0, 0.9], 2, False),
        ([1.0, 2.0, 0.9, 1.0, 1.0], 2, True),
    ],
)
def test_patience_counts_epochs_since_the_best(losses: list[float], patience: int, is_over: bool) -> None:
    assert is_patience_over(losses, patience) is is_over
