import pytest
from conftest import BACKBONES, IMAGE_SIZE

from fusionseq.errors import PipelineError
from fusionseq.model_catalog import MODELS
from fusionseq.models.architectures import build_architecture
from fusionseq.models.head import Head

pytestmark = pytest.mark.usefixtures("runtime")


@pytest.mark.parametrize("name", [*MODELS, "vgg16", "mobilenetv2"])
def test_name_is_that_of_the_model_it_builds(name: str) -> None:
    model = build_architecture(name, BACKBONES, IMAGE_SIZE, Head(4, 6, 0.3, 1))
    assert model.name == name
    assert model.input_shape[1:] == (IMAGE_SIZE, IMAGE_SIZE, 3)
    assert model.output_shape == (None, 4)
    assert model.get_layer("hidden").units == (6 if name != "wide_head" else 8)
    assert model.get_layer("dropout").rate == 0.3


def test_a_backbone_by_its_name_is_that_backbone_alone() -> None:
    model = build_architecture("vgg16", BACKBONES, IMAGE_SIZE, Head(4, 6, 0.3, 1))
    assert model.get_layer("hidden").input is model.get_layer("vgg16_pooled").output
    assert model.count_params() == 14_714_688 + 513 * 6 + 7 * 4


def test_a_row_without_its_function_is_one_error(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("nowhere", "cutting"):
        monkeypatch.setitem(MODELS, name, MODELS["fusion"])
        with pytest.raises(PipelineError, match=rf"^src/fusionseq/models/{name}\.py must define build_{name}\("):
            build_architecture(name, BACKBONES, IMAGE_SIZE, Head(4, 6, 0.3, 1))


def test_backbones_may_change_places() -> None:
    model = build_architecture("sequential", BACKBONES[::-1], IMAGE_SIZE, Head(4, 6, 0.3, 1))
    assert model.get_layer("hidden").input is model.get_layer("vgg16_pooled").output
