"""Figures are written as PDF and PNG, the same bytes for the same figure."""

import time
from pathlib import Path
from typing import Any

import pytest
from matplotlib.figure import Figure
from PIL import Image
from pypdf import PdfReader

from fusionseq.plotting.saving import write_figure
from fusionseq.plotting.style import TEXT_WIDTH, figure_style


def draw_line() -> Figure:
    with figure_style():
        figure = Figure(figsize=(TEXT_WIDTH, 2), layout="constrained")
        figure.subplots().plot([1, 2], label="line")
        return figure


def test_same_bytes_when_saved_on_another_day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_figure(tmp_path / "first", "line", draw_line())
    monkeypatch.setattr(time, "time", lambda: 2_000_000_000.0)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "2000000000")
    write_figure(tmp_path / "second", "line", draw_line())
    for extension in ("pdf", "png"):
        first, second = (tmp_path / folder / f"line.{extension}" for folder in ("first", "second"))
        assert first.read_bytes() == second.read_bytes()


def test_only_the_two_files_are_left(tmp_path: Path) -> None:
    write_figure(tmp_path, "line", draw_line())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["line.pdf", "line.png"]


def test_pdf_has_the_width_of_the_text_and_truetype_fonts(tmp_path: Path) -> None:
    write_figure(tmp_path, "line", draw_line())
    reader = PdfReader(tmp_path / "line.pdf")
    page = reader.pages[0]
    assert float(page.mediabox.width) == pytest.approx(TEXT_WIDTH * 72, abs=0.1)
    # Values of a PDF are typed as anything.
    resources: Any = page["/Resources"]
    fonts = [font.get_object()["/Subtype"] for font in resources["/Font"].values()]
    assert fonts
    assert "/Type3" not in fonts
    assert not reader.metadata


def test_png_has_150_dots_per_inch_and_no_text(tmp_path: Path) -> None:
    write_figure(tmp_path, "line", draw_line())
    with Image.open(tmp_path / "line.png") as image:
        assert image.width == int(TEXT_WIDTH * 150)
        assert "Software" not in image.info


def test_saving_logs_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        write_figure(tmp_path, "line", draw_line())
    assert not caplog.records
