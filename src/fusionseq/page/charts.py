"""Training curves as Vega-Lite specifications."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from fusionseq.page.histories import Panel, Point
from fusionseq.page.icons import INK, Look

SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
# What the script calls the rows that all charts share.
ROWS = "curves"
# Losses that differ by a smaller factor are drawn on a linear scale, as in the figures of the paper.
_MIN_LOG_RANGE = 30
_CONFIG: dict[str, Any] = {
    "background": None,
    "font": "system-ui, sans-serif",
    # The page describes each chart, and has its numbers in tables: assistive technology need not walk through the dots.
    "aria": False,
    "mark": {"aria": False},
    "axis": {
        "aria": False,
        "labelColor": INK,
        "titleColor": INK,
        "titleFontWeight": "normal",
        "labelFontSize": 12,
        "titleFontSize": 12,
        "gridColor": INK,
        "gridOpacity": 0.12,
        "domain": False,
        "ticks": False,
        "labelPadding": 6,
    },
    "view": {"stroke": None},
}


def list_rows(points: Iterable[Point], looks: Mapping[str, Look]) -> list[dict[str, Any]]:
    """List the points as the charts read them, with the title of each model."""
    # What a screen shows, and a tooltip tells, has fewer digits still.
    return [
        {key: round(value, 6) if isinstance(value, float) else value for key, value in asdict(point).items()}
        | {"title": looks[point.model].title}
        for point in points
    ]


def build_curve_spec(
    panel: Panel, points: Sequence[Point], looks: Mapping[str, Look], boundaries: Sequence[float]
) -> dict[str, Any]:
    """Specify a chart of one panel, a line and a band over seeds for each model.

    It reads the rows of `list_rows` under the name `ROWS`. Its parameter "epoch" is the epoch that is pointed out, and
    "hidden" holds the names of models that are not drawn.

    Parameters
    ----------
    panel
        What is drawn.
    points
        Of all panels.
    looks
        Of all models that have points, by name.
    boundaries
        Epochs at which dotted lines stand.
    """
    last = max((point.epoch for point in points), default=1)
    x = {"type": "quantitative", "scale": {"domain": [1, max(last, 2)], "nice": False}}
    colour = {
        "field": "model",
        "type": "nominal",
        "scale": {"domain": list(looks), "range": [look.colour for look in looks.values()]},
        "legend": None,
    }
    shape = colour | {"scale": {"domain": list(looks), "range": [look.icon for look in looks.values()]}}
    scale = _choose_scale(panel, [point for point in points if point.panel == panel.column])
    shown = [{"filter": f"datum.panel === '{panel.column}' && indexof(hidden, datum.model) < 0"}]
    y: dict[str, Any] = {"field": "mean", "type": "quantitative", "scale": scale, "title": None}
    if scale["type"] == "log":
        shown.append({"filter": "datum.low > 0"})
        y["axis"] = {"values": _list_ticks(*scale["domain"])}
    x_of_row = x | {"field": "epoch", "title": "Epoch", "axis": {"grid": False, "tickMinStep": 1, "format": "d"}}
    tooltip = [
        {"field": "title", "type": "nominal", "title": "Model"},
        {"field": "epoch", "type": "quantitative", "title": "Epoch"},
        *(
            {"field": field, "type": "quantitative", "title": f"{title} ({panel.unit})", "format": panel.number_format}
            for field, title in (("mean", "Mean"), ("low", "Lowest seed"), ("high", "Highest seed"))
        ),
    ]
    return {
        "$schema": SCHEMA,
        "width": "container",
        "height": 220,
        "autosize": {"type": "fit", "contains": "padding"},
        "padding": {"left": 0, "right": 8, "top": 8, "bottom": 6},
        "config": _CONFIG,
        "data": {"name": ROWS},
        "params": [{"name": "epoch", "value": last}, {"name": "hidden", "value": []}],
        "layer": [
            *(
                {
                    "data": {"values": [{}]},
                    "mark": {"type": "rule", "color": INK, "opacity": 0.5, "strokeDash": [2, 3]},
                    "encoding": {"x": x | {"datum": boundary}},
                }
                for boundary in boundaries
            ),
            {
                "data": {"values": [{}]},
                "mark": {"type": "rule", "color": INK, "opacity": 0.55},
                "encoding": {"x": x | {"datum": {"expr": "epoch"}}},
            },
            {
                "transform": shown,
                "mark": {"type": "area", "opacity": 0.16, "clip": True},
                "encoding": {"x": x_of_row, "y": y | {"field": "low"}, "y2": {"field": "high"}, "color": colour},
            },
            {
                "transform": shown,
                "mark": {"type": "line", "strokeWidth": 2, "clip": True},
                "encoding": {"x": x_of_row, "y": y, "color": colour},
            },
            {
                "transform": [*shown, {"filter": "datum.epoch === epoch"}],
                "mark": {"type": "point", "filled": True, "opacity": 1, "size": 70},
                "encoding": {"x": x_of_row, "y": y, "color": colour, "shape": shape, "tooltip": tooltip},
            },
        ],
    }


def _choose_scale(panel: Panel, points: Sequence[Point]) -> dict[str, Any]:
    high = max((point.high for point in points), default=1.0)
    least = min((point.low for point in points if point.low > 0), default=high)
    # Often the loss of the first epoch is a hundred times that of the last.
    if panel.metric == "loss" and least * _MIN_LOG_RANGE < high:
        return {"type": "log", "domain": [least, high], "nice": False}
    low = min((point.low for point in points), default=0.0)
    if low == high:
        low, high = low - 1, high + 1
    return {"type": "linear", "domain": [low, high], "zero": False, "nice": True}


def _list_ticks(low: float, high: float) -> list[float]:
    """List 1, 3, 10, 30, … and their fractions between two numbers above 0."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks = (factor * 10**power if power >= 0 else factor / 10**-power for power in powers for factor in (1, 3))
    return [tick for tick in ticks if low <= tick <= high]
