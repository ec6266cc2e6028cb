from collections.abc import Mapping

import keras
import numpy as np
import pytest
from conftest import CUTS, IMAGE_SIZE, Experiment
from numpy.typing import NDArray

from fusionseq.features import extract_features
from fusionseq.forward import narrow
from fusionseq.models.backbones import build_pooled
from fusionseq.models.cutting import get_frozen
from fusionseq.prediction import CutModel
from fusionseq.weight_files import read_backbones

# More rows than two batches hold, out of order, some of them twice.
ROWS = np.random.default_rng(0).integers(0, 20, 70)


def predict_alone(cut_model: CutModel, images: NDArray[np.uint8], rows: NDArray[np.int64]) -> NDArray[np.float32]:
    """Predict each image by itself, as a person does who has but one."""
    return np.concatenate([cut_model.predict_images(images[row : row + 1]) for row in rows])


def compute_features(experiment: Experiment, cuts: Mapping[str, str]) -> dict[str, NDArray[np.float32]]:
    """Features as the stage of that name computes them: from one backbone after the other."""
    features: dict[str, NDArray[np.float32]] = {}
    for name, layer in cuts.items():
        backbone = build_pooled(name, IMAGE_SIZE)
        read_backbones(experiment.backbones, backbone)
        rows = list(extract_features(get_frozen(backbone, layer, name), experiment.images))
        features |= {key: np.stack([row[key] for row in rows]) for key in rows[0]}
    return features


@pytest.mark.parametrize("architecture", ["fusion", "sequential", "stacked", "vgg16"])
def test_images_are_predicted_as_their_stored_features_are(experiment: Experiment, architecture: str) -> None:
    model = experiment.build(architecture)
    cut_model = CutModel(model, CUTS, "float32")
    of_features = cut_model.predict_rows(experiment.of_model(model), ROWS)
    assert of_features.dtype == np.float32
    assert np.ptp(of_features, axis=0).max() > 0.01
    np.testing.assert_array_equal(cut_model.predict_rows(experiment.images, ROWS), of_features)
    np.testing.assert_array_equal(predict_alone(cut_model, experiment.images, ROWS[:7]), of_features[:7])
    # The whole model, of which the parts are parts.
    whole = model.predict(experiment.images, verbose=0)[ROWS]
    np.testing.assert_allclose(of_features, whole, rtol=1e-5, atol=1e-7)


def test_images_are_rounded_at_the_cut_as_stored_features_were(experiment: Experiment, fusion: keras.Model) -> None:
    stored = {name: narrow(values, "float16") for name, values in experiment.features.items()}
    cut_model = CutModel(fusion, CUTS, "float16")
    of_features = cut_model.predict_rows(stored, ROWS)
    np.testing.assert_array_equal(cut_model.predict_rows(experiment.images, ROWS), of_features)
    np.testing.assert_array_equal(predict_alone(cut_model, experiment.images, ROWS[:7]), of_features[:7])
    assert (of_features != CutModel(fusion, CUTS, "float32").predict_rows(experiment.images, ROWS)).any()


# Behind a convolution, an activation, a normalization, a sum and pooling.
@pytest.mark.parametrize(
    "cuts",
    [
        {"mobilenetv2": "block_1_expand", "vgg16": "block1_conv2"},
        {"mobilenetv2": "block_6_expand", "vgg16": "block3_conv1"},
        {"mobilenetv2": "Conv_1", "vgg16": "block5_conv2"},
    ],
    ids=lambda cuts: "-".join(cuts.values()),
)
def test_it_does_not_matter_where_the_cut_is(
    experiment: Experiment, fusion: keras.Model, cuts: Mapping[str, str]
) -> None:
    cut_model = CutModel(fusion, cuts, "float32")
    of_features = cut_model.predict_rows(compute_features(experiment, cuts), ROWS)
    np.testing.assert_array_equal(cut_model.predict_rows(experiment.images, ROWS), of_features)
    np.testing.assert_array_equal(predict_alone(cut_model, experiment.images, ROWS[:3]), of_features[:3])


def test_weights_may_be_loaded_later(experiment: Experiment) -> None:
    model = experiment.build("sequential")
    cut_model = CutModel(model, CUTS, "float32")
    before = cut_model.predict_rows(experiment.images, ROWS[:5])
    kernel = model.get_layer("probabilities").kernel
    kernel.assign(-kernel)
    assert (cut_model.predict_rows(experiment.images, ROWS[:5]) != before).all()
