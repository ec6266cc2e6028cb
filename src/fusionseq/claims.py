"""Every comparative sentence of the paper, beside the condition on which it stands.

A claim asks a question; exactly one of its outcomes holds, and its sentence is printed. Those on fusion against the
sequential model are declared here, what chance has to do with them in `chance_claims`, and those on further models in
`control_claims`.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from fusionseq.chance_claims import CHANCE_CLAIMS
from fusionseq.control_claims import CONTROL_CLAIMS, build_claim_on
from fusionseq.evidence import ACCURACIES, DIFFERENCE, NUMBERS, SEQUENTIAL, Answer, Claim, Evidence, Outcome, answer

_PRICE = (
    r"multiplied the backbone parameters by "
    r"\VAR{(fusion.parameters.backbones / other.parameters.backbones)|fixed(1)}"
)


def _macro_f1_lead(evidence: Evidence) -> float:
    return float(evidence.comparison["macro_f1_difference"]["mean"])


def _loss_difference(evidence: Evidence) -> float:
    return float(evidence.comparison["loss_difference"]["mean"])


def _find_published_design(evidence: Evidence) -> str | None:
    """Compare with the source paper where the backbones are its own, in their places."""
    return SEQUENTIAL if list(evidence.backbones) == ["mobilenetv2", "vgg16"] else None


CLAIMS: tuple[Claim, ...] = (
    Claim(
        "verdict",
        "Does the fusion model classify better than the sequential one?",
        (
            Outcome(
                "fusion",
                Evidence.shows_fusion,
                f"The fusion model outperforms the sequential one: {NUMBERS}",
            ),
            Outcome(
                "sequential",
                Evidence.shows_second,
                f"The sequential model outperforms the fusion one: {NUMBERS}",
            ),
            Outcome(
                "open",
                Evidence.is_open,
                "This run does not show that either of the two models is better. "
                rf"The \VAR{{measure}} of \VAR{{ahead}} is higher, {ACCURACIES}, but the evidence falls short: the "
                f"difference is {DIFFERENCE}.",
            ),
            Outcome(
                "equal",
                Evidence.is_equal,
                r"The fusion and the sequential model have the same \VAR{measure}, \VAR{accuracy_ahead|percent(2)}.",
            ),
        ),
    ),
    Claim(
        "order",
        # Source: the source paper, Section 9, where the fusion model is ahead.
        "Is the order the published one?",
        (
            Outcome("same", Evidence.shows_fusion, "The order of the two is the one that the source paper reports."),
            Outcome(
                "same_open",
                Evidence.is_open_for_fusion,
                "The order of the two is the one that the source paper reports, but here it may be owed to chance.",
            ),
            Outcome(
                "reverse",
                Evidence.shows_second,
                "The order of the two is the reverse of the one that the source paper reports.",
            ),
            Outcome(
                "reverse_open",
                Evidence.is_open_for_second,
                "The order of the two is the reverse of the one that the source paper reports, but here it may be owed "
                "to chance.",
            ),
            Outcome(
                "none",
                Evidence.is_equal,
                "The order that the source paper reports, with the fusion model ahead, does not show here.",
            ),
        ),
        _find_published_design,
    ),
    Claim(
        "macro_f1",
        "Does macro-F1 put the models in the same order?",
        (
            Outcome(
                "equal",
                lambda evidence: _macro_f1_lead(evidence) == 0,
                r"By \VAR{'' if seeds|length == 1 else 'mean '}macro-F1 they are equal.",
            ),
            Outcome(
                "same",
                lambda evidence: _macro_f1_lead(evidence) * evidence.lead > 0,
                "Macro-F1 puts the models in the same order.",
            ),
            Outcome(
                "opposite",
                lambda evidence: _macro_f1_lead(evidence) * evidence.lead < 0,
                "Macro-F1 puts the models in the opposite order.",
            ),
            Outcome(
                "alone",
                lambda evidence: evidence.lead == 0 and _macro_f1_lead(evidence) != 0,
                r"Macro-F1 is the higher for the \VAR{'fusion' if macro_f1_difference.mean > 0 else 'sequential'} "
                "model.",
            ),
        ),
    ),
    Claim(
        "loss",
        "Which model has the lower loss?",
        (
            Outcome(
                "fusion",
                lambda evidence: _loss_difference(evidence) < 0,
                r"The lower loss is that of the fusion model, \VAR{fusion.loss.mean|fixed(4)} against "
                r"\VAR{other.loss.mean|fixed(4)} nats, which is not tested.",
            ),
            Outcome(
                "sequential",
                lambda evidence: _loss_difference(evidence) > 0,
                r"The lower loss is that of the sequential model, \VAR{other.loss.mean|fixed(4)} against "
                r"\VAR{fusion.loss.mean|fixed(4)} nats, which is not tested.",
            ),
            Outcome("equal", lambda evidence: _loss_difference(evidence) == 0, "Their losses are equal."),
        ),
    ),
    Claim(
        "attribution",
        "Is the lead of fusion owed to joining the features, as far as the other models can tell?",
        (
            Outcome(
                "none",
                lambda evidence: not evidence.shows_fusion(),
                "Where no advantage of fusion is shown, there is none to be explained.",
            ),
            Outcome(
                "untested",
                lambda evidence: evidence.shows_fusion() and not evidence.rivals,
                "How much of the gain is owed to fusion as such remains open: no further model was trained that could "
                "tell.",
            ),
            Outcome(
                "stands",
                lambda evidence: evidence.shows_fusion() and bool(evidence.rivals) and not evidence.unmatched_rivals,
                r"Fusion is shown to be better than \VAR{rivals|listed} as well, so that what these control for does "
                "not explain its lead.",
            ),
            Outcome(
                "shared",
                lambda evidence: evidence.shows_fusion() and bool(evidence.unmatched_rivals),
                r"Fusion is not shown to be better than \VAR{unmatched_rivals|listed('or')}, however"
                r"\VAR{'; the mean accuracy of ' ~ rivals_ahead|listed ~ ' is higher' if rivals_ahead else ''}. That "
                "the gain is owed to joining features in parallel is thus not shown, nor is it excluded.",
            ),
        ),
    ),
    Claim(
        "conclusion",
        "What may a reader take from it?",
        (
            Outcome(
                "fusion",
                Evidence.shows_fusion,
                r"On these images, adding the pooled features of \VAR{titles[1]} to those of \VAR{titles[0]} raised "
                rf"the accuracy by \VAR{{lead|points(2)}} percentage points. It also {_PRICE}.",
            ),
            Outcome(
                "sequential",
                Evidence.shows_second,
                r"On these images, \VAR{titles[0]} alone did better by \VAR{lead|points(2)} percentage points than "
                r"together with \VAR{titles[1]}, with a fraction of the parameters. More features are not always "
                "better ones.",
            ),
            Outcome(
                "open_fusion",
                Evidence.is_open_for_fusion,
                r"On these images, the observed difference of \VAR{lead|points(2)} percentage points in favour of the "
                "fusion model could also have come about by chance. This run does not show that either architecture is "
                f"better, nor that the second backbone, which {_PRICE}, is worth its price.",
            ),
            Outcome(
                "open_sequential",
                Evidence.is_open_for_second,
                r"On these images, the observed difference of \VAR{lead|points(2)} percentage points in favour of the "
                "sequential model could also have come about by chance. This run does not show that either "
                f"architecture is better; that the second backbone {_PRICE} is certain.",
            ),
            Outcome(
                "equal",
                Evidence.is_equal,
                r"On these images, a second backbone neither raised nor lowered the \VAR{measure}, although it "
                f"{_PRICE}. Nothing here speaks for paying that price.",
            ),
        ),
    ),
)


def choose_claims(statistics: Mapping[str, Any], backbones: Mapping[str, str]) -> dict[str, Answer]:
    """Answer every claim that the run can answer.

    Parameters
    ----------
    statistics
        The content of reports/statistics.json.
    backbones
        Titles of the two backbones that fusion joins, by name and in order.

    Returns
    -------
    dict[str, Answer]
        By the name of the claim; "against_NAME" for each model that no claim of its own is about.
    """
    evidence = Evidence(statistics, backbones)
    declared = (*CLAIMS, *CHANCE_CLAIMS, *CONTROL_CLAIMS)
    answered = {claim.find_second(evidence) for claim in CONTROL_CLAIMS}
    others = [build_claim_on(name) for name in evidence.rivals if name not in answered]
    answers = {}
    for claim in (*declared, *others):
        second = claim.find_second(evidence)
        if second is not None:
            answers[claim.name] = answer(claim, replace(evidence, second=second))
    return answers
