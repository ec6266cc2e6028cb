from fusionseq.findings import build_report, fail, format_finding, format_summary, note, warn

WELL, ODD, BAD = note("git", "clean"), warn("gpu", "hidden", "show it"), fail("latex", "none", "install it")


def test_a_finding_is_a_line() -> None:
    assert format_finding(WELL) == "ok       git: clean"
    assert format_finding(ODD) == "warning  gpu: hidden; show it"
    assert format_finding(BAD) == "problem  latex: none; install it"


def test_nothing_that_was_found_breaks_the_line_or_the_terminal() -> None:
    line = format_finding(note("gpu", "two\nlines \x1b[31m red\x00 \udcff"))
    assert line.isprintable()
    assert line.startswith("ok       gpu: two lines ")


def test_the_summary_counts() -> None:
    assert format_summary([WELL]) == "doctor: nothing would stop `make reproduce`; no warnings"
    assert format_summary([ODD, WELL]) == "doctor: nothing would stop `make reproduce`; 1 warning"
    assert format_summary([BAD, BAD, ODD, ODD]) == "doctor: 2 problems would stop `make reproduce`; 2 warnings"


def test_only_a_problem_counts_as_not_ready() -> None:
    assert build_report([WELL, ODD])["is_ready"] is True
    report = build_report([BAD])
    assert report["is_ready"] is False
    assert report["findings"] == [{"mark": "problem", "subject": "latex", "found": "none", "mend": "install it"}]
