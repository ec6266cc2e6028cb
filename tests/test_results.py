import json
from typing import Any

import pytest
from paper_values import SIX_MODELS, SIX_P_VALUES, make_statistics

from fusionseq.errors import PipelineError
from fusionseq.page.results import parse_results


def make_content() -> dict[str, Any]:
    return make_statistics(SIX_MODELS, SIX_P_VALUES)


def test_results_are_read_with_the_errors_of_each_model() -> None:
    results = parse_results(json.dumps(make_content()), "statistics.json")
    assert list(results.models) == list(SIX_MODELS)
    assert results.titles["wide_head"] == "Wide head"
    assert results.models["ensemble"].parameters is None
    (error,) = results.errors
    assert list(error.predictions) == ["fusion", "sequential"]
    assert error.predictions["sequential"].probability == 0.51


@pytest.mark.parametrize(
    ("place", "value", "named"),
    [
        (("models", "fusion", "accuracy"), None, "models.fusion.accuracy"),
        (("models",), {}, "models"),
        (("seeds",), [], "seeds"),
        (("comparisons", "sequential", "verdict"), "perhaps", "comparisons.sequential.verdict"),
        (("errors",), [{"position": 1, "actual": 0, "fusion": 3}], "errors.0.fusion"),
        (("confidence",), float("nan"), "confidence"),
    ],
)
def test_another_version_is_one_line_that_names_the_place(place: tuple[str, ...], value: object, named: str) -> None:
    content: Any = make_content()
    inner = content
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    expected = rf"^s\.json holds no results of this version.*{named}.*make reproduce"
    with pytest.raises(PipelineError, match=expected) as caught:
        parse_results(json.dumps(content), "s.json")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", json.dumps(make_content())[:-100]])
def test_half_a_file_is_one_line(text: str) -> None:
    with pytest.raises(PipelineError, match=r"^s\.json holds no results of this version.*make reproduce"):
        parse_results(text, "s.json")
