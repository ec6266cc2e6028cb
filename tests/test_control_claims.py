"""Each claim on further models, with results that lead to each of its outcomes."""

import pytest
from paper_values import SIX_MODELS, SIX_P_VALUES, make_statistics

from fusionseq.control_claims import CONTROL_CLAIMS, build_claim_on
from fusionseq.evidence import Answer, Claim, Evidence, answer

BACKBONES = {"mobilenetv2": "MobileNetV2", "vgg16": "VGG16"}
CLAIMS = {claim.name: claim for claim in CONTROL_CLAIMS}
SECONDS = {"other_half": "vgg16", "capacity": "wide_head", "ensemble": "ensemble", "stacked": "stacked"}
NAMES = {
    "other_half": "VGG16 alone",
    "capacity": "the sequential model with the widened head",
    "ensemble": "the ensemble",
    "stacked": "the stacked model",
}
HEADS = "The widened head has 461{,}162 trainable parameters, that of fusion 461{,}578: "
LESSONS = {
    ("other_half", "fusion"): "",
    ("other_half", "second"): "",
    ("other_half", "open"): "",
    ("other_half", "equal"): "",
    ("capacity", "fusion"): f"{HEADS}a head of that size on one backbone does not make up for a second backbone.",
    ("capacity", "second"): f"{HEADS}a larger head did more here than a second backbone.",
    ("capacity", "open"): f"{HEADS}a head of that size on one backbone may do what a second backbone does.",
    ("capacity", "equal"): f"{HEADS}a larger head did as much here as a second backbone.",
    (
        "ensemble",
        "fusion",
    ): "Training on joined features did more here than averaging the predictions of separate models.",
    (
        "ensemble",
        "second",
    ): "Averaging the predictions of separate models did more here than training on joined features.",
    ("ensemble", "open"): "Averaging the predictions of separate models may do as much as training on joined features.",
    (
        "ensemble",
        "equal",
    ): "Averaging the predictions of separate models did as much here as training on joined features.",
    ("stacked", "fusion"): "Side by side, the backbones did better here than one behind the other.",
    ("stacked", "second"): "One behind the other, the backbones did better here than side by side.",
    ("stacked", "open"): "Whether the backbones stand side by side or one behind the other is not shown to matter.",
    ("stacked", "equal"): "One behind the other, the backbones did as well here as side by side.",
}
# Images that the other model classifies correctly where fusion does so with 350, and the p-value.
PLANTED = {"fusion": (340, 0.01), "second": (360, 0.01), "open": (352, 0.4), "equal": (350, 1.0)}


def compare(claim: Claim, second: str, planted: str) -> Answer:
    number, p_value = PLANTED[planted]
    statistics = make_statistics(
        SIX_MODELS | {"fusion": [350] * 3, second: [number] * 3}, SIX_P_VALUES | {second: p_value}
    )
    evidence = Evidence(statistics, BACKBONES)
    assert claim.find_second(evidence) == second
    return answer(claim, Evidence(statistics, BACKBONES, second))


def write_opening(planted: str, name: str) -> str:
    opening = name[0].upper() + name[1:]
    return {
        "fusion": rf"The fusion model outperforms {name}, 97.22\% against 94.44\%, by 2.78 percentage points (95\% "
        "interval from 1.39 to 4.17; corrected $p = 0.010$).",
        "second": rf"{opening} outperforms the fusion model, 100.00\% against 97.22\%, by 2.78 percentage points (95\% "
        "interval from 1.39 to 4.17; corrected $p = 0.010$).",
        "open": rf"Between the fusion model and {name} no difference is shown: that of the accuracies, 97.78\% against "
        rf"97.22\% in favour of {name}, is 0.56 percentage points (95\% interval from \ensuremath{{-}}1.00 to 2.11; "
        "corrected $p = 0.400$).",
        "equal": rf"The fusion model and {name} have the same mean test accuracy over three seeds, 97.22\%.",
    }[planted]


@pytest.mark.parametrize(("claim", "planted"), LESSONS)
def test_each_outcome_has_its_sentence(claim: str, planted: str) -> None:
    chosen = compare(CLAIMS[claim], SECONDS[claim], planted)
    assert chosen.outcome == planted
    assert chosen.sentence == f"{write_opening(planted, NAMES[claim])} {LESSONS[claim, planted]}".strip()


