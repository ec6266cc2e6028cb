import pytest
from conftest import IMAGE_SIZE

from fusionseq.models.architectures import ARCHITECTURES

pytestmark = pytest.mark.usefixtures("runtime")


def test_both_models_of_the_paper_are_there() -> None:
    assert list(ARCHITECTURES) == ["fusion", "sequential"]


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_name_is_that_of_the_model_it_builds(name: str) -> None:
    model = ARCHITECTURES[name](IMAGE_SIZE, 4, 6, 0.3, 1)
    assert model.name == name
    assert model.input_shape[1:] == (IMAGE_SIZE, IMAGE_SIZE, 3)
    assert model.output_shape == (None, 4)
    assert model.get_layer("hidden").units == 6
    assert model.get_layer("dropout").rate == 0.3
