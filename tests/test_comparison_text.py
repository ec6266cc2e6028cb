from typing import Any

import pytest

from fusionseq.comparison_text import MARKDOWN, TEXT, format_report, mark_code

SUMMARY = {"mean": 0.97, "std": 0.0123}
REPORT: dict[str, Any] = {
    "baseline": "main",
    "confidence": 0.95,
    "resamples": 2000,
    "revisions": [
        {
            "revision": "main",
            "commit": "0123456789abcdef",
            "num_images": 10000,
            "seeds": [0, 1],
            "models": {"fusion": {"accuracy": SUMMARY, "macro_f1": SUMMARY, "loss": SUMMARY}},
        },
        {
            "revision": "workspace",
            "commit": None,
            "num_images": 10000,
            "seeds": [0],
            "models": {
                name: {key: {"mean": 0.5} for key in ("accuracy", "macro_f1", "loss")} for name in ("fusion", "zoo")
            },
        },
    ],
    "parameters": {"head.units": {"main": 256}, "text": {"main": "a|b", "workspace": None}},
    "comparisons": [
        {
            "model": "fusion",
            "revision": "workspace",
            "better": "workspace",
            "accuracy_difference": {"mean": 0.01234, "interval": [-0.00001, 0.03]},
            "only_revision": 12,
            "only_baseline": 3,
            "p_value": 0.0123,
            "p_value_corrected": 0.0001,
            "verdict": "open",
        }
    ],
    "left_out": [{"revision": "workspace", "reason": "main lacks wide_head, and <b> *is* lost."}],
}
EXPLANATION = (
    "on the same test images with the same seeds, in percentage points of accuracy. Interval: 95 %, bootstrap over "
    "images and seeds, 2,000 times. Discordant: predictions that one of the two alone has right"
)


def test_text_has_columns() -> None:
    lines = format_report(REPORT, TEXT).splitlines()
    assert lines[:6] == [
        "Results",
        "",
        "main: commit 0123456, 10,000 test images, seeds 0, 1; "
        "workspace: files of the working tree, 10,000 test images, seeds 0. Mean ± standard deviation over seeds.",
        "",
        "model   revision          accuracy         macro-F1             loss",
        "fusion  main       0.9700 ± 0.0123  0.9700 ± 0.0123  0.9700 ± 0.0123",
    ]
    assert "head.units  256    absent" in lines
    assert "model   revision   accuracy, points       interval   discordant      p  p, Holm  verdict" in lines
    assert "fusion  workspace             +1.23  0.00 to +3.00  15 (12 : 3)  0.012  < 0.001     open" in lines
    assert any(EXPLANATION in line for line in lines)
    assert lines[-1] == "- main lacks wide_head, and <b> *is* lost."


def test_markdown_has_tables_and_escapes() -> None:
    lines = format_report(REPORT, MARKDOWN).splitlines()
    assert "| `fusion` | `main` | 0.9700 ± 0.0123 | 0.9700 ± 0.0123 | 0.9700 ± 0.0123 |" in lines
    assert "| `zoo` | `workspace` | 0.5000 | 0.5000 | 0.5000 |" in lines
    assert "| `head.units` | `256` | absent |" in lines
    assert r'| `text` | `"a\|b"` | `null` |' in lines
    assert "| `fusion` | `workspace` | +1.23 | 0.00 to +3.00 | 15 (12 : 3) | 0.012 | < 0.001 | open |" in lines
    assert lines[-1] == r"- main lacks wide\_head, and \<b\> \*is\* lost."
    # Each table has as many cells in every row, and an empty line before it.
    for before, line, rule in zip(lines, lines[1:], lines[2:], strict=False):
        if rule.startswith("| ---"):
            assert before == ""
            assert line.count(" | ") == rule.count(" | ")


def test_what_does_not_apply_has_no_heading() -> None:
    bare = format_report(REPORT | {"parameters": {}, "comparisons": [], "left_out": []}, MARKDOWN)
    assert [line for line in bare.splitlines() if line.startswith("#")] == ["#### Results"]


@pytest.mark.parametrize(
    ("text", "code"),
    [("a", "`a`"), ("a|b", r"`a\|b`"), ("`a`", "`` `a` ``"), ("a``b", "``` a``b ```"), ("a\nb", "`a b`")],
)
def test_code_holds_any_characters(text: str, code: str) -> None:
    assert mark_code(text) == code
