"""Names are drawn as they are spelled, in the style of the paper whatever the user's own settings are."""

from itertools import pairwise
from pathlib import Path

import matplotlib
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont

from fusionseq.plotting.saving import write_figure
from fusionseq.plotting.style import (
    FONT,
    TEXT_WIDTH,
    choose_colours,
    choose_markers,
    figure_style,
    fit_into,
    make_drawable,
    measure_width,
    set_class_ticks,
    shorten,
)

HOSTILE_NAMES = ("50%_off & more", r"{x}^2 \input", "naïve 猫", r"$\frac$", "$x_1$", "👩\u200d🔬", "\udcff", "")


def draw_names(names: tuple[str, ...], length: float) -> Figure:
    with figure_style():
        figure = Figure(figsize=(length, 2), layout="constrained")
        set_class_ticks(figure.subplots().xaxis, names, length)
        return figure


def read_names(figure: Figure) -> list[str]:
    return [label.get_text() for label in figure.axes[0].get_xticklabels()]


def test_font_is_the_one_that_matplotlib_ships() -> None:
    shipped = Path(matplotlib.get_data_path()).resolve()
    assert shipped in Path(findfont(FONT, fallback_to_default=False)).resolve().parents


@pytest.mark.parametrize(
    "name", ["plain", r"$\frac$", "50%_off & more", r"{x}^2 \input", "naïve", "Ελληνικά", "a → b ≤ c"]
)
def test_drawable_names_stay_as_they_are(name: str) -> None:
    assert make_drawable(name) == name


def test_only_missing_characters_are_replaced() -> None:
    assert make_drawable("naïve 猫") == "naïve [U+732B]"
    assert make_drawable("猫犬 and 犬") == "[U+732B U+72AC] and [U+72AC]"


def test_lone_surrogates_are_replaced() -> None:
    assert make_drawable("a\udcff") == "a[U+DCFF]"


def test_names_take_one_line() -> None:
    assert make_drawable("two\r\n lines\tand a tab") == "two lines and a tab"


def test_decomposed_letters_are_composed() -> None:
    assert make_drawable("e\N{COMBINING ACUTE ACCENT}te\N{COMBINING ACUTE ACCENT}") == "été"


def test_long_names_lose_their_middle() -> None:
    assert shorten("abcdefghij", 5) == "ab…ij"
    assert shorten("abcde", 5) == "abcde"


def test_all_hostile_names_draw_as_plain_text_without_a_warning(tmp_path: Path) -> None:
    figure = draw_names(HOSTILE_NAMES, 6.0)
    assert read_names(figure) == [make_drawable(name) for name in HOSTILE_NAMES]
    assert not any(label.get_parse_math() for label in figure.axes[0].get_xticklabels())
    write_figure(tmp_path, "names", figure)


def test_all_code_points_of_the_first_plane_draw_without_a_warning() -> None:
    for start in range(0x20, 0x10000, 0x400):
        measure_width(make_drawable("".join(map(chr, range(start, start + 0x400)))))


def test_short_names_stand_upright_and_wide_ones_are_turned() -> None:
    upright = draw_names(tuple("abcdefghij"), 6.0).axes[0].get_xticklabels()
    turned = draw_names(("a very long name",) * 10, 6.0).axes[0].get_xticklabels()
    assert {label.get_rotation() for label in upright} == {0}
    assert {label.get_rotation() for label in turned} == {90}


def test_names_of_a_hundred_classes_are_thinned_until_none_touch() -> None:
    figure = draw_names(tuple(f"class {number}" for number in range(100)), 6.0)
    figure.draw_without_rendering()
    labels = figure.axes[0].get_xticklabels()
    boxes = [label.get_window_extent() for label in labels]
    assert 10 < len(labels) < 100
    assert labels[1].get_text() == f"class {figure.axes[0].get_xticks()[1]}"
    assert all(left.x1 <= right.x0 for left, right in pairwise(boxes))


def test_style_ignores_the_users_settings_and_restores_them(tmp_path: Path) -> None:
    def save(name: str) -> bytes:
        write_figure(tmp_path, name, draw_names(("a", "b"), TEXT_WIDTH))
        return (tmp_path / f"{name}.pdf").read_bytes() + (tmp_path / f"{name}.png").read_bytes()

    plain = save("plain")
    with matplotlib.rc_context({"axes.facecolor": "red", "font.size": 20, "savefig.bbox": "tight"}):
        assert save("own") == plain
        assert matplotlib.rcParams["axes.facecolor"] == "red"


def make_models(num_models: int) -> list[str]:
    return ["fusion", "sequential", *(f"control{place}" for place in range(num_models - 2))]


@pytest.mark.parametrize("models", [["fusion", "sequential"], ["sequential", "x", "fusion"], make_models(12)])
def test_the_two_models_of_the_source_paper_keep_their_colours(models: list[str]) -> None:
    colours = choose_colours(models)
    assert colours["fusion"] == "#0072B2"
    assert colours["sequential"] == "#D55E00"


@pytest.mark.parametrize("num_models", [2, 6, 7])
def test_up_to_seven_models_have_colours_of_their_own(num_models: int) -> None:
    assert len(set(choose_colours(make_models(num_models)).values())) == num_models


@pytest.mark.parametrize("num_models", [8, 12, 50])
def test_more_models_differ_in_colour_and_marker_together(num_models: int) -> None:
    models = make_models(num_models)
    colours, markers = choose_colours(models), choose_markers(models)
    assert list(colours) == list(markers) == models
    assert len({(colours[model], markers[model]) for model in models}) == num_models


def test_twelve_models_differ_without_colours() -> None:
    assert len(set(choose_markers(make_models(12)).values())) == 12


def test_a_further_model_changes_no_other_colour() -> None:
    assert choose_colours(make_models(12)) | choose_colours(make_models(5)) == choose_colours(make_models(12))


def test_every_colour_can_be_seen_on_white() -> None:
    for colour in choose_colours(make_models(12)).values():
        red, green, blue = (channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4
                            for channel in to_rgb(colour))  # fmt: skip
        assert 1.05 / (0.2126 * red + 0.7152 * green + 0.0722 * blue + 0.05) > 2


@pytest.mark.parametrize("name", ["W" * 40, "short", "naïve 猫 with a long rest", ""])
@pytest.mark.parametrize("width", [0.3, 1.0])
def test_names_are_fitted_into_a_width(name: str, width: float) -> None:
    fitted = fit_into(name, width)
    assert measure_width(fitted) <= width
    assert fitted == name or "…" in fitted


def test_names_that_fit_stay_whole() -> None:
    name = "a name of some thirty characters"
    assert fit_into(name, measure_width(name)) == name
