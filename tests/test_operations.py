import keras
import pytest

from fusionseq.models.backbones import build_pooled
from fusionseq.models.operations import count_backward, count_operations

pytestmark = pytest.mark.usefixtures("runtime")


def count_one(layer: keras.Layer, shape: tuple[int, ...]) -> int:
    image = keras.Input(shape)
    return count_operations(keras.Model(image, layer(image)))


@pytest.mark.parametrize(
    ("layer", "shape", "expected"),
    [
        # Kernel height × width × channels in × out, at every position of the output; twice, for × and +.
        (keras.layers.Conv2D(7, 3, padding="same"), (6, 5, 4), 2 * (3 * 3 * 4 * 7) * (6 * 5)),
        (keras.layers.Conv2D(7, 3), (6, 5, 4), 2 * (3 * 3 * 4 * 7) * (4 * 3)),
        (keras.layers.Conv2D(7, (1, 2), strides=2, use_bias=False), (6, 6, 4), 2 * (1 * 2 * 4 * 7) * (3 * 3)),
        # Each of two groups sees half of the channels.
        (keras.layers.Conv2D(8, 3, padding="same", groups=2), (6, 5, 4), 2 * (3 * 3 * 2 * 8) * (6 * 5)),
        (keras.layers.DepthwiseConv2D(3, padding="same"), (6, 5, 4), 2 * (3 * 3 * 4) * (6 * 5)),
        (keras.layers.DepthwiseConv2D(3, depth_multiplier=2), (6, 5, 4), 2 * (3 * 3 * 4 * 2) * (4 * 3)),
        (keras.layers.Dense(7), (4,), 2 * 4 * 7),
        # ConvNeXt has dense layers that see one position after the other.
        (keras.layers.Dense(7), (6, 5, 4), 2 * (4 * 7) * (6 * 5)),
        (keras.layers.BatchNormalization(), (6, 5, 4), 0),
        (keras.layers.MaxPooling2D(), (6, 5, 4), 0),
    ],
)
def test_operations_of_one_layer(layer: keras.Layer, shape: tuple[int, ...], expected: int) -> None:
    assert count_one(layer, shape) == expected


@pytest.mark.parametrize(
    ("name", "multiplications", "tolerance"),
    [
        ("vgg16", 15.3e9, 0.01),  # He et al., Deep Residual Learning, 2016
        ("mobilenetv2", 300e6, 0.01),  # Sandler et al., MobileNetV2, 2018
        ("efficientnetv2b0", 732e6, 0.025),  # OpenVINO's model zoo, halved
        ("resnet50", 3.8e9, 0.02),  # He et al., Deep Residual Learning, 2016
        ("densenet121", 2.83e9, 0.01),  # torchvision's table of weights
        ("convnexttiny", 4.5e9, 0.015),  # Liu et al., A ConvNet for the 2020s, 2022
    ],
)
def test_backbones_take_what_was_published(name: str, multiplications: float, tolerance: float) -> None:
    # Rounded, and all with dense layers that the backbones lack, which are little.
    assert count_operations(build_pooled(name, 224)) == pytest.approx(2 * multiplications, rel=tolerance)


def build_chain() -> keras.Model:
    """Three dense layers of 2 · 6, 2 · 12 and 2 · 20 operations."""
    features = keras.Input((2,))
    x = keras.layers.Dense(3, name="first")(features)
    x = keras.layers.Dense(4, name="second")(x)
    return keras.Model(features, keras.layers.Dense(5, name="third")(x))


@pytest.mark.parametrize(
    ("frozen", "expected"),
    [
        # The first layer has no use for the gradient of its input, and each other one has.
        ((), 12 + 2 * 24 + 2 * 40),
        (("first",), 24 + 2 * 40),
        (("first", "second"), 40),
        # A gradient passes a frozen layer on its way to one that learns.
        (("second",), 12 + 24 + 2 * 40),
        (("first", "second", "third"), 0),
    ],
)
def test_backward_goes_no_further_than_to_what_learns(frozen: tuple[str, ...], expected: int) -> None:
    model = build_chain()
    for name in frozen:
        model.get_layer(name).trainable = False
    assert count_backward(model) == expected


def test_backward_of_a_model_ends_where_it_was_cut() -> None:
    whole = build_chain()
    cut = keras.Model(whole.get_layer("second").input, whole.output)
    assert count_operations(cut) == 24 + 40
    assert count_backward(cut) == 24 + 2 * 40


def test_backward_passes_what_has_no_weights() -> None:
    left, right = keras.Input((2,)), keras.Input((3,))
    joined = keras.layers.Concatenate()([left, right])
    x = keras.layers.Dense(4)(joined)
    x = keras.layers.Dropout(0.5)(keras.ops.relu(x))
    # Of 2 · 20 operations, and of 2 · 4 on either side.
    outputs = [keras.layers.Dense(1)(x), keras.layers.Dense(1)(x)]
    assert count_backward(keras.Model([left, right], outputs)) == 40 + 2 * 8 + 2 * 8


def build_nested(kind: str) -> keras.Model:
    """A chain as above, its second and third layer in a model of their own between an outer first and fourth."""
    layers = [keras.layers.Dense(4, name="second"), keras.layers.Dense(5, name="third")]
    if kind == "sequential":
        inner = keras.Sequential(layers, name="inner")
    else:
        entering = keras.Input((3,))
        inner = keras.Model(entering, layers[1](layers[0](entering)), name="inner")
    features = keras.Input((2,))
    x = inner(keras.layers.Dense(3, name="first")(features))
    return keras.Model(features, keras.layers.Dense(6, name="fourth")(x))


@pytest.mark.parametrize("kind", ["sequential", "functional"])
def test_layers_of_a_model_within_a_model_count(kind: str) -> None:
    assert count_operations(build_nested(kind)) == 12 + 24 + 40 + 60


@pytest.mark.parametrize("kind", ["sequential", "functional"])
@pytest.mark.parametrize(
    ("frozen", "expected"),
    [
        ((), 12 + 2 * (24 + 40 + 60)),
        # The gradient enters the inner model, and ends at its first layer that learns.
        (("first",), 24 + 2 * (40 + 60)),
        (("first", "second"), 40 + 2 * 60),
        (("first", "inner"), 60),
        # The gradient passes the frozen inner model on its way to the first layer.
        (("inner",), 12 + 24 + 40 + 2 * 60),
    ],
)
def test_backward_passes_a_model_within_a_model(kind: str, frozen: tuple[str, ...], expected: int) -> None:
    model = build_nested(kind)
    for name in frozen:
        owner = model.get_layer("inner") if name in ("second", "third") else model
        owner.get_layer(name).trainable = False
    assert count_backward(model) == expected


def test_backward_of_a_model_ends_where_it_was_cut_before_a_model_within_it() -> None:
    whole = build_nested("sequential")
    cut = keras.Model(whole.get_layer("inner").input, whole.output)
    assert count_operations(cut) == 24 + 40 + 60
    assert count_backward(cut) == 24 + 2 * (40 + 60)
