"""The marker and the colour by which a reader knows a model, as matplotlib draws them in the figures."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

# Drawn in the colour of the text, which is dark on light paper and light on a dark screen.
INK = "currentColor"
_BLACK = "#000000"
_CIRCLE = "M1,0A1,1,0,1,1,-1,0A1,1,0,1,1,1,0Z"
_ARM = 0.38


@dataclass(frozen=True)
class Look:
    """How a model is shown.

    Attributes
    ----------
    title
        Its name, any text.
    colour
        A colour of CSS.
    icon
        Outline of its marker, a path of SVG from -1 to 1 in both directions, y downwards.
    """

    title: str
    colour: str
    icon: str


def build_looks(titles: Mapping[str, str], colours: Mapping[str, str], markers: Mapping[str, str]) -> dict[str, Look]:
    """Give each model its look, all by the name of the model; colours and markers are those of the figures."""
    return {
        name: Look(title, INK if colours[name] == _BLACK else colours[name], ICONS[markers[name]])
        for name, title in titles.items()
    }


def _draw_polygon(corners: list[tuple[float, float]]) -> str:
    # What is added makes a negative zero positive.
    return "M" + "L".join(f"{round(x, 3) + 0.0:g},{round(y, 3) + 0.0:g}" for x, y in corners) + "Z"


def _place_corners(number: int, radii: tuple[float, ...] = (1.0,), turn: float = 0.0) -> list[tuple[float, float]]:
    """Place corners around the centre, clockwise from the top; `turn` is in degrees."""
    angles = (math.radians(360 * corner / number + turn - 90) for corner in range(number))
    return [
        (radii[corner % len(radii)] * math.cos(angle), radii[corner % len(radii)] * math.sin(angle))
        for corner, angle in enumerate(angles)
    ]


def _place_plus(turn: float) -> list[tuple[float, float]]:
    quarter = [(-_ARM, -1.0), (_ARM, -1.0), (_ARM, -_ARM)]
    return [
        (x * math.cos(angle) - y * math.sin(angle), x * math.sin(angle) + y * math.cos(angle))
        for angle in (math.radians(turn + 90 * quarters) for quarters in range(4))
        for x, y in quarter
    ]


# By the letters of matplotlib.
ICONS: dict[str, str] = {
    "o": _CIRCLE,
    "s": _draw_polygon(_place_corners(4, (1.2,), 45)),
    "^": _draw_polygon(_place_corners(3, (1.1,))),
    "v": _draw_polygon(_place_corners(3, (1.1,), 180)),
    "<": _draw_polygon(_place_corners(3, (1.1,), -90)),
    ">": _draw_polygon(_place_corners(3, (1.1,), 90)),
    "D": _draw_polygon(_place_corners(4, (1.15,))),
    "d": _draw_polygon(_place_corners(4, (1.15, 0.7))),
    "p": _draw_polygon(_place_corners(5)),
    "h": _draw_polygon(_place_corners(6)),
    "*": _draw_polygon(_place_corners(10, (1.15, 0.5))),
    "P": _draw_polygon(_place_plus(0)),
    "X": _draw_polygon(_place_plus(45)),
}
