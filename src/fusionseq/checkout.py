"""What the checkout that a command runs in knows of a trained model: images, results, choices, and where it stands."""

import csv
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import yaml
from numpy.typing import NDArray

from fusionseq.artifacts import read_bytes, read_json, read_subsets, read_table
from fusionseq.commits import list_changes, read_commit
from fusionseq.console import logger
from fusionseq.errors import PipelineError
from fusionseq.experiments import parse_parameters
from fusionseq.model_card import ExportedFile, Provenance
from fusionseq.model_catalog import PAPER_MODELS
from fusionseq.model_results import ModelResults, collect_results
from fusionseq.page.origins import find_changed
from fusionseq.params import Params, read_params
from fusionseq.paths import Paths
from fusionseq.provenance import compute_digest
from fusionseq.shard_files import ShardedArray

if TYPE_CHECKING:
    from fusionseq.model_files import ModelCard


def read_rows(path: Path) -> list[dict[str, str]]:
    """Read a table that anything may have happened to.

    Raises
    ------
    PipelineError
        It is missing, or no table.
    """
    try:
        return read_table(path)
    except (ValueError, csv.Error) as error:
        raise PipelineError(f"{path} is damaged ({error}). Remove it and run `dvc repro`.") from error


def read_test_images(paths: Paths, card: "ModelCard", batch_size: int) -> Iterator[NDArray[np.uint8]]:
    """Read the test images of the checkout, where they are of a model's size and classes.

    Yields
    ------
    NDArray[np.uint8]
        Pixels of shape (at most batch_size, image_size, image_size, 3), RGB.

    Raises
    ------
    PipelineError
        There are none.
    """
    mend = "name images after --images, which the export is then held against."
    if not (paths.subsets.is_file() and paths.processed.is_dir()):
        raise PipelineError(f"data/splits and data/processed are not here; {mend}")
    try:
        subsets = read_subsets(paths.subsets)
    except (LookupError, TypeError, ValueError, csv.Error) as error:
        raise PipelineError(f"data/splits is damaged; {mend}") from error
    pixels, rows = ShardedArray(paths.processed), subsets.rows("test")
    shape = (len(subsets.names), card.image_size, card.image_size, 3)
    if subsets.class_names != card.class_names or pixels.shape != shape or pixels.dtype != np.uint8 or not len(rows):
        raise PipelineError(f"the images in data/ are not of the model's size and classes; {mend}")
    return (pixels[rows[start : start + batch_size]] for start in range(0, len(rows), batch_size))


def read_results(paths: Paths, card: "ModelCard", history: Sequence[Mapping[str, str]]) -> ModelResults | None:
    """Read the results of a model from the reports, or log why there are none of this very model.

    Parameters
    ----------
    paths
        The checkout.
    card
        The model.
    history
        Rows of the model's own history.csv.
    """
    try:
        return collect_results(
            card.architecture,
            card.seed,
            card.class_names,
            history,
            read_rows(paths.history(card.architecture)),
            read_json(paths.statistics),
            read_rows(paths.predictions(card.architecture)),
        )
    except PipelineError as error:
        logger.info("the model card gets no results: %s", error)
        return None


def read_matching_params(paths: Paths, card: "ModelCard") -> Params | None:
    """Read the choices of the experiment; None where the model was trained with others, or dvc.lock does not say."""
    try:
        params = read_params(paths.params)
        has_changed = _has_changed(paths, card)
    # A dvc.lock that was damaged, or merged by hand, may hold anything.
    except (PipelineError, yaml.YAMLError, LookupError, TypeError, ValueError, AttributeError):
        return None
    of_model = (card.image_size, list(card.backbones), card.units, card.dropout)
    is_same = of_model == (params.image_size, params.backbones, params.head.units, params.head.dropout)
    return params if is_same and card.seed in params.seeds and not has_changed else None


def _has_changed(paths: Paths, card: "ModelCard") -> bool:
    """Whether a choice is another one than dvc.lock has of the stages that led to the model.

    Raises
    ------
    LookupError
        It lacks one of them.
    """
    lock = yaml.load(read_bytes(paths.lock), yaml.CSafeLoader)
    name, seed = card.architecture, card.seed
    training = f"train_{name}@{seed}" if name in PAPER_MODELS else f"train_controls@{name}-{seed}"
    stages = {stage: lock["stages"][stage] for stage in ("fetch", "backbones", "split", training)}
    parameters = parse_parameters(read_bytes(paths.params).decode("utf-8"), paths.params.name)
    return find_changed({"stages": stages}, list(stages), parameters) is not None


def find_provenance(paths: Paths, trained: Path, exported: Path, versions: Mapping[str, str]) -> Provenance:
    """Tell where an export comes from.

    Parameters
    ----------
    paths
        The checkout, which need not be one.
    trained, exported
        Folders of the trained model and of its export.
    versions
        Of packages, by their names.
    """
    try:
        commit, num_changes = read_commit(paths.root)[0], len(list_changes(paths.root))
    except PipelineError:
        commit, num_changes = None, 0
    code = compute_digest(paths.root, [paths.code]) if paths.code.is_dir() else None
    members = sorted(path for path in exported.rglob("*") if path.is_file())
    return Provenance(
        commit,
        num_changes,
        code,
        versions,
        trained=tuple(_describe(trained / name, name) for name in ("model.json", "model.weights.h5")),
        exported=tuple(_describe(path, path.relative_to(exported).as_posix()) for path in members),
    )


def _describe(path: Path, name: str) -> ExportedFile:
    with path.open("rb") as file:
        return ExportedFile(name, path.stat().st_size, hashlib.file_digest(file, "sha256").hexdigest())
