"""Rows of models: no seed hides another, and every row keeps to itself."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from fusionseq.plotting.rows import SEED_SIZE, measure_row, place_seeds, place_summary, set_rows


@pytest.mark.parametrize("num_seeds", [1, 3, 10, 40])
def test_seeds_stand_below_their_summary_within_the_row(num_seeds: int) -> None:
    seeds = place_seeds(2, num_seeds)
    assert 1.5 < place_summary(2, num_seeds) < seeds[0]
    assert seeds[-1] < 2.5
    assert np.all(np.diff(seeds) > 0)
    assert len(seeds) == num_seeds


def test_up_to_five_seeds_do_not_touch() -> None:
    assert np.diff(place_seeds(0, 5)).min() * measure_row(5) * 72 > SEED_SIZE


def test_many_seeds_do_not_make_the_figure_grow_without_end() -> None:
    assert measure_row(3) < measure_row(5) < measure_row(10) == measure_row(100) < 0.6


def test_without_seeds_the_summary_stands_in_the_middle() -> None:
    assert place_summary(1, 0) == pytest.approx(1)
    assert place_seeds(1, 0).shape == (0,)


def test_rows_run_from_top_to_bottom_and_are_named_once() -> None:
    panels = Figure().subplots(1, 2)
    set_rows(panels, ["one", "$two$", "three"])
    assert [label.get_text() for label in panels[0].get_yticklabels()] == ["one", "$two$", "three"]
    assert not any(label.get_parse_math() for label in panels[0].get_yticklabels())
    assert [axes.yaxis.get_tick_params()["labelleft"] for axes in panels] == [True, False]
    assert all(axes.get_ylim() == (2.5, -0.5) for axes in panels)
    assert len(panels[0].patches) == 1
