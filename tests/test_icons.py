import re

from fusionseq.page.icons import ICONS, INK, build_looks
from fusionseq.plotting.style import choose_colours, choose_markers


def test_every_marker_of_the_figures_has_an_icon_within_its_frame() -> None:
    markers = choose_markers(["fusion", "sequential", *(f"model-{number}" for number in range(20))])
    assert set(markers.values()) == set(ICONS)
    assert len(set(ICONS.values())) == len(ICONS)
    for path in ICONS.values():
        assert max(abs(float(number)) for number in re.findall(r"-?[\d.]+", path)) <= 1.25


def test_black_is_the_colour_of_the_text() -> None:
    models = ["fusion", "sequential", "a", "b", "c"]
    looks = build_looks(dict.fromkeys(models, "T"), choose_colours(models), choose_markers(models))
    assert [looks[name].colour for name in models] == ["#0072B2", "#D55E00", "#009E73", "#CC79A7", INK]
