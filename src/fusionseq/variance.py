"""How much results vary with the split, and how much with the training seed: `python -m fusionseq.variance REV...`.

Each Git revision or experiment that is named holds the results of one `split.seed`, as made by
`dvc exp run -S split.seed=0,1,2 --queue && dvc exp run --run-all`. Other splits have other test images too, so that the
variance from splits is of all that a split decides.

Source: H. Scheffé, The Analysis of Variance, 1959, Chapter 7 (one-way layout with random effects, equal numbers).
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fusionseq.console import run_checked
from fusionseq.errors import PipelineError
from fusionseq.params import parse_params
from fusionseq.paths import Paths
from fusionseq.revisions import find_commit, read_revision

METRICS = ("accuracy", "macro_f1", "loss")


@dataclass(frozen=True)
class VarianceComponents:
    """Where the spread of a number comes from.

    Attributes
    ----------
    mean
        Over all splits and seeds.
    split_variance
        Of the expected value of a split; 0 where the estimate is negative.
    seed_variance
        Of training seeds within a split.
    is_negative
        Whether the estimate of split_variance was negative: the splits differ less than their seeds let expect.
    """

    mean: float
    split_variance: float
    seed_variance: float
    is_negative: bool


def compute_variance_components(values: NDArray[np.float64]) -> VarianceComponents:
    """Estimate the variance between splits and within them, by the method of moments.

    Parameters
    ----------
    values
        float64 of shape (num_splits, num_seeds), at least two of each.
    """
    num_seeds = values.shape[1]
    if min(values.shape) < 2:
        raise ValueError(f"values must be of two splits and two seeds at least. Got shape {values.shape}.")
    within = float(values.var(axis=1, ddof=1).mean())
    # The mean of a split's seeds varies with the split, and with its share of what varies between seeds.
    between = float(values.mean(axis=1).var(ddof=1)) - within / num_seeds
    return VarianceComponents(float(values.mean()), max(0.0, between), within, between < 0)


@dataclass(frozen=True)
class SplitResults:
    """The results of one split.

    Attributes
    ----------
    params
        All parameters but `split.seed`.
    split_seed
        That one.
    seeds
        Training seeds.
    values
        By the name of the model and of the metric, of each training seed.
    """

    params: Mapping[str, Any]
    split_seed: int
    seeds: Sequence[int]
    values: Mapping[str, Mapping[str, Sequence[float]]]


def build_variances(splits: Sequence[SplitResults]) -> dict[str, Any]:
    """Estimate the components for each model, and for the reference less each other model.

    Parameters
    ----------
    splits
        With the same models and seeds.
    """
    first, *others = splits[0].values

    def estimate(metric: str, name: str, other: str | None = None) -> dict[str, Any]:
        values = np.array([split.values[name][metric] for split in splits])
        if other is not None:
            values -= np.array([split.values[other][metric] for split in splits])
        return asdict(compute_variance_components(values))

    return {
        "split_seeds": [split.split_seed for split in splits],
        "seeds": list(splits[0].seeds),
        "models": {name: {metric: estimate(metric, name) for metric in METRICS} for name in (first, *others)},
        "differences": {
            f"{first} - {name}": {metric: estimate(metric, first, name) for metric in METRICS} for name in others
        },
    }


def read_splits(paths: Paths, revisions: Sequence[str]) -> list[SplitResults]:
    """Read the results of Git revisions and experiments that differ in `split.seed` alone.

    Raises
    ------
    PipelineError
        A revision or its files cannot be read, or they cannot be compared.
    """
    if len(revisions) < 2:
        raise PipelineError(f"name two revisions or experiments at least, each of another split. Got {revisions[0]}.")
    splits = [_read_split(paths, revision) for revision in revisions]
    seen: dict[int, str] = {}
    for revision, split in zip(revisions, splits, strict=True):
        if split.split_seed in seen:
            raise PipelineError(
                f"{seen[split.split_seed]} and {revision} hold the same split; name one of them. Got split.seed "
                f"{split.split_seed} twice."
            )
        seen[split.split_seed] = revision
        differing = _list_differing(splits[0], split)
        if differing:
            raise PipelineError(
                f"{revisions[0]} and {revision} must differ in split.seed alone; run both with the same of all else. "
                f"They differ in {', '.join(differing)}."
            )
    if len(splits[0].seeds) < 2:
        raise PipelineError(f"params.yaml: seeds must be two at least, or none vary. Got {splits[0].seeds}.")
    return splits


def _list_differing(first: SplitResults, second: SplitResults) -> list[str]:
    differing = [f"{key} of params.yaml" for key in first.params if first.params[key] != second.params[key]]
    if list(first.values) != list(second.values):
        differing.append("their models")
    if first.seeds != second.seeds:
        differing.append("the seeds of statistics.json")
    return differing


def _read_split(paths: Paths, revision: str) -> SplitResults:
    commit = find_commit(paths.root, revision)
    text = read_revision(paths.root, paths.params, revision, commit)
    params = parse_params(text, f"{revision}: {paths.params.name}").model_dump()
    try:
        statistics = json.loads(read_revision(paths.root, paths.statistics, revision, commit))
        values = {
            name: {metric: [float(row[metric]) for row in of_model["per_seed"]] for metric in METRICS}
            for name, of_model in statistics["models"].items()
        }
        if not values or any(len(row) != len(statistics["seeds"]) for of in values.values() for row in of.values()):
            raise ValueError("not as many values as seeds")
        return SplitResults(params, params["split"].pop("seed"), statistics["seeds"], values)
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise PipelineError(
            f"{revision}: {paths.statistics.name} holds no results that this program wrote; run that experiment anew."
        ) from error


def format_variances(variances: Mapping[str, Any]) -> str:
    """Lay the components out as text, a block for each model and for each difference."""
    blocks = [
        f"split.seed {', '.join(map(str, variances['split_seeds']))}; seeds {', '.join(map(str, variances['seeds']))}"
    ]
    for title, of_metrics in (variances["models"] | variances["differences"]).items():
        lines = [title, f"  {'':<10}{'mean':>9}{'sd, splits':>13}{'sd, seeds':>12}"]
        for metric, found in of_metrics.items():
            deviations = (found[f"{source}_variance"] ** 0.5 for source in ("split", "seed"))
            note = "  estimate of splits below 0, taken for 0" if found["is_negative"] else ""
            lines.append("  {:<10}{:>9.4f}{:>13.4f}{:>12.4f}".format(metric, found["mean"], *deviations) + note)
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks)


def main() -> None:
    """Print the variance from splits and from seeds over several revisions."""
    parser = argparse.ArgumentParser(
        prog="python -m fusionseq.variance",
        description="Report apart the variance from splits and from training seeds.",
    )
    parser.add_argument("revisions", nargs="+", metavar="REV", help="a Git revision or the name of an experiment")
    parser.add_argument("--json", action="store_true", help="print JSON in place of a table")
    arguments = parser.parse_args()

    def run() -> None:
        variances = build_variances(read_splits(Paths(Path.cwd()), arguments.revisions))
        print(json.dumps(variances, indent=2) if arguments.json else format_variances(variances))

    run_checked(run)


if __name__ == "__main__":
    main()
