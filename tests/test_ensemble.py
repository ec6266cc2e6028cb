import numpy as np
import pytest

from fusionseq.ensemble import average_runs
from fusionseq.statistics import Run


def make_run(seed: int, test: list[list[float]], validation: list[list[float]]) -> Run:
    return Run(seed, np.array(test, np.float32), np.array(validation, np.float32))


def test_probabilities_are_averaged_seed_by_seed() -> None:
    first = [make_run(3, [[0.9, 0.1]], [[0.2, 0.8]]), make_run(5, [[0.5, 0.5]], [[0.5, 0.5]])]
    second = [make_run(3, [[0.4, 0.6]], [[0.6, 0.4]]), make_run(5, [[0.0, 1.0]], [[1.0, 0.0]])]
    averaged = average_runs([first, second])
    assert [run.seed for run in averaged] == [3, 5]
    np.testing.assert_allclose(averaged[0].probabilities, [[0.65, 0.35]], rtol=1e-6)
    np.testing.assert_allclose(averaged[0].validation_probabilities, [[0.4, 0.6]], rtol=1e-6)
    np.testing.assert_allclose(averaged[1].probabilities, [[0.25, 0.75]], rtol=1e-6)
    assert averaged[0].probabilities.dtype == np.float32


def test_order_of_the_members_does_not_matter() -> None:
    rng = np.random.default_rng(0)
    members = [[Run(0, *(rng.dirichlet(np.ones(5), 50).astype(np.float32) for _ in range(2)))] for _ in range(3)]
    forwards, backwards = average_runs(members)[0], average_runs(members[::-1])[0]
    np.testing.assert_array_equal(forwards.probabilities, backwards.probabilities)


def test_members_must_have_the_same_seeds() -> None:
    run = make_run(0, [[1.0, 0.0]], [[1.0, 0.0]])
    with pytest.raises(ValueError, match="shorter"):
        average_runs([[run, run], [run]])
