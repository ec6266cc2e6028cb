"""From metrics of single runs to statements about models, and from pairs of predictions to a comparison.

Source: Q. McNemar, Psychometrika 12, 1947; E. B. Wilson, Journal of the American Statistical Association 22, 1927.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.proportion import proportion_confint

from fusionseq.evaluation import Evaluation

METRICS = ("accuracy", "macro_f1", "loss")


def summarize(values: Sequence[float]) -> dict[str, float]:
    """Mean, sample standard deviation, minimum, median and maximum over seeds.

    The standard deviation of a single value is undefined and left out.
    """
    summary = {"mean": float(np.mean(values))}
    if len(values) > 1:
        summary["std"] = float(np.std(values, ddof=1))
    return summary | {"min": float(min(values)), "median": float(np.median(values)), "max": float(max(values))}


def compute_wilson_interval(num_correct: int, num_images: int, confidence: float) -> tuple[float, float]:
    """Wilson's score interval of an accuracy."""
    low, high = proportion_confint(num_correct, num_images, alpha=1 - confidence, method="wilson")
    return float(low), float(high)


@dataclass(frozen=True)
class PairedComparison:
    """Two models on the same images.

    Attributes
    ----------
    only_first, only_second
        Number of images that one model alone classifies rightly.
    p_value
        Exact McNemar test of the hypothesis that both are right equally often.
    """

    only_first: int
    only_second: int
    p_value: float


def compare_predictions(
    y_true: NDArray[np.int64], first: NDArray[np.int64], second: NDArray[np.int64]
) -> PairedComparison:
    """Compare the predicted classes of two models, each int64 of shape (num_images,)."""
    first_right, second_right = first == y_true, second == y_true
    only_first = int(np.sum(first_right & ~second_right))
    only_second = int(np.sum(second_right & ~first_right))
    # The exact test looks at the discordant pairs alone.
    p_value = mcnemar([[0, only_first], [only_second, 0]], exact=True).pvalue
    return PairedComparison(only_first, only_second, float(p_value))


@dataclass(frozen=True)
class Run:
    """One trained model on the test subset.

    Attributes
    ----------
    seed
        The seed that it was trained with.
    probabilities
        float32 of shape (num_images, num_classes).
    evaluation
        Its metrics.
    """

    seed: int
    probabilities: NDArray[np.float32]
    evaluation: Evaluation

    @property
    def y_pred(self) -> NDArray[np.int64]:
        """Predicted classes, int64 of shape (num_images,)."""
        return np.asarray(self.probabilities.argmax(axis=1))


def summarize_metrics(runs: Sequence[Run]) -> dict[str, dict[str, float]]:
    """Summarize each metric over the seeds of one model."""
    return {metric: summarize([getattr(run.evaluation, metric) for run in runs]) for metric in METRICS}


def summarize_model(runs: Sequence[Run], confidence: float) -> dict[str, Any]:
    """Everything that the report says of one model: summaries, figures by seed, the confusion over all seeds."""
    per_seed = [
        {
            "seed": run.seed,
            **{metric: getattr(run.evaluation, metric) for metric in METRICS},
            "num_correct": run.evaluation.num_correct,
            "accuracy_interval": compute_wilson_interval(
                run.evaluation.num_correct, len(run.probabilities), confidence
            ),
        }
        for run in runs
    ]
    confusion = np.sum([run.evaluation.confusion for run in runs], axis=0)
    return {**summarize_metrics(runs), "per_seed": per_seed, "confusion": confusion.tolist()}


def compare_models(
    y_true: NDArray[np.int64], runs: Mapping[str, Sequence[Run]], first: str, second: str, confidence: float
) -> dict[str, Any]:
    """Compare two models seed by seed, on the same images.

    "better" names the model with the higher mean accuracy (None where they are equal), "num_significant" counts the
    seeds in which it alone is right significantly more often than the other alone.
    """
    pairs = [
        compare_predictions(y_true, *(run.y_pred for run in pair))
        for pair in zip(runs[first], runs[second], strict=True)
    ]
    means = {
        metric: summarize_metrics(runs[first])[metric]["mean"] - summarize_metrics(runs[second])[metric]["mean"]
        for metric in METRICS
    }
    lead = sum(pair.only_first - pair.only_second for pair in pairs)
    significant = [
        pair for pair in pairs if pair.p_value < 1 - confidence and (pair.only_first - pair.only_second) * lead > 0
    ]
    return {
        "first": first,
        "second": second,
        **{f"{metric}_difference": difference for metric, difference in means.items()},
        "better": first if lead > 0 else second if lead < 0 else None,
        "num_significant": len(significant),
        "per_seed": [{"seed": run.seed, **asdict(pair)} for run, pair in zip(runs[first], pairs, strict=True)],
    }


def build_metrics(runs: Mapping[str, Sequence[Run]]) -> dict[str, dict[str, dict[str, float]]]:
    """Mean and standard deviation of each metric of each model, and no more, so that a difference can be read."""
    return {
        name: {
            metric: {key: summary[key] for key in ("mean", "std") if key in summary}
            for metric, summary in summarize_metrics(of_model).items()
        }
        for name, of_model in runs.items()
    }


def build_statistics(
    y_true: NDArray[np.int64],
    runs: Mapping[str, Sequence[Run]],
    contents: Mapping[str, Mapping[str, Any]],
    confidence: float,
) -> dict[str, Any]:
    """All that the paper says of the results.

    Parameters
    ----------
    y_true
        int64 of shape (num_images,).
    runs
        By the name of the model; the same seeds for each.
    contents
        Layers, parameters and operations, by the name of the model.
    confidence
        Of every interval.
    """
    first, second = runs
    return {
        "seeds": [run.seed for run in runs[first]],
        "confidence": confidence,
        "test": {"num_images": len(y_true), "num_classes": runs[first][0].probabilities.shape[1]},
        "models": {name: {**summarize_model(runs[name], confidence), **contents[name]} for name in runs},
        "comparison": compare_models(y_true, runs, first, second, confidence),
    }
