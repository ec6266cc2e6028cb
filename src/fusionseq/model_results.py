"""What reports/ says of one trained model, once it is sure that it speaks of that model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isclose
from typing import Annotated

import numpy as np
from pydantic import BaseModel, Field, FiniteFloat, ValidationError
from sklearn.metrics import f1_score

from fusionseq.errors import PipelineError
from fusionseq.experiments import Summary

# Digits of a metric that survive being written and read, with room for another order of summation.
_ROUNDING = 1e-9

Interval = tuple[FiniteFloat, FiniteFloat]
Row = Mapping[str, str]


class SeedResults(BaseModel):
    """Metrics of one trained model; see `fusionseq.evaluation.Evaluation`."""

    seed: int
    accuracy: FiniteFloat
    accuracy_interval: Interval
    macro_f1: FiniteFloat
    macro_f1_interval: Interval
    loss: FiniteFloat
    brier: FiniteFloat
    calibration_error: FiniteFloat
    num_correct: int
    temperature: FiniteFloat
    calibrated_calibration_error: FiniteFloat


class _ModelResults(BaseModel):
    accuracy: Summary
    macro_f1: Summary
    per_seed: Annotated[list[SeedResults], Field(min_length=1)]


class _Test(BaseModel):
    num_images: int
    num_validation: int


class _Statistics(BaseModel):
    confidence: FiniteFloat
    resamples: int
    test: _Test
    models: dict[str, _ModelResults]


@dataclass(frozen=True)
class ClassResult:
    """How well one class is told from the others.

    Attributes
    ----------
    name
        Of the class.
    f1
        F1 score.
    num_images
        Test images of the class.
    """

    name: str
    f1: float
    num_images: int


@dataclass(frozen=True)
class ModelResults:
    """Results of one trained model on the test subset.

    Attributes
    ----------
    of_seed
        Its own metrics.
    accuracy, macro_f1
        Over all seeds of the same architecture.
    num_seeds
        How many there are.
    classes
        In the order of the probabilities.
    num_test, num_validation
        Images of both subsets.
    confidence
        Of the intervals.
    resamples
        Draws of the bootstrap behind that of macro-F1.
    """

    of_seed: SeedResults
    accuracy: Summary
    macro_f1: Summary
    num_seeds: int
    classes: tuple[ClassResult, ...]
    num_test: int
    num_validation: int
    confidence: float
    resamples: int


def collect_results(
    architecture: str,
    seed: int,
    class_names: Sequence[str],
    history: Sequence[Row],
    reported_history: Sequence[Row],
    statistics: object,
    predictions: Sequence[Row],
) -> ModelResults:
    """Collect the results of a trained model.

    Parameters
    ----------
    architecture, seed, class_names
        What its model.json tells.
    history
        Rows of its own history.csv.
    reported_history, statistics, predictions
        The contents of reports/history, reports/statistics.json and reports/predictions for its architecture.

    Raises
    ------
    PipelineError
        They are those of another model, or contradict each other.
    """
    if not history or list(history) != [row for row in reported_history if row.get("seed") == str(seed)]:
        raise PipelineError("reports/history tells of another training; run `dvc repro` to evaluate this one.")
    try:
        found = _Statistics.model_validate(statistics)
        of_model = found.models[architecture]
        of_seed = next(row for row in of_model.per_seed if row.seed == seed)
    except (ValidationError, KeyError, StopIteration) as error:
        raise PipelineError(
            f"reports/statistics.json holds no results of the {architecture} model with seed {seed}; run `dvc repro` "
            "to evaluate it."
        ) from error
    return ModelResults(
        of_seed=of_seed,
        accuracy=of_model.accuracy,
        macro_f1=of_model.macro_f1,
        num_seeds=len(of_model.per_seed),
        classes=_score_classes(of_seed, class_names, predictions, found.test.num_images),
        num_test=found.test.num_images,
        num_validation=found.test.num_validation,
        confidence=found.confidence,
        resamples=found.resamples,
    )


def _score_classes(
    of_seed: SeedResults, class_names: Sequence[str], predictions: Sequence[Row], num_images: int
) -> tuple[ClassResult, ...]:
    rows = [row for row in predictions if row.get("seed") == str(of_seed.seed)]
    labels = {name: label for label, name in enumerate(class_names)}
    try:
        y_true, y_pred = (
            np.array([labels[row[key]] for row in rows], dtype=np.int64) for key in ("actual", "predicted")
        )
    except KeyError as error:
        raise PipelineError("reports/predictions has other classes; run `dvc repro` to evaluate this model.") from error
    contradiction = PipelineError(
        "reports/predictions and reports/statistics.json contradict each other; run `dvc repro`."
    )
    if not rows or len(rows) != num_images or np.sum(y_true == y_pred) != of_seed.num_correct:
        raise contradiction
    scores = f1_score(y_true, y_pred, labels=range(len(class_names)), average=None, zero_division=0.0)
    if not isclose(float(scores.mean()), of_seed.macro_f1, abs_tol=_ROUNDING):
        raise contradiction
    counts = np.bincount(y_true, minlength=len(class_names))
    return tuple(
        ClassResult(name, float(score), int(count))
        for name, score, count in zip(class_names, scores, counts, strict=True)
    )
