"""Each claim on chance, with comparisons that lead to each of its outcomes."""

from typing import Any

import pytest
from paper_values import SIX_MODELS, SIX_P_VALUES, make_statistics

from fusionseq.chance_claims import CHANCE_CLAIMS
from fusionseq.evidence import Evidence, answer

BACKBONES = {"mobilenetv2": "MobileNetV2", "vgg16": "VGG16"}
CLAIMS = {claim.name: claim for claim in CHANCE_CLAIMS}

THREE, TWO, ONE = [355, 355, 355], [355, 355], [355]
SIGNIFICANT, NOT = 0.01, 0.2
TEN_SEEDS = make_statistics({"fusion": [355] * 10, "sequential": [350] * 10}, {"sequential": 0.001})
PROBABILITY = (
    "The probability that one training of the fusion model outperforms one of the sequential model is estimated at "
    r"0.90 (95\% interval from {} to {}), which by the criteria of \citet{{bouthillier2021}} is "
)
SMALLEST = (
    r"At this number of test images and with as many discordant pairs as here, one McNemar test at the 5\% level "
    r"detects with a power of 80\% a difference of {} percentage points or more. The observed difference of 1.39 "
    "points is "
)
SINGLE = (
    "a single comparison by the exact McNemar test, corrected for all {}, would have called the {} model "
    "significantly better"
)

CASES: list[tuple[str, str, dict[str, Any], dict[str, Any], str]] = [
    (
        "seeds",
        "single",
        make_statistics({"fusion": [355], "sequential": [350]}, {"sequential": 0.01}),
        {},
        "A single seed says nothing of how much the result would vary from one training to the next.",
    ),
    (
        "seeds",
        "equal",
        make_statistics({"fusion": [354, 355], "sequential": [355, 354]}, {"sequential": 1.0}),
        {},
        "No seed can speak for the model that is ahead, since neither is.",
    ),
    (
        "seeds",
        "each",
        make_statistics({"fusion": TWO, "sequential": [350, 350]}, {"sequential": 0.01}, [SIGNIFICANT] * 2),
        {},
        f"With both of the seeds, {SINGLE.format('two such tests', 'fusion')}.",
    ),
    (
        "seeds",
        "each",
        make_statistics({"fusion": [350] * 3, "sequential": THREE}, {"sequential": 0.01}, [SIGNIFICANT] * 3),
        {},
        f"With each of the seeds, {SINGLE.format('three such tests', 'sequential')}.",
    ),
    (
        "seeds",
        "some",
        make_statistics(SIX_MODELS, SIX_P_VALUES, [NOT, SIGNIFICANT, NOT]),
        {},
        f"With only one of the three seeds, {SINGLE.format('15 such tests', 'fusion')}; what a study with one seed "
        "finds depends on the seed.",
    ),
    (
        "seeds",
        "none",
        make_statistics({"fusion": THREE, "sequential": [350] * 3}, {"sequential": 0.01}, [NOT] * 3),
        {},
        f"With none of the seeds, {SINGLE.format('three such tests', 'fusion')}.",
    ),
    (
        "over_seeds",
        "single",
        make_statistics({"fusion": [355], "sequential": [350]}, {"sequential": 0.01}),
        {},
        "With a single seed, nothing can be tested over seeds.",
    ),
    (
        "over_seeds",
        "out_of_reach",
        make_statistics({"fusion": THREE, "sequential": [350] * 3}, {"sequential": 0.01}),
        {},
        "The exact permutation test over the seeds gives $p = 0.250$, but with three seeds it cannot give less than "
        r"$0.250$, and so can show nothing at the 5\% level.",
    ),
    (
        "over_seeds",
        "shown",
        TEN_SEEDS,
        {"seeds_p_value": 0.004, "seeds_p_value_corrected": 0.02},
        "The exact permutation test over the seeds gives $p = 0.004$ ($0.020$ corrected): the difference stands out "
        "from the spread between trainings as well.",
    ),
    (
        "over_seeds",
        "open",
        TEN_SEEDS,
        {"seeds_p_value": 0.02, "seeds_p_value_corrected": 0.1},
        "The exact permutation test over the seeds gives $p = 0.020$ ($0.100$ corrected): the difference does not "
        "stand out from the spread between trainings.",
    ),
    (
        "outperforming",
        "fusion",
        TEN_SEEDS,
        {"outperforming": {"probability": 0.9, "interval": [0.51, 0.76]}},
        PROBABILITY.format("0.51", "0.76") + "a significant and meaningful advantage of fusion.",
    ),
    (
        "outperforming",
        "fusion_small",
        TEN_SEEDS,
        {"outperforming": {"probability": 0.9, "interval": [0.51, 0.75]}},
        PROBABILITY.format("0.51", "0.75") + "a significant advantage of fusion, but too small a one to be meaningful.",
    ),
    (
        "outperforming",
        "sequential",
        TEN_SEEDS,
        {"outperforming": {"probability": 0.9, "interval": [0.24, 0.49]}},
        PROBABILITY.format("0.24", "0.49") + "a significant and meaningful advantage of the sequential model.",
    ),
    (
        "outperforming",
        "sequential_small",
        TEN_SEEDS,
        {"outperforming": {"probability": 0.9, "interval": [0.25, 0.49]}},
        PROBABILITY.format("0.25", "0.49")
        + "a significant advantage of the sequential model, but too small a one to be meaningful.",
    ),
    (
        "outperforming",
        "open",
        TEN_SEEDS,
        {"outperforming": {"probability": 0.9, "interval": [0.5, 1.0]}},
        PROBABILITY.format("0.50", "1.00") + "no significant advantage of either.",
    ),
    (
        "detectable",
        "no_pairs",
        TEN_SEEDS,
        {"smallest_difference": None},
        "Both models classify the same images correctly with every seed, so that no test can tell them apart.",
    ),
    (
        "detectable",
        "equal",
        make_statistics({"fusion": [354, 355], "sequential": [355, 354]}, {"sequential": 1.0}),
        {"smallest_difference": 0.014},
        SMALLEST.format("1.40").partition(". The")[0] + "; that none is observed does not exclude a smaller one.",
    ),
    ("detectable", "yes", TEN_SEEDS, {"smallest_difference": 0.0138}, SMALLEST.format("1.38") + "not smaller."),
    (
        "detectable",
        "no",
        TEN_SEEDS,
        {"smallest_difference": 0.014},
        SMALLEST.format("1.40")
        + "smaller: a study with one seed and a test subset of this size detects it with less than that power.",
    ),
]


@pytest.mark.parametrize(("claim", "outcome", "statistics", "changes", "sentence"), CASES)
def test_each_outcome_has_its_sentence(
    claim: str, outcome: str, statistics: dict[str, Any], changes: dict[str, Any], sentence: str
) -> None:
    comparisons = {"sequential": statistics["comparisons"]["sequential"] | changes}
    chosen = answer(CLAIMS[claim], Evidence(statistics | {"comparisons": comparisons}, BACKBONES))
    assert (chosen.outcome, chosen.sentence) == (outcome, sentence)


def test_no_outcome_is_left_out() -> None:
    declared = {(claim.name, outcome.name) for claim in CHANCE_CLAIMS for outcome in claim.outcomes}
    assert {(claim, outcome) for claim, outcome, *_ in CASES} == declared
