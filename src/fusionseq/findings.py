"""What the doctor finds: a mark, what it is about, what was found, and the mend."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import Enum
from typing import Any


class Mark(Enum):
    """How much a finding matters."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True)
class Finding:
    """One line of the doctor.

    Attributes
    ----------
    mark
        PROBLEM where it would stop `make reproduce`.
    subject
        What was looked at.
    found
        What was found.
    mend
        What a person does about it; "" where there is nothing to do.
    """

    mark: Mark
    subject: str
    found: str
    mend: str = ""


def note(subject: str, found: str) -> Finding:
    """Make a finding that is well."""
    return Finding(Mark.OK, subject, found)


def warn(subject: str, found: str, mend: str) -> Finding:
    """Make a finding that a person should know of."""
    return Finding(Mark.WARNING, subject, found, mend)


def fail(subject: str, found: str, mend: str) -> Finding:
    """Make a finding that stops `make reproduce`."""
    return Finding(Mark.PROBLEM, subject, found, mend)


def format_finding(finding: Finding) -> str:
    """Lay a finding out as one line."""
    text = f"{finding.subject}: {finding.found}" + (f"; {finding.mend}" if finding.mend else "")
    # What other programs say may hold anything.
    text = "".join(character if character.isprintable() else "�" for character in " ".join(text.split()))
    return f"{finding.mark.value:<8} {text}"


def format_summary(findings: Sequence[Finding]) -> str:
    """Count what was found."""
    counts = {mark: sum(finding.mark is mark for finding in findings) for mark in Mark}
    problems = _count(counts[Mark.PROBLEM], "problem") if counts[Mark.PROBLEM] else "nothing"
    return f"doctor: {problems} would stop `make reproduce`; {_count(counts[Mark.WARNING], 'warning')}"


def _count(number: int, what: str) -> str:
    return f"{number or 'no'} {what}{'' if number == 1 else 's'}"


def build_report(findings: Sequence[Finding]) -> dict[str, Any]:
    """Gather findings for JSON: `is_ready`, and `findings` with `mark`, `subject`, `found` and `mend` each."""
    rows = [{**asdict(finding), "mark": finding.mark.value} for finding in findings]
    return {"is_ready": all(finding.mark is not Mark.PROBLEM for finding in findings), "findings": rows}
