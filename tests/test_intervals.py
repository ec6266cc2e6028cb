import pytest

from fusionseq.page.intervals import Bar, span_axis


def test_values_stand_within_the_axis_in_their_order() -> None:
    axis = span_axis([0.25, 0.0, 1.0])
    assert axis.place_bar(0.25, (0.0, 1.0)) == Bar(start=4.0, end=96.0, dot=27.0)


@pytest.mark.parametrize("value", [0.0, 0.9])
def test_an_axis_of_one_value_has_it_in_the_middle(value: float) -> None:
    assert span_axis([value, value]).place(value) == 50
