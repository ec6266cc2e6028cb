"""What one experiment came to, read from the texts of its params.yaml and reports/."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from io import StringIO
from math import isclose
from typing import Annotated, Any

from pydantic import BaseModel, Field, FiniteFloat, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from fusionseq.errors import PipelineError
from fusionseq.tables import PREDICTION_COLUMNS

# Digits of an accuracy that survive being written and read, with room for another order of summation.
_ROUNDING = 1e-9


class Summary(BaseModel):
    """Mean and standard deviation over seeds; None where there is one seed."""

    mean: FiniteFloat
    std: FiniteFloat | None = None


class SeedResults(BaseModel):
    """Metrics of one seed."""

    seed: int
    accuracy: FiniteFloat
    macro_f1: FiniteFloat


class ModelResults(BaseModel):
    """Metrics of one model."""

    accuracy: Summary
    macro_f1: Summary
    loss: Summary
    per_seed: Annotated[list[SeedResults], Field(min_length=1)]


class Problem(BaseModel):
    """What all models have to do."""

    num_classes: int


class Statistics(BaseModel):
    """What is needed of statistics.json. Other versions of this program wrote more, or less, beside it."""

    confidence: FiniteFloat
    resamples: int | None = None
    test: Problem
    models: Annotated[dict[str, ModelResults], Field(min_length=1)]


@dataclass(frozen=True)
class Predictions:
    """Predicted classes of one model, by the names of images and classes.

    Attributes
    ----------
    images
        Test images, sorted.
    actual
        The true class of each.
    seeds
        Training seeds, sorted.
    predicted
        Predicted classes: of each seed, those of all images.
    """

    images: tuple[str, ...]
    actual: tuple[str, ...]
    seeds: tuple[int, ...]
    predicted: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Experiment:
    """Results of one revision.

    Attributes
    ----------
    revision
        The name that it was asked for by.
    commit
        Its hash; None for the working tree.
    parameters
        Values by their dotted names.
    statistics
        Metrics of all models.
    predictions
        By the name of the model: the same images and seeds for all.
    """

    revision: str
    commit: str | None
    parameters: Mapping[str, Any]
    statistics: Statistics
    predictions: Mapping[str, Predictions]

    @property
    def any_predictions(self) -> Predictions:
        """Of the first model: images, true classes and seeds are those of all models."""
        return next(iter(self.predictions.values()))


def parse_parameters(text: str, source: str) -> dict[str, Any]:
    """Read parameters by their dotted names, such as "head.units", whichever version of this program they are for.

    Parameters
    ----------
    text
        Of a params.yaml.
    source
        What an error calls it.
    """
    try:
        # Unlike PyYAML it takes 1e-05, which DVC writes, for a number.
        content = YAML(typ="safe", pure=True).load(text)
    except (YAMLError, ValueError, RecursionError) as error:
        raise PipelineError(f"{source} is not valid YAML: {' '.join(str(error).split())}.") from error
    if not isinstance(content, dict):
        raise PipelineError(f"{source} must be a mapping of sections. Got {type(content).__name__}.")
    return _flatten(content, "")


def _flatten(section: Mapping[Any, Any], prefix: str) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in section.items():
        flat |= (
            _flatten(value, f"{prefix}{key}.") if isinstance(value, Mapping) and value else {f"{prefix}{key}": value}
        )
    return flat


def parse_statistics(text: str, source: str) -> Statistics:
    """Read the text of a statistics.json; `source` is what an error calls it.

    Raises
    ------
    PipelineError
        It is not whole, or lacks something; the message names the first such thing.
    """
    try:
        return Statistics.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        found = f"{place}: {first['msg']}" if place else first["msg"]
        raise PipelineError(
            f"{source} holds no results that this program wrote ({found}); run that experiment anew."
        ) from error


def parse_predictions(text: str, source: str) -> Predictions:
    """Read the text of a table in predictions/; `source` is what an error calls it.

    Raises
    ------
    PipelineError
        It is not such a table, or not a whole one.
    """
    try:
        return _tabulate(text)
    except (ValueError, csv.Error) as error:
        raise PipelineError(
            f"{source} is no whole table of predictions ({error}); run that experiment anew."
        ) from error


def _tabulate(text: str) -> Predictions:
    rows = csv.reader(StringIO(text, newline=""), strict=True)
    if next(rows, None) != list(PREDICTION_COLUMNS):
        raise ValueError(f"its columns must be {', '.join(PREDICTION_COLUMNS)}")
    if not text.endswith("\n"):
        raise ValueError("its last line is cut off")
    actual: dict[str, str] = {}
    predicted: dict[tuple[int, str], str] = {}
    for row in rows:
        if len(row) != len(PREDICTION_COLUMNS) or not row[1].isdecimal():
            raise ValueError(f"line {rows.line_num} is not of an image, a seed and two classes")
        image, seed, true_class, predicted_class = row
        if actual.setdefault(image, true_class) != true_class or (int(seed), image) in predicted:
            raise ValueError(f"line {rows.line_num} contradicts or repeats another one")
        predicted[int(seed), image] = predicted_class
    images, seeds = tuple(sorted(actual)), tuple(sorted({seed for seed, _ in predicted}))
    if not predicted or len(predicted) != len(images) * len(seeds):
        raise ValueError(f"it has {len(predicted)} lines for {len(images)} images and {len(seeds)} seeds")
    return Predictions(
        images,
        tuple(actual[image] for image in images),
        seeds,
        tuple(tuple(predicted[seed, image] for image in images) for seed in seeds),
    )


def check_experiment(experiment: Experiment) -> None:
    """Make sure that all files of an experiment are of one run.

    Raises
    ------
    PipelineError
        The models were not evaluated on the same images with the same seeds, or the accuracies of statistics.json are
        not those of the predictions.
    """
    common = experiment.any_predictions
    for name, predictions in experiment.predictions.items():
        rows = (predictions.images, predictions.actual, predictions.seeds)
        accuracies = [
            sum(map(str.__eq__, of_seed, predictions.actual)) / len(predictions.actual)
            for of_seed in predictions.predicted
        ]
        stated = sorted((row.seed, row.accuracy) for row in experiment.statistics.models[name].per_seed)
        if (
            rows != (common.images, common.actual, common.seeds)
            or [seed for seed, _ in stated] != list(predictions.seeds)
            or not all(
                isclose(accuracy, found, abs_tol=_ROUNDING)
                for (_, accuracy), found in zip(stated, accuracies, strict=True)
            )
        ):
            raise PipelineError(
                f"{experiment.revision}: statistics.json and the predictions of {name} are not of one run; "
                "run `dvc repro evaluate` there."
            )
