"""Each claim on fusion and the sequential model, with results that lead to each of its outcomes."""

from collections.abc import Iterator
from typing import Any

import pytest
from paper_values import PUBLISHED, SIX_MODELS, SIX_P_VALUES, make_statistics

from fusionseq.chance_claims import CHANCE_CLAIMS
from fusionseq.claims import CLAIMS, choose_claims
from fusionseq.control_claims import CONTROL_CLAIMS
from fusionseq.evidence import Answer

BACKBONES = {"mobilenetv2": "MobileNetV2", "vgg16": "VGG16"}

FEW, MANY = [340, 341, 342], [354, 355, 356]
PLANTED = {
    "fusion": make_statistics({"fusion": MANY, "sequential": FEW}, {"sequential": 0.004}),
    "sequential": make_statistics({"fusion": FEW, "sequential": MANY}, {"sequential": 0.0004}),
    "open_fusion": make_statistics({"fusion": MANY, "sequential": [353, 355, 356]}, {"sequential": 0.7}),
    "open_sequential": make_statistics({"fusion": [353, 355, 356], "sequential": MANY}, {"sequential": 0.7}),
    "equal": make_statistics({"fusion": [354, 355], "sequential": [355, 354]}, {"sequential": 1.0}),
    "one_seed": make_statistics({"fusion": [354], "sequential": [340]}, {"sequential": 0.0123}),
    "one_seed_open": make_statistics({"fusion": [340], "sequential": [345]}, {"sequential": 0.3}),
    "one_seed_equal": make_statistics({"fusion": [350], "sequential": [350]}, {"sequential": 1.0}),
    "six": make_statistics(SIX_MODELS, SIX_P_VALUES),
}


def choose(planted: str) -> dict[str, Answer]:
    return choose_claims(PLANTED[planted], BACKBONES)


