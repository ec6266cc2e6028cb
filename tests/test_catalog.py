import subprocess
import sys
from pathlib import Path

import keras
import pytest

from fusionseq.catalog import BACKBONES
from fusionseq.models.backbones import build_pooled

pytestmark = pytest.mark.usefixtures("runtime")


@pytest.fixture(scope="module")
def layer_names() -> dict[str, list[str]]:
    return {name: [layer.name for layer in build_pooled(name, 32).layers] for name in BACKBONES}


@pytest.mark.parametrize("name", BACKBONES)
def test_cuts_are_layers_in_forward_order(layer_names: dict[str, list[str]], name: str) -> None:
    positions = [layer_names[name].index(layer) for layer in BACKBONES[name].clean_cuts]
    assert positions == sorted(set(positions))
    assert len(positions) > 10


def test_every_convolution_of_vgg16_but_the_first_may_be_trained_first(layer_names: dict[str, list[str]]) -> None:
    convolutions = [layer for layer in layer_names["vgg16"] if "conv" in layer]
    assert len(convolutions) == 13
    assert BACKBONES["vgg16"].clean_cuts == tuple(convolutions[1:])


def test_every_expansion_of_mobilenetv2_may_be_trained_first(layer_names: dict[str, list[str]]) -> None:
    expansions = [layer for layer in layer_names["mobilenetv2"] if layer.endswith("_expand")]
    assert BACKBONES["mobilenetv2"].clean_cuts == (*expansions, "Conv_1")


@pytest.mark.parametrize("name", BACKBONES)
def test_stride_is_side_of_image_over_side_of_feature_maps(name: str) -> None:
    size = 3 * BACKBONES[name].stride
    pooled = build_pooled(name, size).get_layer(f"{name}_pooled")
    assert pooled.input.shape[1:3] == (3, 3)


@pytest.mark.parametrize("name", BACKBONES)
def test_application_is_one_of_keras(name: str) -> None:
    assert callable(getattr(keras.applications, BACKBONES[name].application))


def test_neither_keras_nor_tensorflow_is_needed_to_read_it() -> None:
    code = "import sys, fusionseq.catalog, fusionseq.params; sys.exit(bool({'keras', 'tensorflow'} & set(sys.modules)))"
    source = Path(__file__).parents[1] / "src"
    done = subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": str(source)}, check=False)
    assert done.returncode == 0
