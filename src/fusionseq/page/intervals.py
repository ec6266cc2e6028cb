"""Where dots and intervals stand on an axis as wide as its column, in per cent of it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

# Per cent, so that no dot is cut at an end of the axis.
_MARGIN = 4.0


@dataclass(frozen=True)
class Bar:
    """A value with its interval.

    Attributes
    ----------
    start, end
        Ends of the interval, in per cent of the axis.
    dot
        Where the value is.
    """

    start: float
    end: float
    dot: float


@dataclass(frozen=True)
class Axis:
    """An axis from one value to another."""

    low: float
    high: float

    def place(self, value: float) -> float:
        """Find where a value stands, in per cent of the axis, rounded to what can be seen."""
        if self.high == self.low:
            return 50.0
        share = (value - self.low) / (self.high - self.low)
        return round(_MARGIN + (100 - 2 * _MARGIN) * share, 2)

    def place_bar(self, value: float, interval: Sequence[float]) -> Bar:
        """Find where a value and its interval stand."""
        return Bar(self.place(interval[0]), self.place(interval[1]), self.place(value))


def span_axis(values: Iterable[float]) -> Axis:
    """Span an axis that holds all values, of which there is at least one."""
    found = list(values)
    return Axis(min(found), max(found))