CASES = [
    (
        "fusion",
        "verdict",
        "fusion",
        r"The fusion model outperforms the sequential one: its mean test accuracy over three seeds is 98.61\% "
        r"against 94.72\%, a difference of 3.89 percentage points (95\% interval from 1.94 to 5.83; $p = 0.004$, "
        "paired permutation test over images).",
    ),
    (
        "six",
        "verdict",
        "fusion",
        r"The fusion model outperforms the sequential one: its mean test accuracy over three seeds is 98.24\% "
        r"against 96.67\%, a difference of 1.57 percentage points (95\% interval from 0.79 to 2.36; $p = 0.012$, "
        "paired permutation test over images, corrected for five comparisons).",
    ),
    (
        "sequential",
        "verdict",
        "sequential",
        r"The sequential model outperforms the fusion one: its mean test accuracy over three seeds is 98.61\% "
        r"against 94.72\%, a difference of 3.89 percentage points (95\% interval from 1.94 to 5.83; $p < 0.001$, "
        "paired permutation test over images).",
    ),
    (
        "open_sequential",
        "verdict",
        "open",
        "This run does not show that either of the two models is better. The mean test accuracy over three seeds "
        r"of the sequential model is higher, 98.61\% against 98.52\%, but the evidence falls short: the difference "
        r"is 0.09 percentage points (95\% interval from \ensuremath{-}1.00 to 1.19; $p = 0.700$, paired permutation "
        "test over images).",
    ),
    (
        "equal",
        "verdict",
        "equal",
        r"The fusion and the sequential model have the same mean test accuracy over two seeds, 98.47\%.",
    ),
    (
        "one_seed",
        "verdict",
        "fusion",
        r"The fusion model outperforms the sequential one: its test accuracy is 98.33\% against 94.44\%, a "
        r"difference of 3.89 percentage points (95\% interval from 1.94 to 5.83; $p = 0.012$, exact McNemar test).",
    ),
    (
        "one_seed_open",
        "verdict",
        "open",
        "This run does not show that either of the two models is better. The test accuracy of the sequential model "
        r"is higher, 95.83\% against 94.44\%, but the evidence falls short: the difference is 1.39 percentage "
        r"points (95\% interval from \ensuremath{-}1.00 to 3.78; $p = 0.300$, exact McNemar test).",
    ),
    (
        "one_seed_equal",
        "verdict",
        "equal",
        r"The fusion and the sequential model have the same test accuracy, 97.22\%.",
    ),
    ("fusion", "order", "same", "The order of the two is the one that the source paper reports."),
    (
        "open_fusion",
        "order",
        "same_open",
        "The order of the two is the one that the source paper reports, but here it may be owed to chance.",
    ),
    (
        "sequential",
        "order",
        "reverse",
        "The order of the two is the reverse of the one that the source paper reports.",
    ),
    (
        "open_sequential",
        "order",
        "reverse_open",
        "The order of the two is the reverse of the one that the source paper reports, but here it may be owed to "
        "chance.",
    ),
    (
        "equal",
        "order",
        "none",
        "The order that the source paper reports, with the fusion model ahead, does not show here.",
    ),
    ("fusion", "macro_f1", "same", "Macro-F1 puts the models in the same order."),
    ("equal", "macro_f1", "equal", "By mean macro-F1 they are equal."),
    ("one_seed_equal", "macro_f1", "equal", "By macro-F1 they are equal."),
    (
        "fusion",
        "loss",
        "fusion",
        "The lower loss is that of the fusion model, 0.0639 against 0.1028 nats, which is not tested.",
    ),
    (
        "sequential",
        "loss",
        "sequential",
        "The lower loss is that of the sequential model, 0.0639 against 0.1028 nats, which is not tested.",
    ),
    ("equal", "loss", "equal", "Their losses are equal."),
    ("sequential", "attribution", "none", "Where no advantage of fusion is shown, there is none to be explained."),
    (
        "fusion",
        "attribution",
        "untested",
        "How much of the gain is owed to fusion as such remains open: no further model was trained that could tell.",
    ),
    (
        "six",
        "attribution",
        "shared",
        "Fusion is not shown to be better than VGG16 alone or the ensemble, however. That the gain is owed to joining "
        "features in parallel is thus not shown, nor is it excluded.",
    ),
    (
        "fusion",
        "conclusion",
        "fusion",
        "On these images, adding the pooled features of VGG16 to those of MobileNetV2 raised the accuracy by 3.89 "
        "percentage points. It also multiplied the backbone parameters by 7.0.",
    ),
    (
        "sequential",
        "conclusion",
        "sequential",
        "On these images, MobileNetV2 alone did better by 3.89 percentage points than together with VGG16, with a "
        "fraction of the parameters. More features are not always better ones.",
    ),
    (
        "open_fusion",
        "conclusion",
        "open_fusion",
        "On these images, the observed difference of 0.09 percentage points in favour of the fusion model could "
        "also have come about by chance. This run does not show that either architecture is better, nor that the "
        "second backbone, which multiplied the backbone parameters by 7.0, is worth its price.",
    ),
    (
        "open_sequential",
        "conclusion",
        "open_sequential",
        "On these images, the observed difference of 0.09 percentage points in favour of the sequential model could "
        "also have come about by chance. This run does not show that either architecture is better; that the second "
        "backbone multiplied the backbone parameters by 7.0 is certain.",
    ),
    (
        "equal",
        "conclusion",
        "equal",
        "On these images, a second backbone neither raised nor lowered the mean test accuracy over two seeds, "
        "although it multiplied the backbone parameters by 7.0. Nothing here speaks for paying that price.",
    ),
]


@pytest.mark.parametrize(("planted", "claim", "outcome", "sentence"), CASES)
def test_each_outcome_has_its_sentence(planted: str, claim: str, outcome: str, sentence: str) -> None:
    chosen = choose(planted)[claim]
    assert chosen.outcome == outcome
    assert " ".join(chosen.sentence.split()) == sentence


def change(planted: str, **changes: Any) -> dict[str, Answer]:
    statistics = PLANTED[planted]
    comparison = statistics["comparisons"]["sequential"] | changes
    return choose_claims(
        statistics | {"comparisons": statistics["comparisons"] | {"sequential": comparison}}, BACKBONES
    )


