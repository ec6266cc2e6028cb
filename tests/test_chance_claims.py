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
    "The probability that one training of the fusion model has the higher test accuracy than one of the sequential "
    r"model with the same seed is estimated at 0.90 "
    r"(95\% interval from {} to {}), which by the criteria of \citet{{bouthillier2021}} is "
)
SMALLEST = (
    r"At this number of test images and with as many discordant pairs as here, one McNemar test at the 5\% level, "
    r"uncorrected, detects with a power of 80\% a difference of {} percentage points or more. The observed difference "
    "of 1.39 points is "
)
SINGLE = "Seed by seed, the exact McNemar test, corrected for all {}, finds the {} model significantly better"
OVER_SEEDS = (
    r"Over the trainings rather than the images, the $t$ interval of the difference is from \ensuremath{{-}}0.61 to "
    "3.39 percentage points, and the exact permutation test gives $p = {}$"
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
        f"{SINGLE.format('two such tests', 'fusion')} with both seeds.",
    ),
    (
        "seeds",
        "each",
        make_statistics({"fusion": [350] * 3, "sequential": THREE}, {"sequential": 0.01}, [SIGNIFICANT] * 3),
        {},
        f"{SINGLE.format('three such tests', 'sequential')} with each of the seeds.",
    ),
    (
        "seeds",
        "some",
        make_statistics(SIX_MODELS, SIX_P_VALUES, [NOT, SIGNIFICANT, NOT]),
        {"num_significant_uncorrected": 2},
        f"{SINGLE.format('15 such tests', 'fusion')} with only one of the three seeds; uncorrected, with two. What a "
        "study with one seed finds depends on the seed.",
    ),
    (
        "seeds",
        "none",
        make_statistics({"fusion": THREE, "sequential": [350] * 3}, {"sequential": 0.01}, [NOT] * 3),
        {},
        f"{SINGLE.format('three such tests', 'fusion')} with none of the three seeds; uncorrected, with one.",
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
        {"seeds_interval": [-0.0061, 0.0339]},
        OVER_SEEDS.format("0.250")
        + r", where three seeds can give no less than $0.250$, and so show nothing at the 5\% "
        "level.",
    ),
    (
        "over_seeds",
        "shown",
        TEN_SEEDS,
        {"seeds_interval": [-0.0061, 0.0339], "seeds_p_value": 0.004, "seeds_p_value_corrected": 0.02},
        OVER_SEEDS.format("0.004")
        + " ($0.020$ corrected): the difference stands out from the spread between trainings "
        "as well.",
    ),
    (
        "over_seeds",
        "open",
        TEN_SEEDS,
        {"seeds_interval": [-0.0061, 0.0339], "seeds_p_value": 0.02, "seeds_p_value_corrected": 0.1},
        OVER_SEEDS.format("0.020") + " ($0.100$ corrected): the difference does not stand out from the spread between "
        "trainings.",
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
        {"smallest_difference": None, "discordant_share": 0.0},
        "Both models classify the same images correctly with every seed, so that no test can tell them apart.",
    ),
    (
        "detectable",
        "too_small",
        TEN_SEEDS,
        {"smallest_difference": None},
        r"With 360 test images, no difference, however large, is likely to be found significant at the 5\% level.",
    ),
    (
        "detectable",
        "equal",
        make_statistics({"fusion": [354, 355], "sequential": [355, 354]}, {"sequential": 1.0}),
        {"smallest_difference": 0.014},
        SMALLEST.format("1.40").partition(". The")[0] + "; that none is observed does not exclude a smaller one.",
    ),
    (
        "detectable",
        "no",
        TEN_SEEDS,
        {"smallest_difference": 0.03, "discordant_share": 0.02, "power": 0.3},
        SMALLEST.format("3.00").replace(
            "as many discordant pairs as here", "all discordant pairs in favour of one model"
        )
        + "smaller: were it the true one, a study with one seed and a test subset of this size would detect it with a "
        r"power of 30\%.",
    ),
    ("detectable", "yes", TEN_SEEDS, {"smallest_difference": 0.0138}, SMALLEST.format("1.38") + "not smaller."),
    (
        "detectable",
        "no",
        TEN_SEEDS,
        {"smallest_difference": 0.014},
        SMALLEST.format("1.40")
        + "smaller: were it the true one, a study with one seed and a test subset of this size would detect it with a "
        r"power of 37\%.",
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
