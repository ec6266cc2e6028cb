import keras
import pytest
from conftest import BACKBONES, CUTS

from fusionseq.models.architectures import build_architecture
from fusionseq.models.backbones import build_pooled
from fusionseq.models.description import count_parameters, describe_layers, describe_operations
from fusionseq.models.head import Head
from fusionseq.models.operations import count_operations

pytestmark = pytest.mark.usefixtures("runtime")

# Weights and biases of a convolution of VGG16 with 512 channels on both sides.
VGG16_CONVOLUTION = 9 * 512 * 512 + 512
# block_16 of MobileNetV2: 1 × 1, 3 × 3 depthwise, 1 × 1; then Conv_1.
MOBILENETV2_KERNELS = 160 * 960 + 9 * 960 + 960 * 320 + 320 * 1280
# Gamma, beta, and two moving statistics for each channel.
MOBILENETV2_NORMALIZATION = 4 * (960 + 960 + 320 + 1280)


# A kernel is applied at 2 × 2 positions, at both cuts of an image of 64 pixels (of VGG16: at 4 × 4). Twice: × and +.
MOBILENETV2_TUNED = 2 * 2 * 2 * MOBILENETV2_KERNELS
MOBILENETV2_FIRST = 2 * 2 * 2 * 160 * 960
VGG16_TUNED = 2 * 4 * 4 * 9 * 512 * 512


@pytest.fixture(scope="module")
def models() -> dict[str, keras.Model]:
    names = ("fusion", "sequential", "stacked")
    return {name: build_architecture(name, BACKBONES, 64, Head(10, 256, 0.5, 0)) for name in names}


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


@pytest.mark.parametrize("name", ["fusion", "sequential", "stacked"])
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


def test_operations_of_sequential_are_counted_by_phase(models: dict[str, keras.Model]) -> None:
    hidden, softmax = 2 * 1280 * 256, 2 * 256 * 10
    operations = describe_operations(models["sequential"], CUTS)
    backward = {
        # Layers that learn first have no use for the gradient of their input.
        "frozen_phase": hidden + 2 * softmax,
        "fine_tuning": 2 * MOBILENETV2_TUNED - MOBILENETV2_FIRST + 2 * (hidden + softmax),
    }
    assert operations == {
        "forward": count_operations(models["sequential"]),
        "frozen_phase": hidden + softmax + backward["frozen_phase"],
        "fine_tuning": MOBILENETV2_TUNED + hidden + softmax + backward["fine_tuning"],
        "end_to_end_frozen_phase": operations["forward"] + backward["frozen_phase"],
        "end_to_end_fine_tuning": operations["forward"] + backward["fine_tuning"],
    }


def test_operations_of_fusion_are_those_of_both_branches(models: dict[str, keras.Model]) -> None:
    head = 2 * 1792 * 256 + 2 * 256 * 10
    operations = describe_operations(models["fusion"], CUTS)
    forward = head + sum(count_operations(build_pooled(name, 64)) for name in ("mobilenetv2", "vgg16"))
    assert operations["forward"] == forward
    # Each branch has a first layer of its own.
    tuned = 3 * MOBILENETV2_TUNED - MOBILENETV2_FIRST + 2 * VGG16_TUNED + 3 * head
    assert operations["fine_tuning"] == tuned
    assert operations["end_to_end_fine_tuning"] == forward + tuned - (MOBILENETV2_TUNED + VGG16_TUNED + head)


def test_counting_operations_again_gives_the_same(models: dict[str, keras.Model]) -> None:
    first = describe_operations(models["fusion"], CUTS)
    for layer in models["fusion"].layers:
        layer.trainable = True
    assert describe_operations(models["fusion"], CUTS) == first


def test_parts_of_stacked(models: dict[str, keras.Model]) -> None:
    rows = describe_layers(models["stacked"], CUTS)
    # 64 pixels are eight at a stride of eight.
    assert [tuple(row.values()) for row in rows[:2]] == [
        ("VGG16, frozen", "8 × 8 × 256", 1_735_488),
        ("Adapter", "8 × 8 × 32", 256 * 32 + 32),
    ]
    assert [row["part"] for row in rows[2:4]] == ["MobileNetV2, frozen", "MobileNetV2, fine-tuned"]
    counted = count_parameters(models["stacked"], CUTS)
    assert counted["backbones"] == rows[0]["parameters"] + sum(row["parameters"] for row in rows[2:4])
    assert counted["trainable_frozen"] == 256 * 32 + 32 + 327_936 + 2_570


def test_gradients_pass_the_frozen_layers_of_stacked(models: dict[str, keras.Model]) -> None:
    operations = describe_operations(models["stacked"], CUTS)
    adapter, head = 2 * 8 * 8 * 256 * 32, 2 * 1280 * 256 + 2 * 256 * 10
    first, last = (models["stacked"].get_layer(name) for name in ("block_6_expand", "out_relu"))
    between = count_operations(keras.Model(first.input, last.output))
    # The adapter's weights; nothing for its input. The head's weights and inputs.
    assert operations["frozen_phase"] == 2 * adapter + 2 * between + 3 * head
