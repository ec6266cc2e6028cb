from collections.abc import Iterator

import keras
import numpy as np
import pytest
from conftest import CUTS, Experiment
from numpy.typing import NDArray

from fusionseq.features import extract_features, select_inputs
from fusionseq.models.cutting import get_frozen, get_frozen_phase

pytestmark = pytest.mark.usefixtures("runtime")


@pytest.fixture(scope="module")
def small_model() -> keras.Model:
    """Two outputs of different shapes, easily computed by hand."""
    image = keras.Input((4, 4, 3), dtype="uint8")
    cut = keras.layers.Rescaling(2.0)(image)
    return keras.Model(image, {"cut": cut, "pooled": keras.layers.GlobalAveragePooling2D()(cut)})


def draw(num_images: int) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (num_images, 4, 4, 3)).astype(np.uint8)


@pytest.mark.parametrize("num_images", [1, 64, 65, 150])
def test_every_image_gets_its_own_features_in_order(small_model: keras.Model, num_images: int) -> None:
    images = draw(num_images)
    rows = list(extract_features(small_model, images))
    assert len(rows) == num_images
    for image, row in zip(images, rows, strict=True):
        assert set(row) == {"cut", "pooled"}
        assert row["cut"].dtype == np.float32
        np.testing.assert_array_equal(row["cut"], image * np.float32(2))
        np.testing.assert_allclose(row["pooled"], image.mean(axis=(0, 1)) * 2, rtol=1e-5)


def test_images_are_read_as_their_features_are_asked_for(small_model: keras.Model) -> None:
    features = extract_features(small_model, draw(3))
    assert isinstance(features, Iterator)
    next(features)
    assert len(list(features)) == 2


def test_no_images_give_no_features(small_model: keras.Model) -> None:
    assert list(extract_features(small_model, draw(0))) == []


def test_features_are_what_the_frozen_layers_say(experiment: Experiment, sequential: keras.Model) -> None:
    frozen = get_frozen(sequential, CUTS["mobilenetv2"], "mobilenetv2")
    expected = frozen(experiment.images[:3], training=False)
    for name in ("mobilenetv2/cut", "mobilenetv2/pooled"):
        np.testing.assert_allclose(experiment.features[name][:3], np.asarray(expected[name]), rtol=1e-3, atol=1e-3)
    assert experiment.features["mobilenetv2/cut"].std() > 0.1


def test_a_part_is_given_what_it_takes_in_its_order(experiment: Experiment, fusion: keras.Model) -> None:
    phase = get_frozen_phase(fusion)
    backwards = dict(reversed(list(experiment.features.items())))
    part, arrays = select_inputs(fusion, phase, backwards)
    assert part is phase.part
    assert [array.shape[1] for array in arrays] == [1280, 512]


def test_images_are_given_to_the_whole(experiment: Experiment, fusion: keras.Model) -> None:
    part, arrays = select_inputs(fusion, get_frozen_phase(fusion), experiment.images)
    assert [tensor.shape for tensor in part.inputs] == [fusion.input_shape]
    assert arrays[0] is experiment.images
