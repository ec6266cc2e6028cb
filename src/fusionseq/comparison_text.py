"""A comparison of experiments as text for a terminal, and as Markdown for a pull request."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_METRICS = {"accuracy": "accuracy", "macro_f1": "macro-F1", "loss": "loss"}
_SMALLEST_P_VALUE = 0.001
_COMMIT_DIGITS = 7

Rows = Sequence[Sequence[str]]


@dataclass(frozen=True)
class Style:
    """How text is marked up.

    Attributes
    ----------
    heading
        Makes a heading of plain words.
    code
        Marks a name or a value, of any characters.
    prose
        Protects a sentence, of any characters.
    table
        Lays out rows, the first of which is the header, given how many columns at the left hold no numbers.
    """

    heading: Callable[[str], str]
    code: Callable[[str], str]
    prose: Callable[[str], str]
    table: Callable[[Rows, int], str]


def mark_code(text: str) -> str:
    """Mark text as Markdown's code, so that no character of it means anything, within a table either."""
    text = _join_lines(text)
    # Backticks stand between a longer run of them.
    longest = max(map(len, re.findall("`+", text)), default=0)
    fence, space = "`" * (longest + 1), " " if longest else ""
    return f"{fence}{space}{text}{space}{fence}".replace("|", r"\|")


def _join_lines(text: str) -> str:
    return " ".join(text.split())


def _escape(text: str) -> str:
    return re.sub(r"([\\`*_<>\[\]|~#])", r"\\\1", _join_lines(text))


def _align(rows: Rows, num_texts: int) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if place < num_texts else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def _rule(rows: Rows, num_texts: int) -> str:
    header, *others = rows
    rule = ["---" if place < num_texts else "--:" for place in range(len(header))]
    return "\n".join(f"| {' | '.join(row)} |" for row in (header, rule, *others))


TEXT = Style(heading=lambda words: words, code=_join_lines, prose=_join_lines, table=_align)
# GitHub and GitLab have the tables.
MARKDOWN = Style(heading=lambda words: f"#### {words}", code=mark_code, prose=_escape, table=_rule)


def format_report(report: Mapping[str, Any], style: Style) -> str:
    """Lay out what `fusionseq.pairing.build_report` made."""
    sources = "; ".join(f"{style.code(row['revision'])}: {_describe_source(row)}" for row in report["revisions"])
    blocks = [
        style.heading("Results"),
        f"{sources}. Mean ± standard deviation over seeds.",
        style.table(_tabulate_means(report, style), 2),
    ]
    if report["parameters"]:
        rows = _tabulate_parameters(report, style)
        blocks += [style.heading("Parameters that differ"), style.table(rows, len(rows[0]))]
    if report["comparisons"]:
        rows = _tabulate_comparisons(report, style)
        blocks += [style.heading("Paired differences"), style.table(rows, 2), _explain(report, style)]
    if report["left_out"]:
        blocks.append(style.heading("Without a comparison"))
        blocks.append("\n".join(f"- {style.prose(row['reason'])}" for row in report["left_out"]))
    return "\n\n".join(blocks) + "\n"


def _describe_source(row: Mapping[str, Any]) -> str:
    source = "files of the working tree" if row["commit"] is None else f"commit {row['commit'][:_COMMIT_DIGITS]}"
    return f"{source}, {row['num_images']:,} test images, seeds {', '.join(map(str, row['seeds']))}"


def _tabulate_means(report: Mapping[str, Any], style: Style) -> list[list[str]]:
    models = dict.fromkeys(name for row in report["revisions"] for name in row["models"])
    return [
        ["model", "revision", *_METRICS.values()],
        *(
            [
                style.code(name),
                style.code(row["revision"]),
                *(_format_summary(row["models"][name][metric]) for metric in _METRICS),
            ]
            for name in models
            for row in report["revisions"]
            if name in row["models"]
        ),
    ]


def _format_summary(summary: Mapping[str, float]) -> str:
    # One seed has no standard deviation.
    return f"{summary['mean']:.4f}" + (f" ± {summary['std']:.4f}" if "std" in summary else "")


def _tabulate_parameters(report: Mapping[str, Any], style: Style) -> list[list[str]]:
    revisions = [row["revision"] for row in report["revisions"]]
    return [
        ["parameter", *map(style.code, revisions)],
        *(
            [
                style.code(name),
                *(style.code(_format_value(values[key])) if key in values else "absent" for key in revisions),
            ]
            for name, values in report["parameters"].items()
        ),
    ]


def _format_value(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def _tabulate_comparisons(report: Mapping[str, Any], style: Style) -> list[list[str]]:
    return [
        ["model", "revision", "accuracy, points", "interval", "discordant", "p", "p, Holm", "verdict"],
        *(
            [
                style.code(row["model"]),
                style.code(row["revision"]),
                _format_points(row["accuracy_difference"]["mean"]),
                " to ".join(map(_format_points, row["accuracy_difference"]["interval"])),
                f"{row['only_revision'] + row['only_baseline']} ({row['only_revision']} : {row['only_baseline']})",
                _format_p_value(row["p_value"]),
                _format_p_value(row["p_value_corrected"]),
                row["verdict"],
            ]
            for row in report["comparisons"]
        ),
    ]


def _format_points(share: float) -> str:
    # What is rounded to zero has no sign.
    text = f"{100 * share:+.2f}"
    return text if float(text) else text[1:]


def _format_p_value(value: float) -> str:
    return f"< {_SMALLEST_P_VALUE}" if value < _SMALLEST_P_VALUE else f"{value:.3f}"


def _explain(report: Mapping[str, Any], style: Style) -> str:
    baseline, num_comparisons = style.code(report["baseline"]), len(report["comparisons"])
    family = "this one comparison" if num_comparisons == 1 else f"all {num_comparisons} comparisons of this table"
    return (
        f"Revision less {baseline}, on the same test images with the same seeds, in percentage points of accuracy. "
        f"Interval: {100 * report['confidence']:g} %, bootstrap over images and seeds, {report['resamples']:,} times. "
        f"Discordant: predictions that one of the two alone has right (the revision : {baseline}). "
        f"p: exact paired permutation test over images, two-sided; p, Holm: corrected over {family}. "
        f"Shown: the corrected p is below {1 - report['confidence']:.3g}, and the interval excludes 0; "
        "equal: the accuracies are; open: all else."
    )
