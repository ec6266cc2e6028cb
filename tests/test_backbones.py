import keras
import numpy as np
import pytest
from conftest import IMAGE_SIZE, Experiment
from numpy.typing import NDArray

from fusionseq.catalog import BACKBONES
from fusionseq.models.backbones import build_backbone, build_pooled
from fusionseq.models.normalization import ExactBatchNormalization, make_exact
from fusionseq.weight_files import read_backbones

APPLICATIONS = {
    "mobilenetv2": (keras.applications.MobileNetV2, keras.applications.mobilenet_v2.preprocess_input),
    "vgg16": (keras.applications.VGG16, keras.applications.vgg16.preprocess_input),
}

# Those without embedded weights are held against Keras in test_other_backbones.py.
EMBEDDED = [name for name, backbone in BACKBONES.items() if backbone.is_embedded]


@pytest.fixture(scope="module")
def pooled_models(experiment: Experiment) -> dict[str, keras.Model]:
    models = {name: build_pooled(name, IMAGE_SIZE) for name in EMBEDDED}
    for model in models.values():
        read_backbones(experiment.backbones, model)
    return models


@pytest.mark.parametrize(("name", "first_layer"), [("mobilenetv2", "Conv1"), ("vgg16", "block1_conv1")])
def test_preprocessing_is_that_of_keras(pooled_models: dict[str, keras.Model], name: str, first_layer: str) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, IMAGE_SIZE, IMAGE_SIZE, 3)).astype(np.uint8)
    model = pooled_models[name]
    preprocessed = keras.Model(model.input, model.get_layer(first_layer).input)
    _, preprocess = APPLICATIONS[name]
    np.testing.assert_array_equal(np.asarray(preprocessed(pixels)), preprocess(pixels.astype(np.float32)))


def test_every_embedded_backbone_is_held_against_keras() -> None:
    assert list(APPLICATIONS) == EMBEDDED


@pytest.mark.parametrize("name", EMBEDDED)
def test_feature_maps_are_those_of_keras(
    pooled_models: dict[str, keras.Model], images: NDArray[np.uint8], name: str
) -> None:
    build, preprocess = APPLICATIONS[name]
    reference = build(include_top=False, weights=None, input_shape=(IMAGE_SIZE, IMAGE_SIZE, 3))
    # Random weights blow up a last bit; test_normalization.py holds the one layer that differs against Keras.
    for layer in reference.layers:
        make_exact(layer)
    model = pooled_models[name]
    reference.set_weights(model.get_weights())
    feature_maps = keras.Model(model.input, model.get_layer(f"{name}_pooled").input)
    expected = np.asarray(reference(preprocess(images.astype(np.float32)), training=False))
    assert expected.std() > 1e-3, "the signal must survive"
    np.testing.assert_allclose(np.asarray(feature_maps(images)), expected, rtol=1e-5, atol=1e-5 * expected.std())


def test_no_estimate_of_a_processor_is_in_them(pooled_models: dict[str, keras.Model]) -> None:
    layers = [layer for model in pooled_models.values() for layer in model.layers]
    kinds = [type(layer) for layer in layers if isinstance(layer, keras.layers.BatchNormalization)]
    assert kinds == [ExactBatchNormalization] * 52


@pytest.mark.parametrize(("name", "parameters"), [("mobilenetv2", 2_257_984), ("vgg16", 14_714_688)])
def test_parameters_are_those_published(pooled_models: dict[str, keras.Model], name: str, parameters: int) -> None:
    assert pooled_models[name].count_params() == parameters


@pytest.mark.parametrize("name", BACKBONES)
def test_pooling_averages_over_positions(name: str) -> None:
    model = build_pooled(name, 64)
    images = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3)).astype(np.uint8)
    layer = model.get_layer(f"{name}_pooled")
    both = keras.Model(model.input, [layer.input, layer.output])
    feature_maps, pooled = map(np.asarray, both(images))
    assert feature_maps.shape[1:3] == (2, 2)
    np.testing.assert_allclose(pooled, feature_maps.mean(axis=(1, 2)), rtol=1e-4, atol=1e-12)


@pytest.mark.parametrize("name", EMBEDDED)
def test_whole_numbers_and_floats_give_the_same_features(
    pooled_models: dict[str, keras.Model], images: NDArray[np.uint8], name: str
) -> None:
    image = keras.Input((IMAGE_SIZE, IMAGE_SIZE, 3), dtype="float32")
    model = keras.Model(image, build_backbone(name, image))
    model.set_weights(pooled_models[name].get_weights())
    expected = np.asarray(pooled_models[name](images[:4]))
    np.testing.assert_array_equal(np.asarray(model(images[:4].astype(np.float32))).mean(axis=(1, 2)), expected)


@pytest.mark.parametrize("name", EMBEDDED)
def test_order_of_the_channels_matters(
    pooled_models: dict[str, keras.Model], images: NDArray[np.uint8], name: str
) -> None:
    model = pooled_models[name]
    features, swapped = np.asarray(model(images)), np.asarray(model(images[..., ::-1].copy()))
    assert np.abs(features - swapped).max() > 0.1 * features.std()


@pytest.mark.parametrize("name", EMBEDDED)
def test_model_and_its_layers_bear_the_name_of_the_backbone(pooled_models: dict[str, keras.Model], name: str) -> None:
    model = pooled_models[name]
    assert model.name == name
    assert model.input.dtype == "uint8"
    assert model.layers[-1].name == f"{name}_pooled"
