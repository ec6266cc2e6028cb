import json
import resource
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
import pytest
import tensorflow as tf
from numpy.typing import NDArray

from fusionseq.errors import PipelineError
from fusionseq.export_formats import Format
from fusionseq.exporting import export_model, open_exported

CLASS_NAMES = ('cat, "wild"', "two\nlines", "Größe 猫")
SIZE = 8
ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def model() -> keras.Model:
    """From pixels to probabilities, with batch normalization and dropout, which training and inference differ in."""
    image = keras.Input((SIZE, SIZE, 3), dtype="uint8", name="image")
    x = keras.layers.Rescaling(1 / 127.5, offset=-1.0)(image)
    x = keras.layers.Conv2D(64, 3, padding="same", kernel_initializer=keras.initializers.HeNormal(0))(x)
    x = keras.layers.BatchNormalization(moving_mean_initializer="ones")(x)
    x = keras.layers.Dropout(0.5)(keras.layers.GlobalAveragePooling2D()(x))
    initializer = keras.initializers.HeNormal(1)
    x = keras.layers.Dense(len(CLASS_NAMES), activation="softmax", kernel_initializer=initializer)(x)
    return keras.Model(image, x, name="small")


@pytest.fixture(scope="module")
def exported(model: keras.Model, tmp_path_factory: pytest.TempPathFactory) -> dict[Format, Path]:
    folder = tmp_path_factory.mktemp("exported")
    for of_format in Format:
        export_model(folder / of_format.file_name, model, CLASS_NAMES, of_format)
    return {of_format: folder / of_format.file_name for of_format in Format}


def draw_images(num_images: int) -> NDArray[np.uint8]:
    return np.random.default_rng(num_images).integers(0, 256, (num_images, SIZE, SIZE, 3), dtype=np.uint8)


def read_files(path: Path) -> list[bytes]:
    return [file.read_bytes() for file in (path, *path.rglob("*")) if file.is_file()]


@pytest.mark.parametrize("of_format", list(Format))
def test_batches_of_any_size_get_the_probabilities_of_keras(
    exported: dict[Format, Path], model: keras.Model, of_format: Format
) -> None:
    opened = open_exported(exported[of_format], of_format, threads=2)
    for images in map(draw_images, (1, 2, 33)):
        found = opened.predict(images)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, model.predict_on_batch(images), rtol=0, atol=1e-6)
        assert np.ptp(found) > 0.1


@pytest.mark.parametrize("of_format", list(Format))
def test_classes_are_named_in_the_files(exported: dict[Format, Path], of_format: Format) -> None:
    assert open_exported(exported[of_format], of_format, threads=1).class_names == CLASS_NAMES


@pytest.mark.parametrize("of_format", list(Format))
def test_files_tell_nothing_of_the_machine(exported: dict[Format, Path], of_format: Format) -> None:
    path = exported[of_format]
    telling = [ROOT, path.parent, Path(keras.__file__).parent, Path.home() / "", "/site-packages/", __name__]
    for content in read_files(path):
        assert not [word for word in telling if str(word).encode() in content]


def test_onnx_can_be_read_by_its_names(exported: dict[Format, Path]) -> None:
    read = onnx.load(exported[Format.ONNX])
    onnx.checker.check_model(read, full_check=True)
    (entry,), (result,) = read.graph.input, read.graph.output
    assert (entry.name, result.name) == ("images", "probabilities")
    assert entry.type.tensor_type.elem_type == onnx.TensorProto.UINT8
    sizes: list[Any] = [axis.dim_param or axis.dim_value for axis in entry.type.tensor_type.shape.dim]
    assert sizes == ["batch", SIZE, SIZE, 3]
    assert {entry.key: json.loads(entry.value) for entry in read.metadata_props} == {"class_names": list(CLASS_NAMES)}


def test_a_saved_model_serves_by_name(exported: dict[Format, Path]) -> None:
    signatures = tf.saved_model.load(exported[Format.SAVED_MODEL]).signatures
    assert set(signatures) == {"serve", "serving_default", "class_names"}
    default = signatures["serving_default"]
    assert default.structured_input_signature[1]["images"] == tf.TensorSpec((None, SIZE, SIZE, 3), tf.uint8, "images")
    # Nothing without a batch axis, which TensorFlow Serving would refuse to split into rows.
    assert set(default.structured_outputs) == {"probabilities"}


def test_a_saved_model_stores_each_weight_once(exported: dict[Format, Path], model: keras.Model) -> None:
    kernel = next(layer for layer in model.layers if layer.name.startswith("conv2d")).kernel.numpy().tobytes()
    assert [content.count(kernel) for content in read_files(exported[Format.SAVED_MODEL]) if kernel in content] == [1]


@pytest.fixture
def small_files() -> Iterator[None]:
    """No file may grow as large as the weights: what a full disk refuses, without one."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2048, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.mark.parametrize("of_format", list(Format))
def test_a_disk_that_refuses_is_one_error(
    model: keras.Model, tmp_path: Path, of_format: Format, small_files: None
) -> None:
    with pytest.raises(
        PipelineError, match=rf"{of_format.file_name} cannot be written or read again \(File too large\)"
    ):
        export_model(tmp_path / of_format.file_name, model, CLASS_NAMES, of_format)
