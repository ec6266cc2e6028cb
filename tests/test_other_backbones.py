"""The backbones that no weights ship for, each proved to build, cut, train a step and rebuild, at the smallest size.

Their weights are random; what comes from ImageNet is loaded in test_pretrained.py.
"""

from pathlib import Path

import keras
import numpy as np
import pytest
from conftest import IMAGE_SIZE
from numpy.typing import NDArray

from fusionseq.catalog import BACKBONES
from fusionseq.models.backbones import build_backbone, build_pooled, pool
from fusionseq.models.cutting import Phase, make_trainable
from fusionseq.models.normalization import make_exact
from fusionseq.models.weights import build_untrained
from fusionseq.weight_files import read_weights, write_weights

pytestmark = pytest.mark.usefixtures("runtime")

APPLICATIONS = {
    "efficientnetv2b0": (keras.applications.EfficientNetV2B0, keras.applications.efficientnet_v2.preprocess_input),
    "resnet50": (keras.applications.ResNet50, keras.applications.resnet50.preprocess_input),
    "densenet121": (keras.applications.DenseNet121, keras.applications.densenet.preprocess_input),
    "convnexttiny": (keras.applications.ConvNeXtTiny, keras.applications.convnext.preprocess_input),
}

# The last layer before the default cut.
LAST_FROZEN = {
    "efficientnetv2b0": "block5e_add",
    "resnet50": "conv4_block6_out",
    "densenet121": "densenet121_pool4_pool",
    "convnexttiny": "convnext_tiny_downsampling_block_2",
}

FEW_CUTS = [
    (name, cut)
    for name in APPLICATIONS
    for cut in (BACKBONES[name].clean_cuts[0], BACKBONES[name].default_cut, BACKBONES[name].clean_cuts[-1])
]

CLASSES = np.array([0, 1, 2, 0])


def enliven(model: keras.Model, images: NDArray[np.uint8]) -> None:
    """Have a signal survive in every block of a backbone with random weights."""
    for seed, layer in enumerate(model.layers):
        if isinstance(layer, keras.layers.BatchNormalization):
            # Without momentum, one pass makes the statistics of these images the moving ones.
            layer.momentum = 0.0
        elif type(layer).__name__ == "LayerScale":
            # Each block of ConvNeXt starts at a millionth of what it is to add.
            layer.gamma.assign(np.random.default_rng(seed).uniform(0.5, 1.0, layer.gamma.shape))
    model(images, training=True)


@pytest.fixture(scope="module")
def models(images: NDArray[np.uint8]) -> dict[str, keras.Model]:
    """Each backbone, from images to pooled features. Leave their weights alone."""
    keras.utils.set_random_seed(0)
    models = {name: build_pooled(name, IMAGE_SIZE) for name in APPLICATIONS}
    for model in models.values():
        enliven(model, images)
    return models


