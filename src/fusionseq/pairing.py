"""Experiments against a baseline: means, parameters that differ, and paired statistics between their predictions.

Source: X. Bouthillier et al., Accounting for Variance in Machine Learning Benchmarks, MLSys 2021; S. Holm, Scandinavian
Journal of Statistics 6, 1979.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fusionseq.comparing import correct_p_values
from fusionseq.contrasts import compare_models, judge
from fusionseq.errors import PipelineError
from fusionseq.experiments import Experiment
from fusionseq.resampling import bootstrap_metrics

METRICS = ("accuracy", "macro_f1", "loss")


def build_report(experiments: Sequence[Experiment]) -> dict[str, Any]:
    """Set experiments beside each other.

    Parameters
    ----------
    experiments
        One or more, of different names; the first is the baseline.

    Returns
    -------
    dict
        Ready to be written as JSON; its keys are described in `fusionseq.compare`.
    """
    baseline, *others = experiments
    confidence, resamples = _choose_statistics(experiments)
    reasons = {other.revision: find_reason(baseline, other) for other in others}
    paired = [other for other in others if reasons[other.revision] is None]
    comparisons = [
        comparison
        for model in baseline.statistics.models
        for comparison in compare_model(model, baseline, paired, confidence, resamples)
    ]
    corrected = correct_p_values([row["p_value"] for row in comparisons]) if comparisons else []
    for row, p_value in zip(comparisons, corrected, strict=True):
        row["p_value_corrected"] = p_value
        row["verdict"] = judge(row, 1 - confidence)
    left_out = [{"revision": name, "reason": reason} for name, reason in reasons.items() if reason]
    for other in paired:
        left_out += [{"revision": other.revision, "reason": reason} for reason in _list_unmatched(baseline, other)]
    return {
        "baseline": baseline.revision,
        "confidence": confidence,
        "resamples": resamples,
        "revisions": [_describe(experiment) for experiment in experiments],
        "parameters": find_differing_parameters(experiments),
        "comparisons": comparisons,
        "left_out": left_out,
    }


def _choose_statistics(experiments: Sequence[Experiment]) -> tuple[float, int]:
    # Before there was a bootstrap, statistics.json named a confidence alone.
    for experiment in experiments:
        if experiment.statistics.resamples is not None:
            return experiment.statistics.confidence, experiment.statistics.resamples
    raise PipelineError(
        "no statistics.json of these revisions names the number of resamples; name a revision that "
        f"does, too. Got {', '.join(experiment.revision for experiment in experiments)}."
    )


def _describe(experiment: Experiment) -> dict[str, Any]:
    common = experiment.any_predictions
    return {
        "revision": experiment.revision,
        "commit": experiment.commit,
        "num_images": len(common.images),
        "seeds": list(common.seeds),
        "models": {
            name: results.model_dump(include=set(METRICS), exclude_none=True)
            for name, results in experiment.statistics.models.items()
        },
    }


def find_differing_parameters(experiments: Sequence[Experiment]) -> dict[str, dict[str, Any]]:
    """Find the parameters in which not all experiments agree: by their names, the value of each that has one."""
    names = dict.fromkeys(name for experiment in experiments for name in experiment.parameters)
    values = {
        name: {one.revision: one.parameters[name] for one in experiments if name in one.parameters} for name in names
    }
    return {
        name: of_name
        for name, of_name in values.items()
        if len(of_name) < len(experiments) or any(value != next(iter(of_name.values())) for value in of_name.values())
    }


def find_reason(baseline: Experiment, other: Experiment) -> str | None:
    """Tell in one sentence why the predictions of two experiments are not paired; None where they are."""
    first, second = baseline.any_predictions, other.any_predictions
    names = f"{baseline.revision} and {other.revision}"
    if first.images != second.images:
        num_common = len(set(first.images) & set(second.images))
        return (
            f"{names} are not paired, since their test images differ (another split or data set): "
            f"{len(first.images)} and {len(second.images)}, of which {num_common} are the same."
        )
    if first.actual != second.actual:
        num_other = sum(map(str.__ne__, first.actual, second.actual))
        return (
            f"{names} are not paired, since they differ on the class of {num_other} of their {len(first.images)} test "
            "images."
        )
    if baseline.statistics.test != other.statistics.test or _lacks_classes(baseline, other):
        return f"{names} are not paired, since they were trained to tell other classes apart."
    if first.seeds != second.seeds:
        seeds = (", ".join(map(str, predictions.seeds)) for predictions in (first, second))
        return f"{names} are not paired, since their training seeds differ: {' against '.join(seeds)}."
    return None


def _list_classes(*experiments: Experiment) -> list[str]:
    found: set[str] = set()
    for experiment in experiments:
        for predictions in experiment.predictions.values():
            found.update(predictions.actual, *predictions.predicted)
    return sorted(found)


def _lacks_classes(*experiments: Experiment) -> bool:
    return len(_list_classes(*experiments)) > experiments[0].statistics.test.num_classes


def _list_unmatched(baseline: Experiment, other: Experiment) -> list[str]:
    first, second = baseline.statistics.models, other.statistics.models
    pairs = (
        (baseline, other, [name for name in first if name not in second]),
        (other, baseline, [name for name in second if name not in first]),
    )
    return [
        f"{owner.revision} has {', '.join(missing)}, and {lacking.revision} has not."
        for owner, lacking, missing in pairs
        if missing
    ]


def compare_model(
    model: str, baseline: Experiment, others: Sequence[Experiment], confidence: float, resamples: int
) -> list[dict[str, Any]]:
    """Compare one model of each experiment with that of the baseline, before any correction.

    Parameters
    ----------
    model
        Its name; an experiment without it is passed over.
    baseline, others
        Experiments whose predictions are paired.
    confidence, resamples
        Of the bootstrap over images and seeds.
    """
    experiments = [one for one in (baseline, *others) if model in one.statistics.models]
    classes = np.array(_list_classes(*experiments), dtype=np.str_)

    def encode(names: Sequence[Any]) -> NDArray[np.int64]:
        return np.searchsorted(classes, np.array(names, dtype=np.str_)).astype(np.int64)

    y_true = encode(baseline.predictions[model].actual)
    y_pred = {one.revision: encode(one.predictions[model].predicted) for one in experiments}
    results = {one.revision: one.statistics.models[model].model_dump() for one in experiments}
    resampled = bootstrap_metrics(y_true, y_pred, baseline.statistics.test.num_classes, resamples)
    rows = []
    for other in experiments[1:]:
        names = (other.revision, baseline.revision)
        found = compare_models(y_true, *names, y_pred, results, resampled, confidence)
        rows.append({
            "model": model,
            "revision": other.revision,
            "better": found["better"],
            **{f"{metric}_difference": found[f"{metric}_difference"] for metric in METRICS},
            "only_revision": sum(row["only_first"] for row in found["per_seed"]),
            "only_baseline": sum(row["only_second"] for row in found["per_seed"]),
            "p_value": found["p_value"],
        })  # fmt: skip
    return rows
