import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from fusionseq.models.normalization import ExactBatchNormalization, make_exact

CHANNELS = 64


def make_layer(kind: type[keras.layers.BatchNormalization], **options: bool) -> keras.layers.BatchNormalization:
    layer = kind(**options)
    layer.build((None, 2, 2, CHANNELS))
    rng = np.random.default_rng(0)
    layer.set_weights([rng.uniform(0.1, 3, weight.shape).astype(np.float32) for weight in layer.weights])
    return layer


def make_inputs() -> NDArray[np.float32]:
    return np.random.default_rng(1).normal(size=(9, 2, 2, CHANNELS)).astype(np.float32)


def predict(layer: keras.Layer, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
    """Compute in a graph, which TensorFlow optimizes."""
    image = keras.Input(inputs.shape[1:], dtype=inputs.dtype)
    return np.asarray(keras.Model(image, layer(image)).predict_on_batch(inputs))


@pytest.mark.parametrize("options", [{}, {"scale": False}, {"center": False}], ids=str)
def test_inference_is_rounded_as_ieee_754_has_it(options: dict[str, bool]) -> None:
    layer, inputs = make_layer(ExactBatchNormalization, **options), make_inputs()
    mean, variance = layer.moving_mean.numpy(), layer.moving_variance.numpy() + np.float32(layer.epsilon)
    # NumPy computes each of these without an estimate.
    factor = np.sqrt(variance) / variance
    factor *= layer.gamma.numpy() if layer.scale else 1
    offset = -mean * factor + (layer.beta.numpy() if layer.center else 0)
    assert factor.dtype == offset.dtype == np.float32
    np.testing.assert_array_equal(predict(layer, inputs), inputs * factor + offset)
    stock = predict(make_layer(keras.layers.BatchNormalization, **options), inputs)
    np.testing.assert_allclose(inputs * factor + offset, stock, rtol=1e-5, atol=1e-5)


def test_the_rounding_of_keras_is_another() -> None:
    inputs = make_inputs()
    exact, stock = (
        predict(make_layer(kind), inputs) for kind in (ExactBatchNormalization, keras.layers.BatchNormalization)
    )
    assert (exact != stock).any(), "then Keras's own layer would do"


def test_half_precision_computes_in_float32() -> None:
    layer = ExactBatchNormalization(dtype="mixed_float16")
    layer.build((None, 1))
    layer.set_weights([np.full(1, value, np.float32) for value in (1, 0, 0, 1e6)])
    outputs = predict(layer, np.full((2, 1), 6e4, np.float16))
    assert outputs.dtype == np.float16
    np.testing.assert_array_equal(outputs, np.float16(60))


@pytest.mark.parametrize("is_trainable", [True, False])
def test_training_is_that_of_keras(is_trainable: bool) -> None:
    inputs, layers = make_inputs(), [make_layer(ExactBatchNormalization), make_layer(keras.layers.BatchNormalization)]
    for layer in layers:
        layer.trainable = is_trainable
    exact, stock = (np.asarray(layer(inputs, training=True)) for layer in layers)
    np.testing.assert_allclose(exact, stock, rtol=1e-5, atol=1e-5)
    for first, second in zip(*(layer.get_weights() for layer in layers), strict=True):
        np.testing.assert_array_equal(first, second)
    assert np.allclose(exact.mean(axis=(0, 1, 2)), layers[0].beta.numpy(), atol=1e-5) == is_trainable


def test_a_layer_becomes_exact_where_it_is() -> None:
    image = keras.Input((2, 2, CHANNELS))
    layer, other = make_layer(keras.layers.BatchNormalization), keras.layers.ReLU()
    model = keras.Model(image, other(layer(image)))
    for each in model.layers:
        make_exact(each)
    assert type(layer) is ExactBatchNormalization
    assert type(other) is keras.layers.ReLU
    expected = np.maximum(predict(make_layer(ExactBatchNormalization), make_inputs()), 0)
    np.testing.assert_array_equal(model.predict_on_batch(make_inputs()), expected)
