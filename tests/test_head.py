import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from fusionseq.models.head import Head, build_head

pytestmark = pytest.mark.usefixtures("runtime")


def build(num_features: int = 8, units: int = 16, dropout: float = 0.5, seed: int = 0) -> keras.Model:
    features = keras.Input((num_features,))
    return keras.Model(features, build_head(features, Head(3, units, dropout, seed)))


def draw(num_features: int = 8) -> NDArray[np.float32]:
    return np.random.default_rng(0).normal(size=(6, num_features)).astype(np.float32)


@pytest.mark.parametrize(("num_features", "parameters"), [(1280 + 512, 459_008), (1280, 327_936)])
def test_hidden_layer_has_the_parameters_of_the_paper(num_features: int, parameters: int) -> None:
    assert build(num_features, units=256).get_layer("hidden").count_params() == parameters


def test_layers_are_hidden_dropout_and_softmax() -> None:
    model = build()
    assert [layer.name for layer in model.layers[1:]] == ["hidden", "dropout", "probabilities"]
    hidden = model.get_layer("hidden")
    activations = np.asarray(keras.Model(model.input, hidden.output)(draw()))
    np.testing.assert_allclose(activations, np.maximum(draw() @ np.asarray(hidden.kernel), 0), atol=1e-5)


def test_outputs_are_probabilities() -> None:
    probabilities = np.asarray(build()(draw()))
    assert probabilities.dtype == np.float32
    assert probabilities.shape == (6, 3)
    assert (probabilities > 0).all()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)


def test_equal_seeds_give_equal_weights_and_other_seeds_others() -> None:
    for name in ("hidden", "probabilities"):
        kernels = [np.asarray(build(seed=seed).get_layer(name).kernel) for seed in (0, 0, 1, 2**32 - 1)]
        np.testing.assert_array_equal(kernels[0], kernels[1])
        assert all((kernels[0] != other).any() for other in kernels[2:])


def test_equal_seeds_give_equal_dropout_and_other_seeds_other() -> None:
    ones = np.ones((4, 64), dtype=np.float32)
    masks = [np.asarray(build(units=64, seed=seed).get_layer("dropout")(ones, training=True)) for seed in (5, 5, 6)]
    np.testing.assert_array_equal(masks[0], masks[1])
    assert (masks[0] != masks[2]).any()


@pytest.mark.parametrize("dropout", [0.0, 0.25, 0.5])
def test_share_of_the_hidden_layer_is_dropped_in_training_alone(dropout: float) -> None:
    layer = build(units=1000, dropout=dropout).get_layer("dropout")
    ones = np.ones((10, 1000), dtype=np.float32)
    np.testing.assert_array_equal(np.asarray(layer(ones, training=False)), ones)
    dropped = np.asarray(layer(ones, training=True))
    assert (dropped == 0).mean() == pytest.approx(dropout, abs=0.03)
    np.testing.assert_allclose(dropped[dropped > 0], 1 / (1 - dropout), rtol=1e-6)
