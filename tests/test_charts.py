import json
from typing import Any

import pytest
import vl_convert
from page_values import make_history

from fusionseq.page.charts import ROWS, build_curve_spec, list_rows
from fusionseq.page.histories import PANELS, Panel, find_boundaries, summarize_history
from fusionseq.page.icons import Look

LOOKS = {"fusion": Look("Fusion & <co>", "#0072B2", "M0,0L1,1Z"), "zoo": Look("Zoo", "currentColor", "M0,0L1,0Z")}
VALIDATION_LOSS, VALIDATION_ACCURACY, LOSS, _ = PANELS


def find_panel(column: str) -> Panel:
    return next(panel for panel in PANELS if panel.column == column)


def draw(spec: dict[str, Any], rows: list[dict[str, Any]]) -> str:
    """Draw a chart as the page does, in another place."""
    return vl_convert.vegalite_to_svg(spec | {"datasets": {ROWS: rows}, "width": 300}, vl_version="6.4")


@pytest.mark.parametrize("column", [panel.column for panel in PANELS])
def test_each_model_has_a_line_in_its_colour(column: str) -> None:
    history = {"fusion": make_history(), "zoo": make_history(2)}
    points = summarize_history(history)
    spec = build_curve_spec(find_panel(column), points, LOOKS, find_boundaries(history))
    rows = list_rows(points, LOOKS)
    picture = draw(spec, rows)
    assert picture.count('stroke="#0072B2"') >= 1
    assert 'stroke="currentColor"' in picture
    assert 'stroke-dasharray="2,3"' in picture, "where fine-tuning starts"
    epoch, _ = spec["params"]
    without = draw(spec | {"params": [epoch, {"name": "hidden", "value": ["fusion"]}]}, rows)
    assert '"#0072B2"' not in without


def test_losses_of_many_magnitudes_are_drawn_on_a_logarithmic_scale() -> None:
    points = summarize_history({"fusion": make_history()})

    def find_scale(panel: Panel) -> dict[str, Any]:
        y = build_curve_spec(panel, points, LOOKS, [])["layer"][-1]["encoding"]["y"]
        return {"type": y["scale"]["type"], "ticks": y.get("axis", {}).get("values")}

    assert find_scale(LOSS) == {"type": "log", "ticks": [0.03, 0.1, 0.3, 1]}
    assert find_scale(VALIDATION_LOSS) == {"type": "linear", "ticks": None}
    assert find_scale(VALIDATION_ACCURACY) == {"type": "linear", "ticks": None}


@pytest.mark.parametrize("change", [{"loss": "0"}, {"accuracy": "1", "validation_accuracy": "1"}])
def test_a_model_without_errors_is_drawn(change: dict[str, str]) -> None:
    points = summarize_history({"fusion": [row | change for row in make_history(1)]})
    for panel in PANELS:
        assert "NaN" not in draw(build_curve_spec(panel, points, LOOKS, []), list_rows(points, LOOKS))


def test_rows_of_a_training_that_diverged_are_json() -> None:
    history = [row | {"loss": "nan"} for row in make_history()]
    rows = list_rows(summarize_history({"fusion": history}), LOOKS)
    assert rows == json.loads(json.dumps(rows, allow_nan=False))
    assert {row["panel"] for row in rows} == {panel.column for panel in PANELS} - {"loss"}
    assert {row["title"] for row in rows} == {"Fusion & <co>"}
