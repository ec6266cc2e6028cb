import pytest
from paper_values import SIX_MODELS, SIX_P_VALUES, make_statistics

from fusionseq.errors import PipelineError
from fusionseq.evidence import Claim, Evidence, Outcome, answer

BACKBONES = {"mobilenetv2": "MobileNetV2", "vgg16": "VGG16"}


def make_evidence(second: str = "sequential") -> Evidence:
    return Evidence(make_statistics(SIX_MODELS, SIX_P_VALUES), BACKBONES, second)


def test_a_lead_is_told_from_the_side_of_the_model_that_is_ahead() -> None:
    statistics = make_statistics({"fusion": [340], "sequential": [354]}, {"sequential": 0.01})
    evidence = Evidence(statistics, BACKBONES)
    values = evidence.collect_values()
    assert evidence.lead < 0 < values["lead"]  # type: ignore[operator]
    assert values["lead_interval"] == [
        -bound for bound in reversed(evidence.comparison["accuracy_difference"]["interval"])
    ]
    assert (values["ahead"], values["behind"]) == ("the sequential model", "the fusion model")
    assert values["accuracy_ahead"] == statistics["models"]["sequential"]["accuracy"]["mean"]


def test_conditions_tell_the_models_apart() -> None:
    assert make_evidence("sequential").shows_fusion()
    assert not make_evidence("sequential").shows_second()
    assert make_evidence("vgg16").is_open_for_fusion()
    assert not make_evidence("vgg16").is_open_for_second()
    assert make_evidence().unmatched_rivals == ["vgg16", "ensemble"]


def test_models_have_names_in_prose() -> None:
    evidence = make_evidence()
    evidence.statistics["models"]["another"] = {"title": "A_B"}
    names = [evidence.name(model) for model in ("fusion", "vgg16", "another")]
    assert names == ["the fusion model", "VGG16 alone", r"the model A\_B"]
    assert evidence.name("ensemble", is_opening=True) == "The ensemble"


def test_the_outcome_that_holds_is_filled() -> None:
    claim = Claim(
        "lead", "?", (Outcome("yes", lambda evidence: evidence.lead > 0, r" By \VAR{lead|points(2)}. "),
                      Outcome("no", lambda evidence: evidence.lead <= 0, "No."))
    )  # fmt: skip
    answered = answer(claim, make_evidence())
    assert (answered.outcome, answered.sentence) == ("yes", "By 1.57.")


@pytest.mark.parametrize(("holds", "named"), [(True, "first, second"), (False, "none")])
def test_not_exactly_one_outcome_is_refused(holds: bool, named: str) -> None:
    outcomes = tuple(Outcome(name, lambda _: holds, "") for name in ("first", "second"))
    with pytest.raises(PipelineError, match=rf"^exactly one outcome of the claim odd must hold; .* Got {named}\.$"):
        answer(Claim("odd", "?", outcomes), make_evidence())
