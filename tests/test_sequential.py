import keras
import numpy as np
from conftest import BACKBONES, CLASS_NAMES, DROPOUT, IMAGE_SIZE, UNITS
from numpy.typing import NDArray

from fusionseq.models.architectures import build_architecture
from fusionseq.models.head import Head

MOBILENETV2 = 2_257_984


def test_parameters_are_those_of_the_paper() -> None:
    model = build_architecture("sequential", BACKBONES, IMAGE_SIZE, Head(2, 256, 0.5, 0))
    assert model.get_layer("hidden").count_params() == 327_936
    assert model.count_params() == MOBILENETV2 + 327_936 + 2 * 256 + 2


def test_head_follows_mobilenetv2_alone(sequential: keras.Model) -> None:
    assert sequential.get_layer("hidden").input is sequential.get_layer("mobilenetv2_pooled").output
    assert not [layer.name for layer in sequential.layers if "vgg16" in layer.name or layer.name.endswith("_conv1")]


def test_images_become_probabilities(sequential: keras.Model, images: NDArray[np.uint8]) -> None:
    assert sequential.name == "sequential"
    assert sequential.input_shape == (None, IMAGE_SIZE, IMAGE_SIZE, 3)
    assert sequential.input.dtype == "uint8"
    probabilities = np.asarray(sequential(images))
    assert probabilities.shape == (len(images), len(CLASS_NAMES))
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    assert np.ptp(probabilities, axis=0).max() > 0.01


def test_head_is_as_asked(sequential: keras.Model) -> None:
    assert sequential.get_layer("hidden").units == UNITS
    assert sequential.get_layer("dropout").rate == DROPOUT
    assert sequential.get_layer("probabilities").units == len(CLASS_NAMES)


def test_seed_decides_the_head(sequential: keras.Model) -> None:
    for seed, equal in ((0, True), (1, False)):
        head = Head(len(CLASS_NAMES), UNITS, DROPOUT, seed)
        kernel = build_architecture("sequential", BACKBONES, IMAGE_SIZE, head).get_layer("hidden").kernel
        assert np.array_equal(kernel, np.asarray(sequential.get_layer("hidden").kernel)) is equal
