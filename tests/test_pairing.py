import numpy as np
import pytest
from scipy.stats import permutation_test

from fusionseq.errors import PipelineError
from fusionseq.experiments import Experiment, ModelResults, Predictions, Problem, SeedResults, Statistics, Summary
from fusionseq.pairing import build_report, find_differing_parameters

IMAGES = tuple(f"image-{place:02d}" for place in range(12))
ACTUAL = ("cat", "dog", "cow") * 4


def make_experiment(revision: str, wrong: dict[str, list[list[int]]], resamples: int | None = 100) -> Experiment:
    """An experiment whose models have some images wrong with each seed, listed by their positions."""
    predictions, models = {}, {}
    for name, of_model in wrong.items():
        predicted = tuple(
            tuple("dog" if place in of_seed and actual != "dog" else "cow" if place in of_seed else actual
                  for place, actual in enumerate(ACTUAL))
            for of_seed in of_model
        )  # fmt: skip
        predictions[name] = Predictions(IMAGES, ACTUAL, tuple(range(len(of_model))), predicted)
        accuracies = [1 - len(of_seed) / len(IMAGES) for of_seed in of_model]
        summary = Summary(mean=float(np.mean(accuracies)))
        rows = [SeedResults(seed=seed, accuracy=value, macro_f1=value) for seed, value in enumerate(accuracies)]
        models[name] = ModelResults(accuracy=summary, macro_f1=summary, loss=Summary(mean=0.5), per_seed=rows)
    statistics = Statistics(confidence=0.9, resamples=resamples, test=Problem(num_classes=3), models=models)
    return Experiment(revision, None, {}, statistics, predictions)


def test_p_value_is_that_of_scipy_over_all_exchanges() -> None:
    first = make_experiment("a", {"m": [[0, 1], [0, 2]]})
    second = make_experiment("b", {"m": [[3, 4, 5, 6], [0, 3, 5, 7]]})
    (found,) = build_report([first, second])["comparisons"]
    rights = [
        sum(np.array(of_seed) == np.array(ACTUAL) for of_seed in one.predictions["m"].predicted)
        for one in (second, first)
    ]
    exact = permutation_test(
        rights, lambda one, other, axis: np.mean(one - other, axis=axis), permutation_type="samples", n_resamples=10_000
    )
    assert found["p_value"] == pytest.approx(exact.pvalue)
    assert found["accuracy_difference"]["mean"] == pytest.approx(-4 / 24)
    assert (found["only_revision"], found["only_baseline"]) == (3, 7)


def test_confidence_is_the_level_of_intervals() -> None:
    report = build_report([make_experiment("a", {"m": [[0], [1]]}), make_experiment("b", {"m": [[2], [3]]})])
    assert (report["confidence"], report["resamples"]) == (0.9, 100)


def test_results_of_an_older_version_borrow_the_bootstrap_of_the_next() -> None:
    old, new = make_experiment("old", {"m": [[0]]}, None), make_experiment("new", {"m": [[1]]})
    assert build_report([old, new])["resamples"] == 100
    with pytest.raises(PipelineError, match=r"names the number of resamples.*Got old, older\.$"):
        build_report([old, make_experiment("older", {"m": [[1]]}, None)])


def test_parameters_that_some_lack_differ() -> None:
    experiments = [
        Experiment(name, None, parameters, **dict.fromkeys(("statistics", "predictions")))  # type: ignore[arg-type]
        for name, parameters in (
            ("a", {"same": [1], "number": 0, "only": None}),
            ("b", {"same": [1], "number": 0.0, "new": 1}),
            ("c", {"same": [1], "number": 0, "only": None}),
        )
    ]
    assert find_differing_parameters(experiments) == {"only": {"a": None, "c": None}, "new": {"b": 1}}
