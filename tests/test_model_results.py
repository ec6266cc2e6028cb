from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from fusionseq.artifacts import Subsets
from fusionseq.errors import PipelineError
from fusionseq.evaluation import evaluate_probabilities
from fusionseq.model_results import ModelResults, collect_results
from fusionseq.statistics import Run, build_statistics
from fusionseq.tables import PREDICTION_COLUMNS, tabulate_predictions

CLASS_NAMES = ("ant", "bee", "cat")
SEEDS = (3, 4)


@dataclass
class Reports:
    """What `collect_results` takes, of seed 4."""

    statistics: Any
    predictions: list[dict[str, str]]
    reported_history: list[dict[str, str]]
    history: list[dict[str, str]]

    def collect(self, architecture: str = "fusion", class_names: tuple[str, ...] = CLASS_NAMES) -> ModelResults:
        reported = (self.reported_history, self.statistics, self.predictions)
        return collect_results(architecture, 4, class_names, self.history, *reported)


@pytest.fixture(scope="module")
def runs() -> dict[str, list[Run]]:
    draw = np.random.default_rng(0)
    return {
        name: [Run(seed, *draw.dirichlet(np.ones(3), (2, 40)).astype(np.float32)) for seed in SEEDS]
        for name in ("fusion", "sequential")
    }


LABELS = np.arange(80) % 3


@pytest.fixture(scope="module")
def made(runs: dict[str, list[Run]]) -> Reports:
    names = tuple(f"{row}.png" for row in range(80))
    subsets = Subsets(CLASS_NAMES, names, LABELS, np.array(["test", "validation"] * 40))
    labels = (LABELS[subsets.rows("test")], LABELS[subsets.rows("validation")])
    rows = tabulate_predictions(subsets, runs["fusion"])
    history = [{"seed": str(seed), "epoch": "1", "loss": f"0.{seed}"} for seed in SEEDS]
    return Reports(
        build_statistics(*labels, runs, {name: {} for name in runs}, 0.95, 100),
        [dict(zip(PREDICTION_COLUMNS, map(str, row), strict=True)) for row in rows],
        history,
        [dict(history[1])],
    )


@pytest.fixture
def reports(made: Reports) -> Reports:
    return deepcopy(made)


def test_results_are_those_of_the_model_alone(reports: Reports, runs: dict[str, list[Run]]) -> None:
    results = reports.collect()
    evaluation = evaluate_probabilities(LABELS[::2], runs["fusion"][1].probabilities)
    assert results.of_seed.seed == 4
    assert results.of_seed.accuracy == evaluation.accuracy
    assert results.of_seed.loss == evaluation.loss
    np.testing.assert_allclose([one.f1 for one in results.classes], evaluation.class_f1, rtol=1e-12)
    assert [one.name for one in results.classes] == list(CLASS_NAMES)
    assert [one.num_images for one in results.classes] == np.bincount(LABELS[::2]).tolist()
    assert (results.num_test, results.num_validation, results.num_seeds) == (40, 40, 2)


def change_history(reports: Reports) -> None:
    # Of the last digit, as on another processor.
    reports.history[0]["loss"] = "0.4000001"


def forget_history(reports: Reports) -> None:
    reports.history.clear()
    reports.reported_history.clear()


def forget_seed(reports: Reports) -> None:
    del reports.statistics["models"]["fusion"]["per_seed"][1]


def forget_intervals(reports: Reports) -> None:
    del reports.statistics["models"]["fusion"]["per_seed"][1]["accuracy_interval"]


def forget_all(reports: Reports) -> None:
    reports.statistics = None


def change_prediction(reports: Reports) -> None:
    row = reports.predictions[-1]
    row["predicted"] = next(name for name in CLASS_NAMES if name != row["predicted"])


def cut_predictions(reports: Reports) -> None:
    del reports.predictions[-1]


def empty_predictions(reports: Reports) -> None:
    reports.predictions.clear()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (change_history, "reports/history tells of another training"),
        (forget_history, "reports/history tells of another training"),
        (forget_seed, "holds no results of the fusion model with seed 4"),
        (forget_intervals, "holds no results of the fusion model with seed 4"),
        (forget_all, "holds no results of the fusion model with seed 4"),
        (change_prediction, "contradict each other"),
        (cut_predictions, "contradict each other"),
        (empty_predictions, "contradict each other"),
    ],
)
def test_results_of_another_model_are_refused(
    reports: Reports, change: Callable[[Reports], None], message: str
) -> None:
    change(reports)
    with pytest.raises(PipelineError, match=message):
        reports.collect()


def test_another_architecture_or_other_classes_are_refused(reports: Reports) -> None:
    with pytest.raises(PipelineError, match="no results of the stacked model"):
        reports.collect("stacked")
    with pytest.raises(PipelineError, match="reports/predictions has other classes"):
        reports.collect(class_names=("ant", "bee", "dog"))
