"""Export a trained model to run without this package: `python -m fusionseq.export data/models/fusion/0`.

It writes the model as ONNX and as a SavedModel, each from raw pixels to named probabilities, and a model card. Right
after, each is read again from its files, and held against Keras on real images.
"""

import argparse
import os
import signal
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import numpy as np
from numpy.typing import NDArray

from fusionseq.agreement import MAX_DIFFERENCE, Agreement
from fusionseq.artifacts import write_text
from fusionseq.console import logger, run_checked
from fusionseq.errors import PipelineError
from fusionseq.export_folder import check_output, replacing_folder
from fusionseq.export_formats import Format
from fusionseq.image_files import find_images
from fusionseq.named_inputs import OnBadImage, check_model_folder, decode_files
from fusionseq.paths import Paths

if TYPE_CHECKING:
    import keras

    from fusionseq.exporting import Exported

_CARD = "README.md"
_NAMES = (_CARD, *(of_format.file_name for of_format in Format))

Batches = Iterator[NDArray[np.uint8]]


def export(
    paths: Paths,
    folder: Path,
    formats: Sequence[Format],
    output: Path | None,
    named: Sequence[Path],
    on_bad_image: OnBadImage,
    may_replace: bool,
) -> None:
    """Export a trained model, hold each format against Keras, and write the model card.

    Parameters
    ----------
    paths
        The checkout whose test images and reports are read, where there are any.
    folder
        A trained model, such as data/models/fusion/0.
    formats
        At least one.
    output
        Folder to write; None is one below exports, named after architecture and seed.
    named
        Images, and folders of images, to compare with; none are the test images of the checkout.
    on_bad_image
        Whether an image that cannot be decoded stops everything, or is left out and named on standard error.
    may_replace
        Whether a former export may be replaced.

    Raises
    ------
    PipelineError
        The model, an image or the output does not do, a package is missing, or an exported model disagrees with Keras;
        nothing is left of the export then.
    """
    check_model_folder(folder)
    files = find_images(named)
    if output is not None:
        check_output(output, may_replace, _NAMES)
    # TensorFlow takes seconds to import, and scikit-learn one.
    versions = {name: version for of_format in formats for name, version in of_format.import_packages().items()}
    from fusionseq.checkout import find_provenance, read_matching_params, read_results, read_rows, read_test_images
    from fusionseq.exporting import export_model, open_exported
    from fusionseq.forward import BATCH_SIZE
    from fusionseq.model_card import Export, name_export, write_card
    from fusionseq.model_files import build_model, read_card, read_conditions, read_contents, read_model_weights
    from fusionseq.runtime import configure_runtime

    card, conditions = read_card(folder), read_conditions(folder)
    history = read_rows(folder / "history.csv")
    if not history:
        raise PipelineError(f"{folder / 'history.csv'} is empty. Bring the folder back with `dvc checkout`.")
    results = read_results(paths, card, history)
    place = output or paths.root / "exports" / name_export(card.architecture, card.seed)
    with replacing_folder(place, may_replace, _NAMES) as new:
        configure_runtime(conditions.threads, "float32", conditions.deterministic)
        images = _decode(files, card.image_size, on_bad_image) if files else read_test_images(paths, card, BATCH_SIZE)
        # An export takes a while; images that do not do are told of before.
        first = next(images, None)
        if first is None:
            raise PipelineError("no image is left that can be decoded; name others.")
        model = build_model(card)
        read_model_weights(folder, model)
        exported = {}
        for of_format in formats:
            export_model(new / of_format.file_name, model, card.class_names, of_format)
            exported[of_format] = open_exported(new / of_format.file_name, of_format, conditions.threads)
        agreements = compare_with_keras(model, card.class_names, exported, chain([first], images))
        content = Export(
            card=card,
            conditions=conditions,
            parameters=read_contents(folder)["parameters"],
            phases=Counter(row.get("phase", "") for row in history),
            agreements=agreements,
            compared_with="named by hand" if files else "the test subset",
            results=results,
            params=None if results is None else read_matching_params(paths, card),
            provenance=find_provenance(paths, folder, new, versions),
        )
        try:
            write_text(new / _CARD, write_card(content))
        except OSError as error:
            raise PipelineError(
                f"{_CARD} cannot be written ({error.strerror}); make room, or name a folder on another disk after "
                "--output."
            ) from error
    differences = ", ".join(f"{name} {agreement.max_difference:.1e}" for name, agreement in agreements.items())
    num_images = agreements[formats[0]].num_images
    shown = place.relative_to(paths.root) if output is None else output
    logger.info("export: %s; largest difference from Keras on %d images: %s", shown, num_images, differences)


