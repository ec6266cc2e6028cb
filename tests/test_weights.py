import numpy as np
import pytest
from numpy.typing import NDArray

from fusionseq.catalog import BACKBONES
from fusionseq.errors import PipelineError
from fusionseq.models.weights import build_pretrained, build_untrained

Weights = dict[str, NDArray[np.float16]]


@pytest.mark.parametrize("name", ["mobilenetv2", "vgg16"])
def test_every_variable_has_its_own_array(embedded_weights: Weights, name: str) -> None:
    model = build_pretrained(name, embedded_weights)
    assert model.name == name
    assert len(model.variables) == sum(key.startswith(f"{name}/") for key in embedded_weights)
    for variable in model.variables:
        values = np.asarray(variable)
        assert values.dtype == np.float32
        np.testing.assert_array_equal(values, embedded_weights[f"{name}/{variable.path}"].astype(np.float32))


def test_missing_array_is_named(embedded_weights: Weights) -> None:
    weights = {key: values for key, values in embedded_weights.items() if key != "vgg16/block3_conv2/bias"}
    with pytest.raises(PipelineError, match=r"hold no vgg16/block3_conv2/bias of shape \(256,\)"):
        build_pretrained("vgg16", weights)


def test_array_of_another_shape_is_named(embedded_weights: Weights) -> None:
    key = "mobilenetv2/Conv_1/kernel"
    weights = embedded_weights | {key: embedded_weights[key][..., :1]}
    with pytest.raises(PipelineError, match=rf"hold no {key} of shape \(1, 1, 320, 1280\)"):
        build_pretrained("mobilenetv2", weights)


def test_weights_of_the_other_backbone_do_not_do(embedded_weights: Weights) -> None:
    weights = {key: values for key, values in embedded_weights.items() if key.startswith("vgg16/")}
    with pytest.raises(PipelineError, match="hold no mobilenetv2/"):
        build_pretrained("mobilenetv2", weights)


@pytest.mark.parametrize("name", BACKBONES)
def test_untrained_backbone_takes_the_smallest_image_and_gives_one_position(name: str) -> None:
    model = build_untrained(name)
    assert model.name == name
    assert model.input.shape[1:] == (32, 32, 3)
    assert model.output.shape[1:3] == (1, 1)
