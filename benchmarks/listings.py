"""The source paper's two listings as a reader would run them: the frozen backbones are part of the training graph.

The rival of `make bench`, and what the tests of equivalence train. Only what the listings leave open is filled in: the
seeds, the image size, where fine-tuning begins, and that BatchNormalization stays in inference mode.

Source: the source paper, Listings 1 and 2, Sections 5 and 8.
"""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from fusionseq.training_sections import TrainingParams

PREPROCESSING = {
    "mobilenetv2": keras.applications.mobilenet_v2.preprocess_input,
    "vgg16": keras.applications.vgg16.preprocess_input,
}


def build_fusion_listing(image_size: int, num_classes: int, seed: int) -> keras.Model:
    """Build Listing 1: one input for each backbone."""
    shape = (image_size, image_size, 3)
    mobilenet = keras.applications.MobileNetV2(include_top=False, weights=None, input_shape=shape)
    vgg = keras.applications.VGG16(include_top=False, weights=None, input_shape=shape)
    x1 = keras.layers.GlobalAveragePooling2D()(mobilenet.output)
    x2 = keras.layers.GlobalAveragePooling2D()(vgg.output)
    x = keras.layers.concatenate([x1, x2])
    return keras.Model(inputs=[mobilenet.input, vgg.input], outputs=_add_head(x, num_classes, seed))


def build_sequential_listing(image_size: int, num_classes: int, seed: int) -> keras.Model:
    """Build Listing 2."""
    shape = (image_size, image_size, 3)
    base_model = keras.applications.MobileNetV2(include_top=False, weights=None, input_shape=shape)
    x = keras.layers.GlobalAveragePooling2D()(base_model.output)
    return keras.Model(inputs=[base_model.input], outputs=_add_head(x, num_classes, seed))


def preprocess(images: NDArray[np.uint8], names: list[str]) -> tuple[NDArray[np.float32], ...]:
    """Turn pixels into what each backbone expects, as Section 5 has it: by `tf.data`, before the model."""
    pixels = tf.data.Dataset.from_tensor_slices(images).batch(len(images)).map(lambda batch: tf.cast(batch, "float32"))
    return tuple(next(iter(pixels.map(PREPROCESSING[name]))).numpy() for name in names)


def copy_weights(source: keras.Model, listing: keras.Model) -> None:
    """Give a listing the weights of another model, layer by layer of the same name."""
    for layer in listing.layers:
        if layer.weights:
            layer.set_weights(source.get_layer(layer.name).get_weights())


def train_listing(
    listing: keras.Model,
    data: Any,
    validation_data: Any,
    first_trained_layers: Mapping[str, str],
    training: TrainingParams,
    callbacks: list[keras.callbacks.Callback],
) -> dict[str, list[float]]:
    """Train a listing in both phases; the history of `fit` over both."""
    head = {"hidden", "dropout", "probabilities"}
    tuned = head | _list_tuned(listing, set(first_trained_layers.values()))
    history: dict[str, list[float]] = {}
    epochs = 0
    for trained, settings in ((head, training.frozen), (tuned, training.fine_tuning)):
        for layer in listing.layers:
            layer.trainable = layer.name in trained and not isinstance(layer, keras.layers.BatchNormalization)
        listing.compile(
            keras.optimizers.Adam(settings.learning_rate),
            loss="sparse_categorical_crossentropy",
            metrics=["accuracy"],
            jit_compile=False,
        )
        logs = listing.fit(
            data,
            validation_data=validation_data,
            initial_epoch=epochs,
            epochs=epochs + settings.epochs,
            callbacks=callbacks,
            shuffle=False,
            verbose=0,
        ).history
        epochs += settings.epochs
        history = {name: history.get(name, []) + values for name, values in logs.items()}
    return history


def _add_head(x: keras.KerasTensor, num_classes: int, seed: int) -> keras.KerasTensor:
    initializer = keras.initializers.GlorotUniform(seed)
    x = keras.layers.Dense(256, activation="relu", kernel_initializer=initializer, name="hidden")(x)
    x = keras.layers.Dropout(0.5, seed=seed, name="dropout")(x)
    return keras.layers.Dense(num_classes, activation="softmax", kernel_initializer=initializer, name="probabilities")(
        x
    )


def _list_tuned(listing: keras.Model, cuts: set[str]) -> set[str]:
    """Name the first trained layer of each backbone and all that depends on it."""
    reached: set[str] = set()
    for layer in listing.layers:
        inputs = layer.input if isinstance(layer.input, list) else [layer.input]
        if layer.name in cuts or any(tensor._keras_history.operation.name in reached for tensor in inputs):
            reached.add(layer.name)
    return reached
