"""Classify images with a trained model: `python -m fusionseq.predict MODEL IMAGE_OR_FOLDER...`.

The probabilities are those that the pipeline itself predicts for the same image, bit for bit on the same machine.
"""

import argparse
import shutil
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import redirect_stdout
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
from numpy.typing import NDArray

from fusionseq.artifacts import write_table
from fusionseq.console import logger, run_checked
from fusionseq.errors import PipelineError
from fusionseq.image_files import find_images
from fusionseq.named_inputs import OnBadImage, check_model_folder, decode_files

if TYPE_CHECKING:
    from fusionseq.prediction import CutModel


def predict(
    folder: Path, paths: Sequence[Path], on_bad_image: OnBadImage
) -> tuple[tuple[str, ...], Iterator[tuple[Path, NDArray[np.float32]]]]:
    """Load a trained model, and classify images with it, a batch at a time.

    Parameters
    ----------
    folder
        A trained model, such as data/models/fusion/0.
    paths
        Image files.
    on_bad_image
        Whether an image that cannot be decoded stops everything, or is left out and named on standard error.

    Returns
    -------
    class_names
        Names of the classes.
    predictions
        Each image and its probabilities, of shape (num_classes,), computed as they are asked for.

    Raises
    ------
    PipelineError
        The model, an image or, in the end, each of the images cannot be read.
    """
    # TensorFlow takes seconds to import.
    from fusionseq.model_files import build_model, read_card, read_conditions, read_model_weights
    from fusionseq.prediction import CutModel
    from fusionseq.runtime import configure_runtime

    card, conditions = read_card(folder), read_conditions(folder)
    configure_runtime(conditions.threads, conditions.precision, conditions.deterministic)
    model = build_model(card)
    read_model_weights(folder, model)
    cut_model = CutModel(model, card.first_trained_layer, conditions.cut_dtype)
    images = decode_files(paths, card.image_size, on_bad_image, "predict")
    return card.class_names, _predict_batches(cut_model, images, len(paths))


def _predict_batches(
    cut_model: "CutModel", images: Iterator[tuple[Path, NDArray[np.uint8]]], num_files: int
) -> Iterator[tuple[Path, NDArray[np.float32]]]:
    from fusionseq.forward import BATCH_SIZE

    num_good = 0
    while batch := list(islice(images, BATCH_SIZE)):
        num_good += len(batch)
        paths, pixels = zip(*batch, strict=True)
        yield from zip(paths, cut_model.predict_images(np.stack(pixels)), strict=True)
    if not num_good:
        raise PipelineError("no image is left that can be decoded; name others.")
    logger.info("predict: %d images, %d left out", num_good, num_files - num_good)


def write_predictions(
    folder: Path, named: Sequence[Path], output: Path | None, on_bad_image: OnBadImage, standard_output: BinaryIO
) -> None:
    """Classify images, and write the predicted class and all probabilities of each as CSV, whole or not at all."""
    check_model_folder(folder)
    if output is not None and output.is_dir():
        raise PipelineError(f"{output} is a folder; name a file after --output.")
    class_names, predictions = predict(folder, find_images(named), on_bad_image)
    from fusionseq.tables import format_exactly

    rows = ((path, class_names[values.argmax()], *format_exactly(values)) for path, values in predictions)
    try:
        with TemporaryDirectory() as temporary:
            table = output or Path(temporary, "predictions.csv")
            write_table(table, ("image", "predicted", *class_names), rows)
            if output is None:
                with table.open("rb") as file:
                    shutil.copyfileobj(file, standard_output)
                standard_output.flush()
    except OSError as error:
        raise PipelineError(
            f"{output or 'standard output'} cannot be written ({error.strerror}); name another file after --output."
        ) from error


def main() -> None:
    """Classify the images that the command line names."""
    parser = argparse.ArgumentParser(
        prog="python -m fusionseq.predict",
        description="Classify images with a trained model, and write the predicted class and all probabilities as CSV.",
    )
    parser.add_argument("model", type=Path, help="folder of a trained model, such as data/models/fusion/0")
    parser.add_argument(
        "images", type=Path, nargs="+", metavar="image", help="image, or folder of which every file is classified"
    )
    parser.add_argument("--output", type=Path, metavar="FILE", help="where to write; without it, standard output")
    parser.add_argument(
        "--on-bad-image",
        choices=("error", "skip"),
        default="error",
        help="stop at a file that is no image (the default), or leave it out and say so",
    )
    arguments = parser.parse_args()
    table = sys.stdout.buffer
    # Progress and log lines must not get into the table.
    with redirect_stdout(sys.stderr):
        run_checked(
            lambda: write_predictions(
                arguments.model, arguments.images, arguments.output, arguments.on_bad_image, table
            )
        )


if __name__ == "__main__":
    # Who reads standard output may stop before its end, as `head` does.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    main()