def compare_with_keras(
    model: "keras.Model", class_names: tuple[str, ...], exported: Mapping[Format, "Exported"], images: Batches
) -> dict[Format, Agreement]:
    """Hold exported models against the one that they were exported from.

    Parameters
    ----------
    model, class_names
        That one, and the names of its classes.
    exported
        The others, by their format.
    images
        At least one batch of pixels, uint8 of shape (num_images, image_size, image_size, 3), RGB.

    Raises
    ------
    PipelineError
        A model names other classes, or differs by more than rounding.
    """
    from fusionseq.forward import compute_batch

    agreements = dict.fromkeys(exported, Agreement())
    for pixels in images:
        expected = compute_batch(model, pixels)
        agreements = {name: agreements[name].extend(expected, one.predict(pixels)) for name, one in exported.items()}
    for name, agreement in agreements.items():
        if exported[name].class_names != class_names:
            raise PipelineError(f"{name.file_name} names other classes than the model; it is not kept.")
        if not agreement.is_close:
            raise PipelineError(
                f"{name.file_name} differs from Keras by {agreement.max_difference:.1e} on {agreement.num_images} "
                f"images, where {MAX_DIFFERENCE:g} is allowed; it is not kept. Choose another --format."
            )
    return agreements


def _decode(files: Sequence[Path], image_size: int, on_bad_image: OnBadImage) -> Batches:
    from fusionseq.forward import BATCH_SIZE

    decoded = (pixels for _, pixels in decode_files(files, image_size, on_bad_image, "export"))
    while batch := list(islice(decoded, BATCH_SIZE)):
        yield np.stack(batch)


def _stop(signal_number: int, _: object) -> NoReturn:
    """End as an interrupt does, so that nothing half-written is left."""
    sys.exit(f"error: ended by {signal.Signals(signal_number).name}.")


def main() -> None:
    """Export the model that the command line names."""
    parser = argparse.ArgumentParser(
        prog="python -m fusionseq.export",
        description="Export a trained model as ONNX and as a SavedModel, from raw pixels to named probabilities, hold "
        f"both against Keras (probabilities within {MAX_DIFFERENCE:g}), and write a model card.",
    )
    parser.add_argument("model", type=Path, help="folder of a trained model, such as data/models/fusion/0")
    parser.add_argument("--format", type=Format, choices=list(Format), help="only this one; without it, both")
    parser.add_argument("--output", type=Path, metavar="FOLDER", help="where to write; without it, exports/MODEL-SEED")
    parser.add_argument(
        "--images",
        type=Path,
        nargs="+",
        default=[],
        metavar="IMAGE",
        help="image, or folder of images, to compare with; without it, the test images of data/",
    )
    parser.add_argument(
        "--on-bad-image",
        choices=("error", "skip"),
        default="error",
        help="stop at a file that is no image (the default), or leave it out and say so",
    )
    parser.add_argument("--force", action="store_true", help="replace a former export")
    arguments = parser.parse_args()
    formats = list(Format) if arguments.format is None else [arguments.format]
    run_checked(
        lambda: export(
            Paths(Path.cwd()),
            arguments.model,
            formats,
            arguments.output,
            arguments.images,
            arguments.on_bad_image,
            arguments.force,
        )
    )


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _stop)
    # A GPU rounds otherwise, which would count as a difference. TensorFlow reads this when it first looks for one.
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    main()
