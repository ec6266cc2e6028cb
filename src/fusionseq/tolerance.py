"""Whether two files hold the same result: the same bytes, or numbers that only another processor's rounding parts."""

import csv
import io
import json
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from itertools import zip_longest
from pathlib import PurePosixPath
from typing import Any

# The same weights give other last bits with another vector width or number of threads: some 1e-7 of a float32, more
# after the layers of a network. A wrong model, seed or image moves probabilities by far more than this.
RELATIVE_TOLERANCE = 1e-4
# Probabilities near zero lose relative precision in the softmax. What is this small decides no result.
ABSOLUTE_TOLERANCE = 1e-6

_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")

# Characters of a value that are told.
_SHOWN = 60


class Verdict(IntEnum):
    """How far two results agree, the worse the larger."""

    IDENTICAL = 0
    WITHIN_TOLERANCE = 1
    DIFFERENT = 2

    @property
    def title(self) -> str:
        """As it is told to a person."""
        return self.name.lower().replace("_", " ")


@dataclass(frozen=True)
class Comparison:
    """What comes of comparing two files.

    Attributes
    ----------
    verdict
        How far they agree.
    place
        The first difference that led to the verdict, such as "fusion.loss.mean: 0.1 before, 0.2 now"; "" if identical.
    """

    verdict: Verdict
    place: str = ""


@dataclass(frozen=True)
class _Difference:
    place: str
    before: object
    after: object
    is_tolerated: bool

    def describe(self) -> str:
        return f"{self.place}: {_show(self.before)} before, {_show(self.after)} now"


def holds_numbers(name: str) -> bool:
    """Whether a file is compared number by number, and not by its bytes alone."""
    return PurePosixPath(name).suffix in _READERS


def compare_contents(name: str, before: bytes, after: bytes) -> Comparison:
    """Compare two states of a file.

    Parameters
    ----------
    name
        File name: the numbers of .json and .csv are compared within tolerance, everything else byte for byte.
    before, after
        The contents.
    """
    if before == after:
        return Comparison(Verdict.IDENTICAL)
    if not holds_numbers(name):
        return Comparison(Verdict.DIFFERENT, _find_place(before, after))
    try:
        texts = before.decode("utf-8"), after.decode("utf-8")
        found = list(_READERS[PurePosixPath(name).suffix](*texts))
    except (ValueError, csv.Error):
        return Comparison(Verdict.DIFFERENT, _find_place(before, after))  # no such file at all
    if beyond := [difference for difference in found if not difference.is_tolerated]:
        return Comparison(Verdict.DIFFERENT, beyond[0].describe())
    # What stands between the numbers has no tolerance.
    before, after = (_NUMBER.sub("number", text).encode() for text in texts)
    if before != after or not found:
        return Comparison(Verdict.DIFFERENT, _find_place(before, after))
    return Comparison(Verdict.WITHIN_TOLERANCE, found[0].describe())


def _show(value: object) -> str:
    text = "nothing" if value is None else str(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _find_in_json(before: str, after: str) -> Iterator[_Difference]:
    yield from _walk("", json.loads(before), json.loads(after))


def _walk(place: str, before: Any, after: Any) -> Iterator[_Difference]:
    if isinstance(before, dict) and isinstance(after, dict):
        if list(before) != list(after):
            one, other = next(pair for pair in zip_longest(before, after) if pair[0] != pair[1])
            yield _Difference(f"keys of {place or 'the file'}", one, other, is_tolerated=False)
            return
        for key, value in before.items():
            yield from _walk(f"{place}.{key}" if place else key, value, after[key])
    elif isinstance(before, list) and isinstance(after, list):
        if len(before) != len(after):
            yield _Difference(f"length of {place or 'the file'}", len(before), len(after), is_tolerated=False)
            return
        for index, (one, other) in enumerate(zip(before, after, strict=True)):
            yield from _walk(f"{place}[{index}]", one, other)
    # JSON tells 1 from 1.0 and from true, Python's comparison does not.
    elif type(before) is not type(after) or repr(before) != repr(after):
        yield _Difference(place or "the file", json.dumps(before), json.dumps(after), _is_close(before, after))


def _find_in_table(before: str, after: str) -> Iterator[_Difference]:
    columns: Sequence[str] = ()
    rows = zip_longest(*(csv.reader(io.StringIO(text)) for text in (before, after)))
    for number, (one, other) in enumerate(rows, start=1):
        if one is None or other is None or len(one) != len(other):
            yield _Difference(f"row {number}", _join(one), _join(other), is_tolerated=False)
            return
        # Class names stand in the header, and a class may be called 0.5.
        is_header = number == 1
        columns = one if is_header else columns
        for column, cell, other_cell in zip_longest(columns, one, other, fillvalue=""):
            if cell != other_cell:
                is_tolerated = not is_header and _is_close(_parse(cell), _parse(other_cell))
                place = "header" if is_header else f"row {number}, column {column}"
                yield _Difference(place, cell, other_cell, is_tolerated)


def _join(row: Sequence[str] | None) -> str | None:
    return None if row is None else ",".join(row)


def _parse(cell: str) -> int | float | str:
    for kind in (int, float):
        try:
            return kind(cell)
        except ValueError:
            continue
    return cell


def _is_close(before: object, after: object) -> bool:
    # Whole numbers are counts, labels and seeds, of which no other processor makes others.
    if not isinstance(before, float) or not isinstance(after, float):
        return False
    return math.isclose(before, after, rel_tol=RELATIVE_TOLERANCE, abs_tol=ABSOLUTE_TOLERANCE)


def _find_place(before: bytes, after: bytes) -> str:
    """Name the line where two texts part, or the byte of other files."""
    try:
        lines = [content.decode("utf-8").splitlines(keepends=True) for content in (before, after)]
    except UnicodeDecodeError:
        return f"byte {_count_common(before, after) + 1}"
    return f"line {_count_common(*lines) + 1}"


def _count_common(before: Sequence[object], after: Sequence[object]) -> int:
    pairs = enumerate(zip_longest(before, after))
    return next((place for place, (one, other) in pairs if one != other), 0)


_READERS = {".json": _find_in_json, ".csv": _find_in_table}
