"""What the models beyond the two of the source paper say of fusion, and how far probabilities can be trusted."""

from collections.abc import Callable

from fusionseq.evidence import ACCURACIES, SEQUENTIAL, Claim, Evidence, Outcome

# As short as it can be told where the kind of test has been told before.
_DIFFERENCE = (
    r"\VAR{lead|points(2)} percentage points (\VAR{confidence|percent} interval from \VAR{lead_interval[0]|points(2)} "
    r"to \VAR{lead_interval[1]|points(2)}; \VAR{'corrected ' if corrections.num_comparisons > 1 else ''}"
    r"\VAR{p_value_corrected|pvalue})"
)
_WIDENED = (
    r"The widened head has \VAR{other.parameters.trainable_frozen|integer} trainable parameters, that of fusion "
    r"\VAR{fusion.parameters.trainable_frozen|integer}"
)


# Either list may be empty.
_LOSS = (
    r"the mean loss is lower for \VAR{of_less_loss|listed if not_of_less_loss and of_less_loss else "
    r"'every one' if of_less_loss else 'none'}\VAR{', but not for ' ~ not_of_less_loss|listed if not_of_less_loss and "
    r"of_less_loss else ''}. Neither is tested."
)


def _find(name: str) -> Callable[[Evidence], str | None]:
    return lambda evidence: name if name in evidence.statistics["models"] else None


def _compare(fusion: str = "", second: str = "", undecided: str = "", equal: str = "") -> tuple[Outcome, ...]:
    """The four outcomes of fusion against any other model, each with what follows from it."""
    return (
        Outcome(
            "fusion",
            Evidence.shows_fusion,
            rf"The fusion model outperforms \VAR{{other_name}}, {ACCURACIES}, by {_DIFFERENCE}. {fusion}",
        ),
        Outcome(
            "second",
            Evidence.shows_second,
            rf"\VAR{{other_opening}} outperforms the fusion model, {ACCURACIES}, by {_DIFFERENCE}. {second}",
        ),
        Outcome(
            "open",
            Evidence.is_open,
            r"Between the fusion model and \VAR{other_name} no difference is shown: that of the accuracies, "
            rf"{ACCURACIES} in favour of \VAR{{ahead}}, is {_DIFFERENCE}. {undecided}",
        ),
        Outcome(
            "equal",
            Evidence.is_equal,
            r"The fusion model and \VAR{other_name} have the same \VAR{measure}, \VAR{accuracy_ahead|percent(2)}. "
            f"{equal}",
        ),
    )


def _find_other_backbone(evidence: Evidence) -> str | None:
    _, other = evidence.backbones
    return _find(other)(evidence)


def _find_ensemble_of_halves(evidence: Evidence) -> str | None:
    """Find the ensemble of each backbone alone; what another one says of fusion is another thing."""
    _, other = evidence.backbones
    models = evidence.statistics["models"]
    return "ensemble" if "ensemble" in models and set(models["ensemble"]["members"]) == {SEQUENTIAL, other} else None


def _compute_lead_of_halves(evidence: Evidence) -> int:
    """By how many test images, over all seeds, the second backbone alone exceeds the first."""
    second, first = (
        sum(of_seed["num_correct"] for of_seed in evidence.statistics["models"][name]["per_seed"])
        for name in (evidence.second, SEQUENTIAL)
    )
    return int(second - first)


def _compute_calibrated_share(evidence: Evidence) -> float:
    return len(evidence.list_calibrated("calibration_error")) / len(evidence.statistics["models"])


CONTROL_CLAIMS: tuple[Claim, ...] = (
    Claim(
        "other_half",
        "Does fusion classify better than its second backbone alone?",
        _compare(),
        _find_other_backbone,
    ),
    Claim(
        "better_half",
        "Which of its backbones, each alone, is the better half of fusion?",
        (
            Outcome(
                "second",
                lambda evidence: _compute_lead_of_halves(evidence) > 0,
                r"Of the two backbones alone, \VAR{titles[1]} has the higher \VAR{measure}; this comparison, rather "
                "than the one with the sequential model, says whether fusion adds anything to its better half.",
            ),
            Outcome(
                "first",
                lambda evidence: _compute_lead_of_halves(evidence) < 0,
                r"Of the two backbones alone, \VAR{titles[0]} has the higher \VAR{measure}; the comparison with the "
                "sequential model, rather than this one, says whether fusion adds anything to its better half.",
            ),
            Outcome(
                "level",
                lambda evidence: _compute_lead_of_halves(evidence) == 0,
                r"The two backbones alone have the same \VAR{measure}, so that neither is the better half of fusion.",
            ),
        ),
        _find_other_backbone,
    ),
    Claim(
        "capacity",
        "Does fusion classify better than a single backbone with as many trainable parameters in its head?",
        _compare(
            fusion=f"{_WIDENED}: a head of that size on one backbone does not make up for a second backbone.",
            second=f"{_WIDENED}: a larger head did more here than a second backbone.",
            undecided=f"{_WIDENED}: a head of that size on one backbone may do what a second backbone does.",
            equal=f"{_WIDENED}: a larger head did as much here as a second backbone.",
        ),
        _find("wide_head"),
    ),
    Claim(
        "ensemble",
        "Does fusion classify better than the mean of separately trained models?",
        _compare(
            fusion="Training on joined features did more here than averaging the predictions of separate models.",
            second="Averaging the predictions of separate models did more here than training on joined features.",
            undecided="Averaging the predictions of separate models may do as much as training on joined features.",
            equal="Averaging the predictions of separate models did as much here as training on joined features.",
        ),
        _find_ensemble_of_halves,
    ),
    Claim(
        "stacked",
        "Does it matter whether the backbones stand side by side or one behind the other?",
        _compare(
            fusion="Side by side, the backbones did better here than one behind the other.",
            second="One behind the other, the backbones did better here than side by side.",
            undecided="Whether the backbones stand side by side or one behind the other is not shown to matter.",
            equal="One behind the other, the backbones did as well here as side by side.",
        ),
        _find("stacked"),
    ),
    Claim(
        "calibration",
        "Does a temperature fitted on the validation subset lower the calibration error on the test subset?",
        (
            Outcome(
                "all",
                lambda evidence: _compute_calibrated_share(evidence) == 1,
                f"After temperature scaling, the mean calibration error is lower for every model; {_LOSS}",
            ),
            Outcome(
                "some",
                lambda evidence: 0 < _compute_calibrated_share(evidence) < 1,
                r"After temperature scaling, the mean calibration error is lower for \VAR{calibrated|listed}, but not "
                rf"for \VAR{{not_calibrated|listed}}; {_LOSS}",
            ),
            Outcome(
                "none",
                lambda evidence: _compute_calibrated_share(evidence) == 0,
                f"After temperature scaling, the mean calibration error is lower for none of the models; {_LOSS}",
            ),
        ),
    ),
)


def build_claim_on(name: str) -> Claim:
    """Compare fusion with a model that no claim of its own is about, as "against_NAME"."""
    return Claim(f"against_{name}", f"Does fusion classify better than {name}?", _compare(), _find(name))