@pytest.mark.parametrize(
    ("planted", "difference", "outcome", "sentence"),
    [
        ("fusion", -0.001, "opposite", "Macro-F1 puts the models in the opposite order."),
        ("sequential", 0.001, "opposite", "Macro-F1 puts the models in the opposite order."),
        ("equal", 0.001, "alone", "Macro-F1 is the higher for the fusion model."),
        ("equal", -0.001, "alone", "Macro-F1 is the higher for the sequential model."),
    ],
)
def test_macro_f1_may_differ_from_accuracy(planted: str, difference: float, outcome: str, sentence: str) -> None:
    chosen = change(planted, macro_f1_difference={"mean": difference, "interval": [-1.0, 1.0]})["macro_f1"]
    assert (chosen.outcome, chosen.sentence) == (outcome, sentence)


def test_a_lead_over_all_models_is_told() -> None:
    chosen = choose_claims(make_statistics(SIX_MODELS, dict.fromkeys(SIX_P_VALUES, 0.001)), BACKBONES)["attribution"]
    assert chosen.outcome == "stands"
    assert chosen.sentence == (
        "Fusion is shown to be better than VGG16 alone, the stacked model, the sequential model with the widened head "
        "and the ensemble as well, so that what these control for does not explain its lead."
    )


@pytest.mark.parametrize("planted", PLANTED)
def test_superiority_is_claimed_where_it_is_shown_alone(planted: str) -> None:
    chosen = choose(planted)
    is_shown = PLANTED[planted]["comparisons"]["sequential"]["verdict"] == "shown"
    assert ("outperforms the" in chosen["verdict"].sentence) == is_shown
    for claim in ("verdict", "conclusion"):
        assert ("does not show that either" in chosen[claim].sentence) == ("open" in chosen[claim].outcome)


def test_published_order_is_that_of_the_source_paper() -> None:
    results = PUBLISHED["results"]
    assert results["fusion"]["accuracy"]["value"] > results["sequential"]["accuracy"]["value"]


def list_sentences() -> Iterator[str]:
    for planted in PLANTED:
        yield from (chosen.sentence for chosen in choose(planted).values())


def test_sentences_are_sentences() -> None:
    for sentence in list_sentences():
        assert sentence[0].isupper()
        assert sentence.endswith(".")
        assert "  " not in sentence
        for wrong in (" one seeds", "over one seed", "None", "nan", "..", " ,", ",,"):
            assert wrong not in sentence


def test_models_without_a_claim_of_their_own_are_compared() -> None:
    statistics = make_statistics(
        {"fusion": [350, 351], "sequential": [351, 350], "resnet50": [340, 341]}, {"sequential": 1.0, "resnet50": 0.01}
    )
    chosen = choose_claims(statistics, BACKBONES)
    assert chosen["against_resnet50"].sentence.startswith("The fusion model outperforms the model resnet50, ")
    assert not set(chosen) & {"capacity", "ensemble", "stacked", "other_half", "better_half"}


def test_second_backbone_need_not_be_vgg16() -> None:
    statistics = make_statistics(
        {"fusion": [350], "sequential": [351], "resnet50": [340]}, {"sequential": 1.0, "resnet50": 0.01}
    )
    chosen = choose_claims(statistics, {"mobilenetv2": "MobileNetV2", "resnet50": "ResNet50"})
    assert chosen["other_half"].sentence.startswith("The fusion model outperforms ResNet50 alone, ")
    assert "against_resnet50" not in chosen


def test_names_are_declared_once() -> None:
    declared = [claim.name for claim in (*CLAIMS, *CHANCE_CLAIMS, *CONTROL_CLAIMS)]
    assert len(set(declared)) == len(declared)
    assert set(declared) == set(choose("six"))
    for claim in (*CLAIMS, *CHANCE_CLAIMS, *CONTROL_CLAIMS):
        outcomes = [outcome.name for outcome in claim.outcomes]
        assert claim.question.endswith("?")
        assert len(set(outcomes)) == len(outcomes)


def test_no_outcome_is_left_out() -> None:
    declared = {(claim.name, outcome.name) for claim in CLAIMS for outcome in claim.outcomes}
    elsewhere = {("macro_f1", "opposite"), ("macro_f1", "alone"), ("attribution", "stands")}
    assert {(claim, outcome) for _, claim, outcome, _ in CASES} | elsewhere == declared
