"""From predictions of single runs to statements about models, and about the reference against every other model.

Source: the source paper, Section 9; E. B. Wilson, Journal of the American Statistical Association 22, 1927.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from statsmodels.stats.proportion import proportion_confint

from fusionseq.calibration import apply_temperature, bin_by_confidence, fit_temperature
from fusionseq.comparing import POWER
from fusionseq.contrasts import build_comparisons
from fusionseq.evaluation import evaluate_probabilities
from fusionseq.resampling import Resampled, bootstrap_metrics, compute_percentile_interval
from fusionseq.worst_errors import find_worst_errors

METRICS = ("accuracy", "macro_f1", "loss")
_SEED_METRICS = (*METRICS, "brier", "calibration_error", "num_correct")
_SUMMARIES = (*METRICS, "brier", "calibration_error", "temperature")


@dataclass(frozen=True)
class Run:
    """One trained model, or the mean of several, with one seed.

    Attributes
    ----------
    seed
        The seed that it was trained with.
    probabilities
        Of the test images, float32 of shape (num_test, num_classes).
    validation_probabilities
        Of the validation images, float32 of shape (num_validation, num_classes).
    """

    seed: int
    probabilities: NDArray[np.float32]
    validation_probabilities: NDArray[np.float32]

    @property
    def y_pred(self) -> NDArray[np.int64]:
        """Predicted classes of the test images, int64 of shape (num_test,)."""
        return np.asarray(self.probabilities.argmax(axis=1))


def summarize(values: Sequence[float]) -> dict[str, float]:
    """Mean, sample standard deviation, minimum, median and maximum over seeds.

    The standard deviation of a single value is undefined and left out.
    """
    # Exact, so that the order of the seeds decides nothing where two models are equal.
    summary = {"mean": math.fsum(values) / len(values)}
    if len(values) > 1:
        summary["std"] = float(np.std(values, ddof=1))
    return summary | {"min": float(min(values)), "median": float(np.median(values)), "max": float(max(values))}


def compute_wilson_interval(num_correct: int, num_images: int, confidence: float) -> list[float]:
    """Wilson's score interval of an accuracy."""
    ends = proportion_confint(num_correct, num_images, alpha=1 - confidence, method="wilson")
    return [float(end) for end in ends]


def summarize_model(
    y_true: NDArray[np.int64],
    y_validation: NDArray[np.int64],
    runs: Sequence[Run],
    resampled: Resampled,
    confidence: float,
) -> dict[str, Any]:
    """Everything that the report says of one model: summaries, figures by seed, the confusion over all seeds."""
    evaluations = [evaluate_probabilities(y_true, run.probabilities) for run in runs]
    per_seed = []
    for place, (run, evaluation) in enumerate(zip(runs, evaluations, strict=True)):
        temperature = fit_temperature(y_validation, run.validation_probabilities)
        calibrated = evaluate_probabilities(y_true, apply_temperature(run.probabilities, temperature))
        per_seed.append({
            "seed": run.seed,
            **{metric: getattr(evaluation, metric) for metric in _SEED_METRICS},
            "accuracy_interval": compute_wilson_interval(evaluation.num_correct, len(y_true), confidence),
            "macro_f1_interval": compute_percentile_interval(resampled.macro_f1[:, place], confidence),
            "temperature": temperature,
            "calibrated_loss": calibrated.loss,
            "calibrated_calibration_error": calibrated.calibration_error,
        })  # fmt: skip
    class_f1 = np.stack([evaluation.class_f1 for evaluation in evaluations], axis=1)
    all_probabilities = np.concatenate([run.probabilities for run in runs])
    return {
        **{metric: summarize([row[metric] for row in per_seed]) for metric in _SUMMARIES},
        "per_seed": per_seed,
        "confusion": np.sum([evaluation.confusion for evaluation in evaluations], axis=0).tolist(),
        "class_f1": [summarize(of_class.tolist()) for of_class in class_f1],
        "reliability": [asdict(of_bin) for of_bin in bin_by_confidence(np.tile(y_true, len(runs)), all_probabilities)],
    }


def build_metrics(statistics: Mapping[str, Any]) -> dict[str, dict[str, dict[str, float]]]:
    """Mean and standard deviation of the main metrics of each model, and no more, so that a difference can be read."""
    return {
        name: {metric: {key: of_model[metric][key] for key in ("mean", "std") if key in of_model[metric]}
               for metric in METRICS}
        for name, of_model in statistics["models"].items()
    }  # fmt: skip


def build_statistics(
    y_true: NDArray[np.int64],
    y_validation: NDArray[np.int64],
    runs: Mapping[str, Sequence[Run]],
    contents: Mapping[str, Mapping[str, Any]],
    confidence: float,
    resamples: int,
) -> dict[str, Any]:
    """All that the paper says of the results.

    Parameters
    ----------
    y_true
        Classes of the test images, int64 of shape (num_test,).
    y_validation
        Classes of the validation images, int64 of shape (num_validation,). They decide the temperatures alone.
    runs
        By the name of the model, two models or more; the same seeds for each. The first model is the reference, with
        which all others are compared.
    contents
        What else is to be said of a model, by its name.
    confidence
        Of every interval; its complement is the level of every test.
    resamples
        Number of bootstrap resamples.

    Returns
    -------
    dict
        Ready to be written as JSON.
    """
    names = list(runs)
    seeds = [run.seed for run in runs[names[0]]]
    num_classes = runs[names[0]][0].probabilities.shape[1]
    y_pred = {name: np.stack([run.y_pred for run in of_model]) for name, of_model in runs.items()}
    resampled = bootstrap_metrics(y_true, y_pred, num_classes, resamples)
    models = {
        name: {
            **contents[name],
            **summarize_model(y_true, y_validation, of_model, resampled[name], confidence),
        }
        for name, of_model in runs.items()
    }
    comparisons = build_comparisons(y_true, y_pred, models, resampled, confidence)
    shown = {name: np.stack([run.probabilities for run in runs[name]]) for name in names[:2]}
    return {
        "seeds": seeds,
        "confidence": confidence,
        "resamples": resamples,
        "wanted_power": POWER,
        "test": {"num_images": len(y_true), "num_classes": num_classes, "num_validation": len(y_validation)},
        "models": models,
        "comparisons": comparisons,
        "corrections": {"num_comparisons": len(comparisons), "num_seed_tests": len(comparisons) * len(seeds)},
        "errors": find_worst_errors(y_true, shown),
    }