@pytest.fixture(scope="module")
def folder(models: dict[str, keras.Model], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A weights file of each backbone."""
    folder = tmp_path_factory.mktemp("backbones")
    for name, model in models.items():
        write_weights(folder / f"{name}.weights.h5", model)
    return folder


@pytest.fixture(scope="module")
def few(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return images[: len(CLASSES)]


def test_every_backbone_without_embedded_weights_is_proved_here() -> None:
    assert list(APPLICATIONS) == [name for name, backbone in BACKBONES.items() if not backbone.is_embedded]


@pytest.mark.parametrize(
    ("name", "first_layer"),
    [
        ("efficientnetv2b0", "rescaling"),
        ("resnet50", "conv1_pad"),
        ("densenet121", "densenet121_zero_padding2d"),
        ("convnexttiny", "convnext_tiny_prestem_normalization"),
    ],
)
def test_preprocessing_is_that_of_keras(models: dict[str, keras.Model], name: str, first_layer: str) -> None:
    model = models[name]
    # Keras numbers what it names itself.
    first = next(layer for layer in model.layers if layer.name.startswith(first_layer))
    assert model.layers.index(first) == 1
    pixels = np.random.default_rng(0).integers(0, 256, (5, IMAGE_SIZE, IMAGE_SIZE, 3)).astype(np.uint8)
    _, preprocess = APPLICATIONS[name]
    entering = np.asarray(keras.Model(model.input, first.input)(pixels))
    np.testing.assert_array_equal(entering, preprocess(pixels.astype(np.float32)))


@pytest.mark.parametrize(
    ("name", "first_weights"), [("efficientnetv2b0", "stem_conv"), ("convnexttiny", "convnext_tiny_stem")]
)
def test_what_is_preprocessed_inside_gets_the_scale_of_imagenet(
    models: dict[str, keras.Model], few: NDArray[np.uint8], name: str, first_weights: str
) -> None:
    model = models[name]
    entering = np.asarray(keras.Model(model.input, model.get_layer(first_weights).input)(few))
    expected = keras.applications.densenet.preprocess_input(few.astype(np.float32))
    np.testing.assert_allclose(entering, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", APPLICATIONS)
def test_feature_maps_are_those_of_keras(models: dict[str, keras.Model], images: NDArray[np.uint8], name: str) -> None:
    build, preprocess = APPLICATIONS[name]
    reference = build(include_top=False, weights=None, input_shape=(IMAGE_SIZE, IMAGE_SIZE, 3))
    # As in test_backbones.py.
    for layer in reference.layers:
        make_exact(layer)
    model = models[name]
    reference.set_weights(model.get_weights())
    feature_maps = keras.Model(model.input, model.get_layer(f"{name}_pooled").input)
    expected = np.asarray(reference(preprocess(images.astype(np.float32)), training=False))
    assert expected.std(axis=0).mean() > 0.05, "the signal must survive"
    np.testing.assert_allclose(np.asarray(feature_maps(images)), expected, rtol=1e-4, atol=1e-4 * expected.std())


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        # In Keras's own table, less the classification layer.
        ("efficientnetv2b0", 7_200_312 - 1281 * 1000),
        ("resnet50", 25_636_712 - 2049 * 1000),
        ("densenet121", 8_062_504 - 1025 * 1000),
        ("convnexttiny", 28_589_128 - 769 * 1000),
    ],
)
def test_parameters_are_those_published(models: dict[str, keras.Model], name: str, parameters: int) -> None:
    assert models[name].count_params() == parameters


@pytest.mark.parametrize("name", APPLICATIONS)
def test_every_cut_of_the_catalog_is_clean(models: dict[str, keras.Model], name: str) -> None:
    model = models[name]
    lengths = []
    for cut in BACKBONES[name].clean_cuts:
        # Keras refuses where the output needs anything else.
        tail = keras.Model(model.get_layer(cut).input, model.output)
        assert tail.get_layer(cut) is model.get_layer(cut)
        lengths.append(len(tail.layers))
    assert lengths == sorted(set(lengths), reverse=True)


@pytest.mark.parametrize(
    ("name", "cut"),
    [
        ("efficientnetv2b0", "block6b_project_conv"),
        ("efficientnetv2b0", "block6b_se_reduce"),
        ("resnet50", "conv4_block2_2_conv"),
        ("resnet50", "conv5_block1_0_bn"),
        ("densenet121", "densenet121_conv5_block1_1_conv"),
        ("convnexttiny", "convnext_tiny_stage_3_block_1_pointwise_conv_1"),
    ],
)
def test_cut_within_a_block_is_refused(models: dict[str, keras.Model], name: str, cut: str) -> None:
    assert cut not in BACKBONES[name].clean_cuts
    with pytest.raises(ValueError, match="not connected to"):
        keras.Model(models[name].get_layer(cut).input, models[name].output)


@pytest.mark.parametrize(("name", "cut"), FEW_CUTS)
def test_frozen_part_and_tail_are_the_whole(
    models: dict[str, keras.Model], few: NDArray[np.uint8], name: str, cut: str
) -> None:
    model = models[name]
    tensor = model.get_layer(cut).input
    activations = np.asarray(keras.Model(model.input, tensor)(few, training=False))
    tail = keras.Model(tensor, model.output)
    expected = np.asarray(model(few, training=False))
    np.testing.assert_allclose(np.asarray(tail(activations)), expected, rtol=1e-4, atol=1e-5 * expected.std())
    # The tail must depend on what it is given, or the comparison would mean nothing.
    assert np.abs(np.asarray(tail(activations[::-1])) - expected).max() > 0.1 * expected.std()


@pytest.mark.parametrize(("name", "layer"), LAST_FROZEN.items())
def test_default_cut_is_right_behind_the_last_frozen_layer(
    models: dict[str, keras.Model], name: str, layer: str
) -> None:
    model = models[name]
    assert model.get_layer(BACKBONES[name].default_cut).input is model.get_layer(layer).output


@pytest.mark.parametrize("name", APPLICATIONS)
def test_a_step_trains_all_behind_the_cut_but_batch_normalization(
    models: dict[str, keras.Model], few: NDArray[np.uint8], name: str
) -> None:
    model = build_pooled(name, IMAGE_SIZE)
    model.set_weights(models[name].get_weights())
    whole = keras.Model(model.input, keras.layers.Dense(3, activation="softmax")(model.output))
    cut = whole.get_layer(BACKBONES[name].default_cut).input
    tail = keras.Model(cut, whole.output)
    make_trainable(whole, Phase(tail, (), tuple(tail.layers)))
    # Nothing is dropped, and no statistics are those of the batch: training from images or from stored activations is
    # the same.
    training, inference = (np.asarray(whole(few, training=training)) for training in (True, False))
    np.testing.assert_array_equal(training, inference)

    before = {variable.path: np.asarray(variable).copy() for variable in whole.weights}
    tail.compile(keras.optimizers.SGD(0.01), "sparse_categorical_crossentropy", run_eagerly=True)
    tail.train_on_batch(np.asarray(keras.Model(whole.input, cut)(few)), CLASSES)

    normalizations = [layer for layer in tail.layers if isinstance(layer, keras.layers.BatchNormalization)]
    assert bool(normalizations) == (name != "convnexttiny")
    not_trained = {variable.path for layer in normalizations for variable in layer.weights}
    to_train = {variable.path for variable in tail.weights} - not_trained
    moved = {variable.path for variable in whole.weights if (np.asarray(variable) != before[variable.path]).any()}
    assert moved <= to_train
    kernels = {path for path in to_train if path.endswith("/kernel")}
    assert len(kernels & moved) == len(kernels) > 8


@pytest.mark.parametrize("name", APPLICATIONS)
def test_rebuilt_model_with_saved_weights_says_the_same(
    models: dict[str, keras.Model], folder: Path, few: NDArray[np.uint8], name: str
) -> None:
    rebuilt = build_pooled(name, IMAGE_SIZE)
    expected = np.asarray(models[name](few))
    assert np.abs(np.asarray(rebuilt(few)) - expected).max() > 0.1 * expected.std()
    read_weights(folder / f"{name}.weights.h5", rebuilt)
    np.testing.assert_array_equal(np.asarray(rebuilt(few)), expected)


def test_no_two_backbones_have_a_layer_of_the_same_name(models: dict[str, keras.Model]) -> None:
    all_models = [*models.values(), *(build_untrained(name) for name in BACKBONES if name not in models)]
    names = [layer.name for model in all_models for layer in model.layers if layer.name != "image"]
    assert len(names) == len(set(names)) > 1000


def test_backbones_whose_layers_have_the_same_names_in_keras_work_in_one_model(
    models: dict[str, keras.Model], folder: Path, few: NDArray[np.uint8], tmp_path: Path
) -> None:
    names = ["resnet50", "densenet121"]
    image = keras.Input((IMAGE_SIZE, IMAGE_SIZE, 3), dtype="uint8", name="image")
    pooled = {name: pool(name, build_backbone(name, image)) for name in names}
    fusion = keras.Model(image, keras.layers.Concatenate()(list(pooled.values())))
    parts = {name: keras.Model(image, pooled[name]) for name in names}
    for name, part in parts.items():
        read_weights(folder / f"{name}.weights.h5", part)
        own = {id(layer) for layer in part.layers}
        assert {id(fusion.get_layer(cut)) for cut in BACKBONES[name].clean_cuts} < own
    assert fusion.get_layer("image").output is image
    expected = np.concatenate([np.asarray(models[name](few)) for name in names], axis=1)
    np.testing.assert_array_equal(np.asarray(fusion(few)), expected)
    # Their variables keep the paths that they share in Keras; a file of both must not mix them up.
    write_weights(tmp_path / "fusion.weights.h5", fusion)
    for name in names:
        fusion.get_layer(f"{BACKBONES[name].layer_prefix}conv1_conv").kernel.assign_add(np.ones((7, 7, 3, 64)))
    read_weights(tmp_path / "fusion.weights.h5", fusion)
    np.testing.assert_array_equal(np.asarray(fusion(few)), expected)
