import re
import subprocess
import sys
from pathlib import Path

import keras
import pytest
from safetensors import safe_open

from fusionseq.catalog import BACKBONES
from fusionseq.models.backbones import build_pooled

ROOT = Path(__file__).parents[1]

pytestmark = pytest.mark.usefixtures("runtime")


@pytest.fixture(scope="module")
def models() -> dict[str, keras.Model]:
    """Each backbone, for images of three strides a side."""
    return {name: build_pooled(name, 3 * backbone.stride) for name, backbone in BACKBONES.items()}


@pytest.fixture(scope="module")
def layer_names(models: dict[str, keras.Model]) -> dict[str, list[str]]:
    return {name: [layer.name for layer in model.layers] for name, model in models.items()}


@pytest.mark.parametrize("name", BACKBONES)
def test_cuts_are_layers_in_forward_order(layer_names: dict[str, list[str]], name: str) -> None:
    positions = [layer_names[name].index(layer) for layer in BACKBONES[name].clean_cuts]
    assert positions == sorted(set(positions))
    assert len(positions) > 10
    assert BACKBONES[name].default_cut in BACKBONES[name].clean_cuts


def test_every_convolution_of_vgg16_but_the_first_may_be_trained_first(layer_names: dict[str, list[str]]) -> None:
    convolutions = [layer for layer in layer_names["vgg16"] if "conv" in layer]
    assert len(convolutions) == 13
    assert BACKBONES["vgg16"].clean_cuts == tuple(convolutions[1:])


def test_every_expansion_of_mobilenetv2_may_be_trained_first(layer_names: dict[str, list[str]]) -> None:
    expansions = [layer for layer in layer_names["mobilenetv2"] if layer.endswith("_expand")]
    assert BACKBONES["mobilenetv2"].clean_cuts == (*expansions, "Conv_1")


def test_every_block_of_resnet50_may_be_trained_first(layer_names: dict[str, list[str]]) -> None:
    outputs = [layer for layer in layer_names["resnet50"] if layer.endswith("_out")]
    assert len(outputs) == 16
    assert BACKBONES["resnet50"].clean_cuts == tuple(layer.replace("_out", "_1_conv") for layer in outputs)


def test_every_block_of_densenet121_may_be_trained_first(layer_names: dict[str, list[str]]) -> None:
    blocks = [layer for layer in layer_names["densenet121"] if re.search(r"_0_bn$|pool\d_conv$", layer)]
    assert len(blocks) == 58 + 3
    assert BACKBONES["densenet121"].clean_cuts == tuple(blocks)


def test_every_block_of_efficientnetv2b0_may_be_trained_first(layer_names: dict[str, list[str]]) -> None:
    expansions = [layer for layer in layer_names["efficientnetv2b0"] if layer.endswith("_expand_conv")]
    assert len(expansions) == 20
    assert BACKBONES["efficientnetv2b0"].clean_cuts == ("block1a_project_conv", *expansions, "top_conv")


def test_every_block_and_downsampling_of_convnexttiny_may_be_trained_first(layer_names: dict[str, list[str]]) -> None:
    blocks = [layer for layer in layer_names["convnexttiny"] if re.search("_depthwise_conv$|_downsampling_", layer)]
    assert len(blocks) == 18 + 3
    assert BACKBONES["convnexttiny"].clean_cuts == tuple(blocks)


def test_backbones_are_embedded_whose_weights_ship_with_the_repository() -> None:
    with safe_open(ROOT / "pretraining" / "backbones.safetensors", framework="numpy") as file:
        shipped = {key.partition("/")[0] for key in file.keys()}  # noqa: SIM118, it is no dictionary
    assert {name for name, backbone in BACKBONES.items() if backbone.is_embedded} == shipped


@pytest.mark.parametrize("name", BACKBONES)
def test_stride_is_side_of_image_over_side_of_feature_maps(models: dict[str, keras.Model], name: str) -> None:
    pooled = models[name].get_layer(f"{name}_pooled")
    assert pooled.input.shape[1:3] == (3, 3)


@pytest.mark.parametrize("name", BACKBONES)
def test_application_is_one_of_keras(name: str) -> None:
    assert callable(getattr(keras.applications, BACKBONES[name].application))


def test_neither_keras_nor_tensorflow_is_needed_to_read_it() -> None:
    code = "import sys, fusionseq.catalog, fusionseq.params; sys.exit(bool({'keras', 'tensorflow'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": str(ROOT / "src")}, check=False)
    assert done.returncode == 0
