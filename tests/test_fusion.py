import keras
import numpy as np
import pytest
from conftest import BACKBONES, CLASS_NAMES, IMAGE_SIZE, UNITS
from numpy.typing import NDArray

from fusionseq.models.architectures import build_architecture
from fusionseq.models.head import Head

MOBILENETV2, VGG16 = 2_257_984, 14_714_688


def test_parameters_are_those_of_the_paper() -> None:
    model = build_architecture("fusion", BACKBONES, IMAGE_SIZE, Head(2, 256, 0.5, 0))
    assert model.get_layer("hidden").count_params() == 459_008
    assert model.count_params() == MOBILENETV2 + VGG16 + 459_008 + 2 * 256 + 2


def test_features_are_those_of_mobilenetv2_followed_by_those_of_vgg16(
    fusion: keras.Model, images: NDArray[np.uint8]
) -> None:
    names = ("mobilenetv2_pooled", "vgg16_pooled", "features")
    outputs = keras.Model(fusion.input, [fusion.get_layer(name).output for name in names])
    mobilenetv2, vgg16, features = map(np.asarray, outputs(images))
    assert (mobilenetv2.shape[1], vgg16.shape[1]) == (1280, 512)
    np.testing.assert_array_equal(features, np.concatenate([mobilenetv2, vgg16], axis=1))
    assert fusion.get_layer("hidden").input is fusion.get_layer("features").output


def test_images_become_probabilities(fusion: keras.Model, images: NDArray[np.uint8]) -> None:
    assert fusion.name == "fusion"
    assert fusion.input_shape == (None, IMAGE_SIZE, IMAGE_SIZE, 3)
    assert fusion.input.dtype == "uint8"
    probabilities = np.asarray(fusion(images))
    assert probabilities.shape == (len(images), len(CLASS_NAMES))
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    assert np.ptp(probabilities, axis=0).max() > 0.01


def test_head_is_as_wide_as_asked(fusion: keras.Model) -> None:
    assert fusion.get_layer("hidden").units == UNITS
    assert fusion.get_layer("probabilities").units == len(CLASS_NAMES)


@pytest.mark.parametrize("rate", [0.1, 0.5])
def test_dropout_is_as_asked(rate: float) -> None:
    assert build_architecture("fusion", BACKBONES, IMAGE_SIZE, Head(2, 4, rate, 0)).get_layer("dropout").rate == rate
