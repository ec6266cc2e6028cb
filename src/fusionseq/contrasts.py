"""The reference model against every other one, on the same images and with the same seeds.

Source: X. Bouthillier et al., Accounting for Variance in Machine Learning Benchmarks, MLSys 2021.
"""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fusionseq.comparing import (
    compare_predictions,
    compute_outperforming,
    compute_power,
    compute_t_interval,
    correct_p_values,
    find_smallest_difference,
    flip_signs,
)
from fusionseq.resampling import Resampled, average_over_seeds, compute_percentile_interval, resample_seeds


def build_comparisons(
    y_true: NDArray[np.int64],
    y_pred: Mapping[str, NDArray[np.int64]],
    models: Mapping[str, Mapping[str, Any]],
    resampled: Mapping[str, Resampled],
    confidence: float,
) -> dict[str, dict[str, Any]]:
    """Compare the first model with every other one.

    Parameters
    ----------
    y_true
        int64 of shape (num_images,).
    y_pred
        By the name of the model, int64 of shape (num_seeds, num_images).
    models
        What `summarize_model` says of each.
    resampled
        Metrics of each on resampled images.
    confidence
        Of every interval; its complement is the level of every test.

    Returns
    -------
    dict
        By the name of the other model. P-values are corrected after Holm within three families: the comparisons over
        images, those over seeds, and McNemar's tests of all comparisons and seeds.
    """
    first, *others = models
    comparisons = {
        second: compare_models(y_true, first, second, y_pred, models, resampled, confidence) for second in others
    }
    level = 1 - confidence
    families: tuple[tuple[str, list[dict[str, Any]]], ...] = (
        ("p_value", list(comparisons.values())),
        ("seeds_p_value", list(comparisons.values())),
        ("p_value", [row for comparison in comparisons.values() for row in comparison["per_seed"]]),
    )
    for key, rows in families:
        # With one seed there is no test over seeds.
        is_tested = rows[0][key] is not None
        corrected = correct_p_values([row[key] for row in rows]) if is_tested else [None] * len(rows)
        for row, p_value in zip(rows, corrected, strict=True):
            row[f"{key}_corrected"] = p_value
    return {
        second: {
            **comparison,
            "verdict": judge(comparison, level),
            "num_significant": sum(
                is_significant(row, comparison, "p_value_corrected", level) for row in comparison["per_seed"]
            ),
            "num_significant_uncorrected": sum(
                is_significant(row, comparison, "p_value", level) for row in comparison["per_seed"]
            ),
        }
        for second, comparison in comparisons.items()
    }


def judge(comparison: Mapping[str, Any], level: float) -> str:
    """Tell whether a difference is "shown", "open", or none at all: "equal".

    It is shown where the corrected test over images is significant and the interval over images and seeds excludes 0:
    the first alone is silent on other seeds, and the second alone on the number of comparisons.
    """
    if comparison["better"] is None:
        return "equal"
    low, high = comparison["accuracy_difference"]["interval"]
    is_shown = comparison["p_value_corrected"] < level and (low > 0 or high < 0)
    return "shown" if is_shown else "open"


def is_significant(row: Mapping[str, Any], comparison: Mapping[str, Any], key: str, level: float) -> bool:
    """Whether one seed speaks for the model that is better over all seeds."""
    leader = comparison["first"] if row["only_first"] > row["only_second"] else comparison["second"]
    return bool(row[key] < level and leader == comparison["better"])


def compare_models(
    y_true: NDArray[np.int64],
    first: str,
    second: str,
    y_pred: Mapping[str, NDArray[np.int64]],
    models: Mapping[str, Mapping[str, Any]],
    resampled: Mapping[str, Resampled],
    confidence: float,
) -> dict[str, Any]:
    """Compare two models, before any correction; parameters as in `build_comparisons`.

    "better" names the model with the higher mean accuracy, or is None where they are equal.
    """
    num_seeds, num_images = y_pred[first].shape
    rights = [(y_pred[name] == y_true).astype(np.int64) for name in (first, second)]
    # Of shape (num_seeds, num_images).
    leads = rights[0] - rights[1]
    lead = int(leads.sum())
    accuracy, macro_f1 = (
        getattr(resampled[first], metric) - getattr(resampled[second], metric) for metric in ("accuracy", "macro_f1")
    )
    seeds = resample_seeds(num_seeds, len(accuracy))
    outperforming = average_over_seeds(
        compute_outperforming(resampled[first].accuracy, resampled[second].accuracy), seeds
    )
    rows = [
        {
            "seed": of_first["seed"],
            **asdict(compare_predictions(y_true, y_pred[first][place], y_pred[second][place])),
            "accuracy_difference": of_first["accuracy"] - of_second["accuracy"],
            "accuracy_difference_interval": compute_percentile_interval(accuracy[:, place], confidence),
            "macro_f1_difference": of_first["macro_f1"] - of_second["macro_f1"],
            "macro_f1_difference_interval": compute_percentile_interval(macro_f1[:, place], confidence),
        }
        for place, (of_first, of_second) in enumerate(
            zip(models[first]["per_seed"], models[second]["per_seed"], strict=True)
        )
    ]
    means = {metric: models[first][metric]["mean"] - models[second][metric]["mean"] for metric in ("macro_f1", "loss")}
    # Over seeds, the number of images decides, so that equal is equal.
    by_seed = leads.sum(axis=1)
    discordant_share = float(np.abs(leads).mean())
    return {
        "first": first,
        "second": second,
        "better": first if lead > 0 else second if lead < 0 else None,
        "accuracy_difference": {
            "mean": lead / leads.size,
            "interval": compute_percentile_interval(average_over_seeds(accuracy, seeds), confidence),
        },
        "macro_f1_difference": {
            "mean": means["macro_f1"],
            "interval": compute_percentile_interval(average_over_seeds(macro_f1, seeds), confidence),
        },
        "loss_difference": {"mean": means["loss"]},
        "p_value": flip_signs(leads.sum(axis=0)),
        "seeds_p_value": flip_signs(by_seed) if num_seeds > 1 else None,
        "seeds_smallest_p_value": 2 / 2**num_seeds if num_seeds > 1 else None,
        "seeds_interval": compute_t_interval(by_seed / num_images, confidence) if num_seeds > 1 else None,
        "outperforming": {
            "probability": float(compute_outperforming(by_seed, np.zeros_like(by_seed)).mean()),
            "interval": compute_percentile_interval(outperforming, confidence),
        },
        "discordant_share": discordant_share,
        "smallest_difference": find_smallest_difference(num_images, discordant_share, 1 - confidence),
        # Of one McNemar test, were the observed difference the true one.
        "power": compute_power(num_images, discordant_share, abs(lead) / leads.size, 1 - confidence)
        if discordant_share
        else None,
        "per_seed": rows,
    }
