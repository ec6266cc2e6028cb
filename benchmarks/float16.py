"""What storing activations in half the disk does to the results of the embedded default."""

import json
from typing import Any

from benchmarks.clone import Clone


def measure_float16(clone: Clone) -> dict[str, float]:
    """Train both models with every seed from float16 activations, in a clone that holds the results from float32.

    Returns
    -------
    dict[str, float]
        For each model its mean test accuracy and loss either way, and the change of the accuracy.
    """
    before = _read_metrics(clone)
    clone.edit_params(_narrow)
    clone.run("dvc", "repro", "evaluate")
    after = _read_metrics(clone)
    clone.reset()
    results: dict[str, float] = {}
    for model, of_model in before.items():
        for metric in ("accuracy", "loss"):
            results[f"{model}_{metric}_float32"] = of_model[metric]["mean"]
            results[f"{model}_{metric}_float16"] = after[model][metric]["mean"]
        results[f"{model}_accuracy_change"] = after[model]["accuracy"]["mean"] - of_model["accuracy"]["mean"]
    return results


def _read_metrics(clone: Clone) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((clone.folder / "reports" / "metrics.json").read_bytes())
    return content


def _narrow(content: dict[str, Any]) -> None:
    content["features"] = {"mode": "cached", "dtype": "float16"}
