"""Compare experiments, for a pull request: `python -m fusionseq.compare REV... [--format text|markdown|json]`.

Each REV is a Git revision, the name of an experiment of `dvc exp show`, or `workspace`, which is the working tree; the
first is the baseline. Results are read from `reports/`, whose predictions are paired by the names of their images:
nothing is trained or evaluated.

The JSON has these keys. Shares and differences are from -1 to 1, and a difference is revision less baseline.

baseline : the first revision
confidence, resamples : of each interval
revisions : list, in the order asked for
    revision : as asked for
    commit : its hash, null for the working tree
    num_images : size of the test subset
    seeds : list of training seeds, sorted
    models : by name, of `accuracy`, `macro_f1` and `loss` (nats) each `mean` and, of two seeds or more, `std`
parameters : those that differ, by dotted name: the value of each revision that has it
comparisons : list, by model of the baseline, then by revision
    model, revision : what is compared with the same model of the baseline
    better : the revision with the higher accuracy, null where both are equal
    accuracy_difference, macro_f1_difference : `mean`, and `interval` from the bootstrap over images and seeds
    loss_difference : `mean`, in nats
    only_revision, only_baseline : number of predictions, over images and seeds, that one alone has right
    p_value : exact paired permutation test over images, two-sided
    p_value_corrected : after Holm, over all of this list
    verdict : "shown" (corrected p-value significant, and interval without 0), "open", or "equal"
left_out : list of `revision` and `reason`, a sentence that tells what is not compared, and why
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from fusionseq.console import run_checked
from fusionseq.errors import PipelineError
from fusionseq.experiments import Experiment, check_experiment, parse_parameters, parse_predictions, parse_statistics
from fusionseq.paths import Paths
from fusionseq.revisions import WORKSPACE, find_commit, read_revision


def read_experiments(paths: Paths, revisions: Sequence[str]) -> list[Experiment]:
    """Read the results of revisions, experiments or the working tree.

    Raises
    ------
    PipelineError
        One is named twice or not known, has no results, or they are not whole.
    """
    twice = [revision for revision in dict.fromkeys(revisions) if revisions.count(revision) > 1]
    if twice:
        raise PipelineError(f"name each revision once. Got {twice[0]} more than once.")
    return [_read_experiment(paths, revision) for revision in revisions]


def _read_experiment(paths: Paths, revision: str) -> Experiment:
    commit = find_commit(paths.root, revision)

    def read(path: Path) -> tuple[str, str]:
        """Give the text of a file, and what an error calls it."""
        return read_revision(paths.root, path, revision, commit), f"{revision}: {path.relative_to(paths.root)}"

    statistics = parse_statistics(*read(paths.statistics))
    predictions = {name: parse_predictions(*read(paths.predictions(name))) for name in statistics.models}
    experiment = Experiment(revision, commit, parse_parameters(*read(paths.params)), statistics, predictions)
    check_experiment(experiment)
    return experiment


def main() -> None:
    """Print a comparison of the revisions that the command line names."""
    parser = argparse.ArgumentParser(
        prog="python -m fusionseq.compare",
        description="Compare experiments by their metrics, parameters and paired predictions.",
    )
    parser.add_argument("revisions", nargs="+", metavar="REV", help=f"Git revision, experiment, or {WORKSPACE}")
    parser.add_argument("--format", choices=("text", "markdown", "json"), default="text", help="default: text")
    arguments = parser.parse_args()

    def run() -> None:
        # scipy takes a moment to import.
        from fusionseq.comparison_text import MARKDOWN, TEXT, format_report
        from fusionseq.pairing import build_report

        report = build_report(read_experiments(Paths(Path.cwd()), arguments.revisions))
        text = (
            json.dumps(report, indent=2, ensure_ascii=False, default=str) + "\n"
            if arguments.format == "json"
            else format_report(report, MARKDOWN if arguments.format == "markdown" else TEXT)
        )
        # The same bytes in any locale.
        sys.stdout.buffer.write(text.encode())

    run_checked(run)


if __name__ == "__main__":
    main()
