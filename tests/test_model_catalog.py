from pathlib import Path

import pytest
from conftest import BACKBONES as BOTH

from fusionseq.catalog import BACKBONES
from fusionseq.errors import PipelineError
from fusionseq.model_catalog import (
    MODELS,
    PAPER_MODELS,
    describe_ensemble,
    describe_model,
    find_model,
    find_stems,
    list_models,
)


def test_paper_s_own_models_come_first() -> None:
    assert list(MODELS)[:2] == list(PAPER_MODELS) == ["fusion", "sequential"]
    assert list_models(["vgg16"]) == ["fusion", "sequential", "vgg16"]


@pytest.mark.parametrize("name", MODELS)
def test_every_row_has_its_module_and_function(name: str) -> None:
    module = Path(__file__).parents[1] / "src" / "fusionseq" / "models" / f"{name}.py"
    assert f"def build_{name}(image: KerasTensor, backbones: Sequence[str], head: Head)" in module.read_text("utf-8")


def test_a_name_of_none_is_one_error() -> None:
    with pytest.raises(PipelineError, match=r"a model must be one of fusion, .*, vgg16, .*\. Got 'alexnet'\."):
        find_model("alexnet")


def test_no_model_has_the_name_of_a_backbone() -> None:
    assert not set(MODELS) & set(BACKBONES)


def test_a_backbone_alone_goes_by_its_own_name() -> None:
    assert find_model("resnet50").title == "ResNet50"
    assert find_model("resnet50").needs == ("resnet50",)
    assert describe_model("vgg16", BOTH) == "VGG16 alone"


def test_descriptions_name_the_backbones_of_the_run() -> None:
    assert describe_model("fusion", BOTH).startswith("MobileNetV2 and VGG16 side by side")
    assert describe_model("sequential", ["resnet50", "vgg16"]).startswith("ResNet50 alone")
    assert describe_ensemble(["fusion", "sequential", "vgg16"]) == (
        "mean of the probabilities of Fusion, Sequential and VGG16"
    )


def test_stems_are_found_by_the_backbone_that_they_are_of() -> None:
    assert find_stems("vgg16", ["vgg16", "stacked", "wide_head"]) == {"stacked": "block3_pool"}
    assert find_stems("mobilenetv2", ["stacked"]) == {}
