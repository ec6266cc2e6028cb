"""Trained models as files that run without this package, from raw pixels to named probabilities."""

import json
import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from fusionseq.errors import PipelineError
from fusionseq.export_formats import CLASS_NAMES, INPUT, OUTPUT, Format


@dataclass(frozen=True)
class Exported:
    """An exported model, read from its files alone.

    Attributes
    ----------
    class_names
        As the files tell them.
    predict
        Takes uint8 of shape (num_images, image_size, image_size, 3), RGB, and gives probabilities of shape
        (num_images, num_classes).
    """

    class_names: tuple[str, ...]
    predict: Callable[[NDArray[np.uint8]], NDArray[np.float32]]


def export_model(path: Path, model: keras.Model, class_names: Sequence[str], export_format: Format) -> None:
    """Write a model in a format.

    Parameters
    ----------
    path
        File or folder to write, in a folder that exists.
    model
        From images to probabilities. Its dtype policy must be "float32".
    class_names
        In the order of the probabilities.
    export_format
        Which one.

    Raises
    ------
    PipelineError
        The files cannot be written.
    """
    # What they report of each of their steps tells a person nothing, warnings of names that they change included.
    for name in ("tensorflow", "tf2onnx"):
        logging.getLogger(name).setLevel(logging.ERROR)
    with _explaining(path):
        {Format.ONNX: _write_onnx, Format.SAVED_MODEL: _write_saved_model}[export_format](path, model, class_names)


def open_exported(path: Path, export_format: Format, threads: int) -> Exported:
    """Read a model that was exported; ONNX Runtime computes on this number of threads.

    Raises
    ------
    PipelineError
        The files cannot be read.
    """
    with _explaining(path):
        return _open_onnx(path, threads) if export_format is Format.ONNX else _open_saved_model(path)


def _write_saved_model(path: Path, model: keras.Model, class_names: Sequence[str]) -> None:
    # Not `model.export`, which stores each weight twice, and has no names.
    archive = keras.export.ExportArchive()
    names = list(class_names)
    archive.add_endpoint(
        "serve", lambda images: {OUTPUT: model(images, training=False)}, input_signature=[_specify(model)]
    )
    archive.add_endpoint(CLASS_NAMES, lambda: {CLASS_NAMES: tf.constant(names)}, input_signature=[])
    # Traces of where each operation was made name folders of this machine.
    archive.write_out(path, options=tf.saved_model.SaveOptions(save_debug_info=False), verbose=False)


def _open_saved_model(path: Path) -> Exported:
    signatures = tf.saved_model.load(path).signatures
    names = signatures[CLASS_NAMES]()[CLASS_NAMES].numpy()
    serve = signatures["serving_default"]

    def predict(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        probabilities: NDArray[np.float32] = serve(**{INPUT: tf.constant(images)})[OUTPUT].numpy()
        return probabilities

    return Exported(tuple(name.decode() for name in names), predict)


def _write_onnx(path: Path, model: keras.Model, class_names: Sequence[str]) -> None:
    import onnx

    named = keras.Model(model.inputs, {OUTPUT: model.outputs[0]}, name=model.name)
    with warnings.catch_warnings():
        # Keras looks whether NumPy still has `np.object`, of which NumPy has something to say.
        warnings.filterwarnings("ignore", r".*`np\.object`", FutureWarning)
        named.export(str(path), format="onnx", verbose=False, input_signature=[_specify(model)])
    converted = onnx.load(path)
    converted.graph.name = model.name
    for value in (*converted.graph.input, *converted.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "batch"
    onnx.helper.set_model_props(converted, {CLASS_NAMES: json.dumps(list(class_names), ensure_ascii=False)})
    onnx.checker.check_model(converted, full_check=True)
    onnx.save(converted, path)


def _open_onnx(path: Path, threads: int) -> Exported:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    names = json.loads(session.get_modelmeta().custom_metadata_map[CLASS_NAMES])

    def predict(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        probabilities: NDArray[np.float32] = session.run([OUTPUT], {INPUT: images})[0]
        return probabilities

    return Exported(tuple(names), predict)


def _specify(model: keras.Model) -> tf.TensorSpec:
    return tf.TensorSpec((None, *model.input_shape[1:]), tf.uint8, name=INPUT)


@contextmanager
def _explaining(path: Path) -> Iterator[None]:
    """Turn what a disk refuses into one line. TensorFlow writes by itself, and has errors of its own."""
    try:
        yield
    except (OSError, tf.errors.OpError) as error:
        # TensorFlow names the file before, and the operation before and after.
        said = error.strerror if isinstance(error, OSError) else error.message.rpartition("; ")[2].partition(" [Op:")[0]
        raise PipelineError(
            f"{path.name} cannot be written or read again ({' '.join(str(said).split())[:200]}); make room, or name "
            "a folder on another disk after --output."
        ) from error
