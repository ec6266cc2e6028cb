import keras
import pytest
from conftest import CUTS

from fusionseq.models.description import count_parameters, describe_layers
from fusionseq.models.fusion import build_fusion
from fusionseq.models.sequential import build_sequential

pytestmark = pytest.mark.usefixtures("runtime")

# Weights and biases of a convolution of VGG16 with 512 channels on both sides.
VGG16_CONVOLUTION = 9 * 512 * 512 + 512
# block_16 of MobileNetV2: 1 × 1, 3 × 3 depthwise, 1 × 1; then Conv_1.
MOBILENETV2_KERNELS = 160 * 960 + 9 * 960 + 960 * 320 + 320 * 1280
# Gamma, beta, and two moving statistics for each channel.
MOBILENETV2_NORMALIZATION = 4 * (960 + 960 + 320 + 1280)


@pytest.fixture(scope="module")
def models() -> dict[str, keras.Model]:
    return {"fusion": build_fusion(64, 10, 256, 0.5, 0), "sequential": build_sequential(64, 10, 256, 0.5, 0)}


def test_parts_of_fusion(models: dict[str, keras.Model]) -> None:
    tuned = MOBILENETV2_KERNELS + MOBILENETV2_NORMALIZATION
    assert [tuple(row.values()) for row in describe_layers(models["fusion"], CUTS)] == [
        ("MobileNetV2, frozen", "2 × 2 × 160", 2_257_984 - tuned),
        ("MobileNetV2, fine-tuned", "2 × 2 × 1280", tuned),
        ("VGG16, frozen", "4 × 4 × 512", 14_714_688 - VGG16_CONVOLUTION),
        ("VGG16, fine-tuned", "2 × 2 × 512", VGG16_CONVOLUTION),
        ("Pooled features", "1792", 0),
        ("Hidden layer", "256", 459_008),
        ("Dropout", "256", 0),
        ("Softmax", "10", 2_570),
    ]


def test_parts_of_sequential(models: dict[str, keras.Model]) -> None:
    rows = describe_layers(models["sequential"], CUTS)
    parts = ["MobileNetV2, frozen", "MobileNetV2, fine-tuned", "Pooled features", "Hidden layer", "Dropout", "Softmax"]
    assert [row["part"] for row in rows] == parts
    assert rows[2] == {"part": "Pooled features", "output": "1280", "parameters": 0}
    assert rows[3] == {"part": "Hidden layer", "output": "256", "parameters": 327_936}


@pytest.mark.parametrize("name", ["fusion", "sequential"])
def test_parts_sum_to_the_whole(models: dict[str, keras.Model], name: str) -> None:
    rows = describe_layers(models[name], CUTS)
    assert sum(row["parameters"] for row in rows) == models[name].count_params()
    assert count_parameters(models[name], CUTS)["total"] == models[name].count_params()


@pytest.mark.parametrize(
    ("name", "backbones", "hidden", "tuned"),
    [
        ("fusion", 2_257_984 + 14_714_688, 459_008, MOBILENETV2_KERNELS + VGG16_CONVOLUTION),
        ("sequential", 2_257_984, 327_936, MOBILENETV2_KERNELS),
    ],
)
def test_parameters_are_counted_by_phase(
    models: dict[str, keras.Model], name: str, backbones: int, hidden: int, tuned: int
) -> None:
    assert count_parameters(models[name], CUTS) == {
        "total": backbones + hidden + 2_570,
        "backbones": backbones,
        "hidden": hidden,
        "trainable_frozen": hidden + 2_570,
        "trainable_fine_tuning": tuned + hidden + 2_570,
    }


def test_counting_again_gives_the_same(models: dict[str, keras.Model]) -> None:
    first = count_parameters(models["sequential"], CUTS)
    for layer in models["sequential"].layers:
        layer.trainable = True
    assert count_parameters(models["sequential"], CUTS) == first
