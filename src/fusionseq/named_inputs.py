"""What a person names to a command that runs a trained model: the folder of the model, and images."""

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fusionseq.console import track
from fusionseq.errors import BadImageError, PipelineError
from fusionseq.image_files import read_image
from fusionseq.preprocessing import resize_images

OnBadImage = Literal["error", "skip"]


def check_model_folder(folder: Path) -> None:
    """Refuse what is no folder of a trained model, before TensorFlow takes its seconds to import."""
    if not os.access(folder / "model.json", os.R_OK):
        raise PipelineError(
            f"{folder} holds no model.json that can be read; name the folder of a trained model, such as "
            "data/models/fusion/0, which `dvc repro` makes."
        )


def decode_files(
    paths: Sequence[Path], image_size: int, on_bad_image: OnBadImage, command: str
) -> Iterator[tuple[Path, NDArray[np.uint8]]]:
    """Decode and resize images as the pipeline does, one after the other.

    Parameters
    ----------
    paths
        Image files.
    image_size
        Height and width of the results in pixels.
    on_bad_image
        Whether an image that cannot be decoded stops everything, or is left out and named on standard error.
    command
        What its progress is called.

    Yields
    ------
    tuple
        Each image that can be decoded, and its pixels: uint8 of shape (image_size, image_size, 3), RGB.

    Raises
    ------
    PipelineError
        An image cannot be decoded.
    """
    unread: dict[Path, BadImageError] = {}

    def read(path: Path) -> bytes:
        try:
            return read_image(path, str(path))
        except BadImageError as error:
            unread[path] = error
            return b""

    decoded = resize_images(map(read, paths), map(str, paths), image_size)
    for path, of_path in zip(paths, track(decoded, command, len(paths)), strict=True):
        image = unread.pop(path, of_path)
        if not isinstance(image, BadImageError):
            yield path, image
            continue
        name = str(path).replace("\n", "\\n")
        if on_bad_image == "error":
            raise PipelineError(
                f"{name}: is not an image that can be decoded ({image.reason}); repair or remove it, or add "
                "--on-bad-image skip."
            ) from image
        print(f"{name}: left out ({image.reason}).", file=sys.stderr)
