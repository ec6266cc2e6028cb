import pytest
from conftest import BACKBONES, IMAGE_SIZE

from fusionseq.models.architectures import build_architecture
from fusionseq.models.head import Head
from fusionseq.models.wide_head import count_head, find_nearest_width

pytestmark = pytest.mark.usefixtures("runtime")


@pytest.mark.parametrize(("num_classes", "units"), [(10, 256), (2, 256), (100, 16), (3, 1)])
def test_head_comes_as_near_to_that_of_fusion_as_it_can(num_classes: int, units: int) -> None:
    head = Head(num_classes, units, 0.5, 0)
    wide, fusion = (
        build_architecture(name, BACKBONES, IMAGE_SIZE, head).get_layer("hidden") for name in ("wide_head", "fusion")
    )

    def count(width: int) -> int:
        return 1280 * width + width + width * num_classes + num_classes

    target = 1792 * units + units + units * num_classes + num_classes
    assert fusion.units == units
    assert wide.units == min(range(1, 1000), key=lambda width: abs(count(width) - target))


def test_head_is_counted_as_keras_counts_it() -> None:
    model = build_architecture("sequential", BACKBONES, IMAGE_SIZE, Head(10, 256, 0.5, 0))
    layers = ("hidden", "probabilities")
    assert count_head(1280, 256, 10) == sum(model.get_layer(name).count_params() for name in layers)


def test_no_head_is_without_units() -> None:
    assert find_nearest_width(5, 1000, 2) == 1