@pytest.mark.parametrize("planted", PLANTED)
def test_any_model_can_be_compared(planted: str) -> None:
    chosen = compare(build_claim_on("stranger"), "stranger", planted)
    assert (chosen.outcome, chosen.sentence) == (planted, write_opening(planted, "the model stranger"))


@pytest.mark.parametrize("claim", SECONDS)
def test_a_model_that_is_missing_is_not_asked_for(claim: str) -> None:
    statistics = make_statistics({"fusion": [350], "sequential": [340]}, {"sequential": 0.01})
    assert CLAIMS[claim].find_second(Evidence(statistics, BACKBONES)) is None


@pytest.mark.parametrize(
    ("number", "outcome", "sentence"),
    [
        (
            350,
            "second",
            "Of the two backbones alone, VGG16 has the higher mean test accuracy over two seeds; this comparison, "
            "rather than the one with the sequential model, says whether fusion adds anything to its better half.",
        ),
        (
            330,
            "first",
            "Of the two backbones alone, MobileNetV2 has the higher mean test accuracy over two seeds; the comparison "
            "with the sequential model, rather than this one, says whether fusion adds anything to its better half.",
        ),
        (
            340,
            "level",
            "The two backbones alone have the same mean test accuracy over two seeds, so that neither is the better "
            "half of fusion.",
        ),
    ],
)
def test_better_half_is_found(number: int, outcome: str, sentence: str) -> None:
    models = {"fusion": [355, 355], "sequential": [340, 340], "vgg16": [number, number]}
    statistics = make_statistics(models, {"sequential": 0.01, "vgg16": 0.01})
    chosen = answer(CLAIMS["better_half"], Evidence(statistics, BACKBONES, "vgg16"))
    assert (chosen.outcome, chosen.sentence) == (outcome, sentence)


LOSS = "the mean loss is lower for every one. Neither is tested."


@pytest.mark.parametrize(
    ("uncalibrated", "outcome", "sentence"),
    [
        ([], "all", f"After temperature scaling, the mean calibration error is lower for every model; {LOSS}"),
        (
            ["sequential"],
            "some",
            "After temperature scaling, the mean calibration error is lower for the fusion model and the ensemble, but "
            f"not for the sequential model; {LOSS}",
        ),
        (
            ["fusion", "sequential", "ensemble"],
            "none",
            f"After temperature scaling, the mean calibration error is lower for none of the models; {LOSS}",
        ),
    ],
)
def test_calibration_is_told_model_by_model(uncalibrated: list[str], outcome: str, sentence: str) -> None:
    models = {"fusion": [350, 351], "sequential": [340, 341], "ensemble": [345, 346]}
    statistics = make_statistics(models, {"sequential": 0.01, "ensemble": 0.01})
    for name in uncalibrated:
        for of_seed in statistics["models"][name]["per_seed"]:
            of_seed["calibrated_calibration_error"] = of_seed["calibration_error"]
    chosen = answer(CLAIMS["calibration"], Evidence(statistics, BACKBONES))
    assert (chosen.outcome, chosen.sentence) == (outcome, sentence)


@pytest.mark.parametrize(
    ("raised", "told"),
    [
        (["ensemble"], "lower for the fusion model and the sequential model, but not for the ensemble."),
        (["fusion", "sequential", "ensemble"], "lower for none."),
    ],
)
def test_a_loss_that_scaling_raises_is_told(raised: list[str], told: str) -> None:
    models = {"fusion": [350, 351], "sequential": [340, 341], "ensemble": [345, 346]}
    statistics = make_statistics(models, {"sequential": 0.01, "ensemble": 0.01})
    for name in raised:
        for of_seed in statistics["models"][name]["per_seed"]:
            of_seed["calibrated_loss"] = of_seed["loss"] + 0.01
    assert (
        f"the mean loss is {told} Neither is tested."
        in answer(CLAIMS["calibration"], Evidence(statistics, BACKBONES)).sentence
    )


def test_no_outcome_is_left_out() -> None:
    declared = {(claim.name, outcome.name) for claim in CONTROL_CLAIMS for outcome in claim.outcomes}
    halves = {("better_half", outcome) for outcome in ("second", "first", "level")}
    assert set(LESSONS) | halves | {("calibration", outcome) for outcome in ("all", "some", "none")} == declared
