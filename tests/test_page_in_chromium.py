"""The report page, and the page of DVC's plots, in a real browser."""

import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib.resources import files
from io import BytesIO
from pathlib import Path
from typing import Any, Literal

import pytest
from page_values import make_page_values
from PIL import Image
from playwright.sync_api import Browser, Page, Playwright, sync_playwright
from programs import find_program, needs
from results_repository import make_results_repository

from fusionseq.page.captions import CAPTIONS
from fusionseq.page.rendering import make_library, render_page
from fusionseq.plots_page import write_plots_page
from fusionseq.report import main

pytestmark = needs("chromium")

DESKTOP, PHONE = (1280, 900), (360, 740)
FLAGS = [
    "--no-sandbox", "--headless=new", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--no-first-run",
]  # fmt: skip
DRAWN = "html[data-charts=drawn]"
CHECK = """
async () => {
  const { violations } = await window.axe.run(document, { resultTypes: ["violations"] });
  return violations.map(({ id, nodes }) => `${id}: ${nodes[0].html} ${nodes[0].failureSummary}`);
}
"""


@dataclass
class Visit:
    """A page that was opened, and what came of it."""

    page: Page
    messages: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    @property
    def is_quiet(self) -> bool:
        """Whether nothing was said in the console, and nothing asked of a network."""
        return not self.messages and all(address.startswith(("file:", "data:")) for address in self.requests)


Open = Callable[..., Visit]


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as started:
        yield started


@pytest.fixture(scope="module")
def browser(playwright: Playwright) -> Iterator[Browser]:
    browser = playwright.chromium.launch(executable_path=find_program("chromium"), args=FLAGS)
    yield browser
    browser.close()


@pytest.fixture
def visit(browser: Browser) -> Iterator[Open]:
    """Open a file in a window of its own."""
    contexts = []

    def open_file(path: Path, size: tuple[int, int] = DESKTOP, scheme: Any = "light", **options: Any) -> Visit:
        viewport: Any = {"width": size[0], "height": size[1]}
        context = browser.new_context(viewport=viewport, color_scheme=scheme, reduced_motion="reduce", **options)
        contexts.append(context)
        visit = Visit(context.new_page())
        visit.page.on("console", lambda message: visit.messages.append(f"{message.type}: {message.text}"))
        visit.page.on("pageerror", lambda error: visit.messages.append(str(error)))
        visit.page.on("request", lambda request: visit.requests.append(request.url))
        visit.page.goto(path.as_uri())
        return visit

    yield open_file
    for context in contexts:
        context.close()


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_results_repository(tmp_path_factory.mktemp("results") / "repository")


@pytest.fixture(scope="module")
def report(repository: Path) -> Path:
    """The page of the committed results, as the command writes it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(repository)
        patch.setattr(sys, "argv", ["report"])
        main()
    return repository / "reports" / "index.html"


@pytest.fixture(scope="module")
def strange(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page of names that are markup, with everything that a page can have."""
    # Small ones: axe reads the text of each element, and with it the bytes of its image.
    file = BytesIO()
    Image.new("RGB", (60, 40)).save(file, "PNG")
    figures = dict.fromkeys((*CAPTIONS, "mine"), file.getvalue())
    path = tmp_path_factory.mktemp("strange") / "a page.html"
    path.write_text(render_page(make_page_values(num_models=2, figures=figures), make_library()), encoding="utf-8")
    return path


def test_the_page_of_the_results_opens_quietly_and_fits_a_phone(visit: Open, report: Path) -> None:
    for size in (DESKTOP, PHONE):
        opened = visit(report, size)
        opened.page.wait_for_selector(DRAWN)
        assert opened.page.evaluate("document.documentElement.scrollWidth") == size[0]
        assert opened.page.locator(".chart svg").count() == 4
        assert opened.page.evaluate("[...document.images].every((image) => image.naturalWidth > 0)")
        assert opened.is_quiet, opened.messages + opened.requests
    assert report.stat().st_size < 4e6


