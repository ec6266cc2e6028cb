"""Planted cases: predictions with a known difference, from their statistics to the sentences of the typeset paper."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from paper_values import make_contents, make_values
from test_paper import print_once, write_source

from fusionseq.statistics import Run, build_statistics

NUM_IMAGES, NUM_CLASSES, SEEDS = 360, 2, (0, 1, 2)
Y_TRUE = np.arange(NUM_IMAGES) % NUM_CLASSES
Y_VALIDATION = np.arange(100) % NUM_CLASSES
# Images that each model gets wrong with each seed: a shared core, and some of its own.
CASES: dict[str, tuple[dict[str, range], str, str | None, list[str], list[str]]] = {
    "fusion wins": (
        {"fusion": range(4), "sequential": range(2, 34), "vgg16": range(3, 34)},
        "shown",
        "fusion",
        [
            "The fusion model outperforms the sequential one: its mean test accuracy over three seeds is 98.89% "
            "against 91.11%, a difference of 7.78 percentage points",
            "corrected for two comparisons",
            "The order of the two is the one that the source paper reports.",
            "raised the accuracy by 7.78 percentage points",
        ],
        ["outperforms the fusion one", "does not show that either"],
    ),
    "sequential wins": (
        {"fusion": range(2, 34), "sequential": range(4), "vgg16": range(3, 34)},
        "shown",
        "sequential",
        [
            "The sequential model outperforms the fusion one: its mean test accuracy over three seeds is 98.89% "
            "against 91.11%",
            "The order of the two is the reverse of the one that the source paper reports.",
            "MobileNetV2 alone did better by 7.78 percentage points than together with VGG16",
        ],
        ["outperforms the sequential one", "does not show that either"],
    ),
    "too little to tell": (
        {"fusion": range(10), "sequential": range(6, 19), "vgg16": range(3, 34)},
        "open",
        "fusion",
        [
            "This run does not show that either of the two models is better. The mean test accuracy over three seeds "
            "of the fusion model is higher, 97.22% against 96.39%, but the evidence falls short",
            "could also have come about by chance",
        ],
        ["outperforms the sequential one", "outperforms the fusion one"],
    ),
    "no difference": (
        {"fusion": range(10), "sequential": range(8, 18), "vgg16": range(3, 34)},
        "equal",
        None,
        [
            "The fusion and the sequential model have the same mean test accuracy over three seeds, 97.22%.",
            "The order that the source paper reports, with the fusion model ahead, does not show here.",
        ],
        ["outperforms the sequential one", "outperforms the fusion one"],
    ),
}


def predict(y_true: NDArray[np.int64], wrong: range, seed: int) -> NDArray[np.float32]:
    """Probabilities that are high for the right class, but for some images."""
    confidence = np.random.default_rng(seed).uniform(0.7, 0.99, len(y_true))
    predicted = y_true.copy()
    predicted[[image for image in wrong if image < len(y_true)]] ^= 1
    probabilities = np.empty((len(y_true), NUM_CLASSES), np.float32)
    rows = np.arange(len(y_true))
    probabilities[rows, predicted] = confidence
    probabilities[rows, 1 - predicted] = 1 - confidence
    return probabilities


def plant(errors: dict[str, range]) -> dict[str, Any]:
    runs = {
        name: [Run(seed, predict(Y_TRUE, wrong, seed), predict(Y_VALIDATION, wrong, seed)) for seed in SEEDS]
        for name, wrong in errors.items()
    }
    contents = {
        name: {"title": name.capitalize(), "description": name, "members": [], **make_contents(name)} for name in runs
    }
    return build_statistics(Y_TRUE, Y_VALIDATION, runs, contents, 0.95, 500)


@pytest.mark.skipif(shutil.which("latexmk") is None, reason="latexmk is not installed")
@pytest.mark.parametrize(("errors", "verdict", "better", "present", "absent"), CASES.values(), ids=list(CASES))
def test_planted_difference_is_found_and_said(
    tmp_path: Path, errors: dict[str, range], verdict: str, better: str | None, present: list[str], absent: list[str]
) -> None:
    statistics = plant(errors)
    comparison = statistics["comparisons"]["sequential"]
    assert (comparison["verdict"], comparison["better"]) == (verdict, better)
    printed = print_once(write_source(tmp_path, make_values(statistics)))
    for sentence in present:
        assert sentence in printed
    for sentence in absent:
        assert sentence not in printed
