import numpy as np
import pytest

from fusionseq.agreement import MAX_DIFFERENCE, Agreement

EXPECTED = np.array([[0.75, 0.25], [0.25, 0.75]], dtype=np.float32)


def test_batches_add_up() -> None:
    agreement = Agreement().extend(EXPECTED, EXPECTED)
    assert agreement == Agreement(2, 2, 0.0)
    agreement = agreement.extend(EXPECTED[:1], EXPECTED[1:]).extend(EXPECTED, EXPECTED)
    assert agreement == Agreement(5, 4, 0.5)
    assert not agreement.is_close


@pytest.mark.parametrize(("difference", "is_close"), [(MAX_DIFFERENCE / 2, True), (MAX_DIFFERENCE * 2, False)])
def test_rounding_is_told_from_another_model(difference: float, is_close: bool) -> None:
    assert Agreement().extend(EXPECTED, EXPECTED + np.float32(difference)).is_close is is_close


def test_what_is_no_number_is_never_close() -> None:
    broken = EXPECTED.copy()
    broken[0, 0] = np.nan
    agreement = Agreement().extend(EXPECTED, broken)
    assert np.isnan(agreement.max_difference)
    assert not agreement.is_close
    # Nor do good images afterwards make up for it.
    assert not agreement.extend(EXPECTED, EXPECTED).is_close


def test_another_number_of_classes_is_refused() -> None:
    with pytest.raises(ValueError, match="must be of shape"):
        Agreement().extend(EXPECTED, EXPECTED[:, :1])
