import sys
from pathlib import Path

import pytest
from dvc_render.html import HTML  # type: ignore[import-untyped]

from fusionseq.plots_page import build_plots_page, main


def test_dvc_fills_the_page() -> None:
    page = HTML(build_plots_page("window.vegaEmbed = (a) => '</script>';"), refresh_seconds=7)
    filled = page.with_scripts("<script src='https://example.org'></script>").with_element("<div>plot</div>").embed()
    assert "<div>plot</div>" in filled
    assert 'http-equiv="refresh" content="7"' in filled
    assert "https://" not in filled
    assert filled.count("<script") == filled.count("</script") == 2


@pytest.mark.parametrize("name", ["{scripts}", "{plot_divs}", "{refresh_tag}"])
def test_a_script_that_dvc_would_change_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="must not hold"):
        build_plots_page(f"a = '{name}';")


def test_a_page_that_cannot_be_written_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["plots_page", str(tmp_path)])
    with pytest.raises(SystemExit, match=r"^error: .* cannot be written: .*name another file"):
        main()
