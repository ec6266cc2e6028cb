import keras
import numpy as np
import pytest
from conftest import CUTS, Experiment

from fusionseq.features import select_fine_tuning
from fusionseq.models.cutting import get_tail, list_backbones
from fusionseq.prediction import predict_rows


@pytest.mark.parametrize("architecture", ["fusion", "sequential"])
def test_rows_are_predicted_as_the_whole_model_predicts_their_images(
    experiment: Experiment, request: pytest.FixtureRequest, architecture: str
) -> None:
    model: keras.Model = request.getfixturevalue(architecture)
    activations = [experiment.features[name].cut for name in list_backbones(model)]
    # More rows than one batch holds, out of order, some of them twice.
    rows = np.random.default_rng(0).integers(0, len(experiment.images), 150)
    probabilities = predict_rows(get_tail(model, CUTS), activations, rows)
    expected = np.asarray(model(experiment.images, training=False))[rows]
    assert np.ptp(expected, axis=0).max() > 0.01
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities, expected, rtol=1e-4, atol=1e-6)


def test_same_rows_are_predicted_the_same_again(experiment: Experiment, sequential: keras.Model) -> None:
    tail = get_tail(sequential, CUTS)
    activations = [experiment.features["mobilenetv2"].cut]
    first, second = (predict_rows(tail, activations, np.arange(7)) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_images_are_predicted_as_their_activations_are(experiment: Experiment, fusion: keras.Model) -> None:
    rows = np.array([3, 0, 11])
    of_cut, of_images = (
        predict_rows(*select_fine_tuning(fusion, CUTS, inputs), rows)
        for inputs in (experiment.of_model(fusion), experiment.images)
    )
    np.testing.assert_allclose(of_cut, of_images, rtol=1e-4, atol=1e-6)
    assert np.ptp(of_images, axis=0).max() > 0.01
