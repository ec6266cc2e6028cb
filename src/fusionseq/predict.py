"""Classify images with a trained model: `python -m fusionseq.predict MODEL IMAGE...`."""

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fusionseq.console import run_checked
from fusionseq.errors import PipelineError
from fusionseq.model_files import build_model, read_card, read_model_weights
from fusionseq.preprocessing import decode_image


def predict(folder: Path, images: list[Path]) -> tuple[list[str], NDArray[np.float32]]:
    """Classify images with a trained model, built whole.

    Parameters
    ----------
    folder
        A trained model, such as data/models/fusion/0.
    images
        Image files.

    Returns
    -------
    class_names
        Names of the classes.
    probabilities
        float32 of shape (len(images), num_classes).

    Raises
    ------
    PipelineError
        The folder holds no model, or a file no image.
    """
    card = read_card(folder)
    pixels = np.stack([decode_image(_read(image), card.image_size, str(image)) for image in images])
    model = build_model(card)
    read_model_weights(folder, model)
    return list(card.class_names), model.predict(pixels, verbose=0)


def _read(image: Path) -> bytes:
    try:
        return image.read_bytes()
    except OSError as error:
        raise PipelineError(f"{image}: cannot be read ({error.strerror}); name an image file.") from error


def main() -> None:
    """Print the most probable class of each image, and its probability."""
    parser = argparse.ArgumentParser(description="Classify images with a trained model.")
    parser.add_argument("model", type=Path, help="folder of a trained model, such as data/models/fusion/0")
    parser.add_argument("images", type=Path, nargs="+", metavar="image", help="image file")
    arguments = parser.parse_args()

    def run() -> None:
        class_names, probabilities = predict(arguments.model, arguments.images)
        for image, of_image in zip(arguments.images, probabilities, strict=True):
            print(f"{image}: {class_names[of_image.argmax()]} {of_image.max():.4f}")

    run_checked(run)


if __name__ == "__main__":
    main()