def test_axe_finds_nothing(visit: Open, strange: Path) -> None:
    # The page itself lets no foreign script in.
    opened = visit(strange, bypass_csp=True)
    page = opened.page
    page.wait_for_selector(DRAWN)
    page.evaluate(files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8"))
    page.evaluate("for (const details of document.querySelectorAll('details')) details.open = true;")
    # Colours do not depend on the size, nor the structure on the colours: two visits see all of both.
    settings: list[tuple[tuple[int, int], Literal["light", "dark"]]] = [(DESKTOP, "dark"), (PHONE, "light")]
    for (width, height), scheme in settings:
        page.set_viewport_size({"width": width, "height": height})
        page.emulate_media(color_scheme=scheme)
        assert page.evaluate(CHECK) == [], (width, scheme)
        assert page.evaluate("document.documentElement.scrollWidth") == width, "with all details open, too"
    assert opened.is_quiet, opened.messages + opened.requests


def test_a_foreign_script_does_not_run(visit: Open, strange: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    content = strange.read_text(encoding="utf-8")
    page.write_text(content.replace("</main>", "<script>document.title = 'run'</script></main>"), encoding="utf-8")
    opened = visit(page)
    opened.page.wait_for_selector(DRAWN)
    assert opened.page.title() != "run"
    (message,) = opened.messages
    assert "Content Security Policy" in message


def test_pointing_at_a_curve_shows_its_values(visit: Open, report: Path) -> None:
    opened = visit(report)
    page = opened.page
    page.wait_for_selector(DRAWN)
    chart = page.locator(".chart").first
    chart.scroll_into_view_if_needed()
    box = chart.bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 40)
    page.wait_for_function("Number(document.getElementById('epoch-read').textContent) < 20")
    epoch = page.locator("#epoch-read").inner_text()
    # The first symbol is that of the first model, fusion.
    marker = page.locator(".chart").first.locator(".mark-symbol path").first
    marker.hover(force=True)
    page.wait_for_selector(".vg-tooltip.visible")
    told = page.locator(".vg-tooltip").inner_text()
    assert "Fusion" in told
    assert f"Epoch\t{epoch}" in told
    value = page.locator('#readout tr[data-model="fusion"] td[data-panel="validation_loss"]').inner_text()
    assert f"Mean (nats)\t{value}" in told
    table = page.locator("details", has_text="Validation loss as a table").locator("table")
    row = table.locator("tbody tr").nth(int(epoch) - 1)
    assert row.locator("td").first.text_content() == value
    assert opened.is_quiet, opened.messages


def test_the_slider_and_the_buttons_do_the_same_with_keys(visit: Open, strange: Path) -> None:
    page = visit(strange).page
    page.wait_for_selector(DRAWN)
    page.locator("#epoch").focus()
    page.keyboard.press("Home")
    assert page.locator("#epoch-shown").inner_text() == "1"
    assert page.locator("#readout td").first.inner_text() == "1.0000"
    assert (page.locator("#epoch").get_attribute("aria-valuetext") or "").startswith("Epoch 1. Validation accuracy:")
    lines = page.locator(".chart").first.locator(".mark-line path")
    assert lines.count() == 2
    page.locator(".legend button").first.focus()
    page.keyboard.press("Enter")
    page.wait_for_function("document.querySelector('.chart').querySelectorAll('.mark-line path').length === 1")
    assert page.locator(".legend button").first.get_attribute("aria-pressed") == "false"


def test_a_cell_says_what_it_counts_to_mouse_and_keys(visit: Open, report: Path) -> None:
    page = visit(report).page
    page.wait_for_selector(DRAWN)
    matrix, detail = page.locator(".matrix").first, page.locator(".detail").first
    counts = [int(text) for text in matrix.locator("tbody tr").nth(3).locator("td").all_text_contents()]
    matrix.locator("tbody tr").nth(3).locator("td").nth(9).hover()
    share = f"{100 * counts[9] / sum(counts):.1f}%"
    assert detail.inner_text() == f"True class 3, predicted 9: {counts[9]} of {sum(counts)} ({share})"
    matrix.locator('td[tabindex="0"]').focus()
    for key in ("ArrowDown", "ArrowRight", "ArrowRight", "ArrowUp", "ArrowUp", "End"):
        page.keyboard.press(key)
    assert detail.inner_text().startswith("True class 0, predicted 9:")
    assert matrix.locator('td[tabindex="0"]').count() == 1, "one stop of the Tab key"


def test_tab_reaches_everything(visit: Open, strange: Path) -> None:
    page = visit(strange).page
    page.wait_for_selector(DRAWN)
    page.evaluate("for (const details of document.querySelectorAll('details')) details.open = true;")
    expected = page.evaluate(
        """() => {
          const elements = document.querySelectorAll("a[href], button, input, summary, [tabindex='0']");
          elements.forEach((element, place) => { element.dataset.place = place; });
          return elements.length;
        }"""
    )
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    box = page.locator(".skip").bounding_box()
    assert box
    assert box["y"] >= 0, "the first stop is seen"
    reached = []
    for _ in range(expected):
        reached.append(int(page.evaluate("document.activeElement.dataset.place")))
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
        page.keyboard.press("Tab")
    assert reached == list(range(expected))


def test_without_scripts_all_numbers_are_there(visit: Open, strange: Path) -> None:
    page = visit(strange, java_script_enabled=False).page
    assert "The charts need JavaScript" in page.locator("noscript").inner_text()
    assert page.locator("#readout td").first.is_visible()
    assert not page.locator(".slider").is_visible()


def test_plots_of_dvc_are_drawn_without_a_network(
    visit: Open, repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dvc.cli import main as run_dvc

    copy = Path(shutil.copytree(repository, tmp_path / "copy"))
    monkeypatch.chdir(copy)
    write_plots_page(Path(".dvc/tmp/plots.html"))
    assert run_dvc(["config", "--local", "plots.html_template", "tmp/plots.html"]) == 0
    assert run_dvc(["plots", "show", "--quiet"]) == 0
    opened = visit(copy / "dvc_plots" / "index.html")
    opened.page.wait_for_selector("svg.marks, canvas.marks", state="attached")
    opened.page.wait_for_function("document.querySelectorAll('svg.marks, canvas.marks').length === 2")
    links = opened.page.locator("a").all_text_contents()
    assert "Save as SVG" in links
    assert not any("Editor" in link for link in links)
    assert all(address.startswith(("file:", "data:")) for address in opened.requests)
    assert not [message for message in opened.messages if not message.startswith("warning:")], opened.messages


def test_a_page_that_cannot_be_written_is_one_line(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(repository)
    monkeypatch.setattr(sys, "argv", ["report", "--output", str(tmp_path)])
    with pytest.raises(SystemExit, match=r"^error: .* cannot be written: .*another --output"):
        main()
