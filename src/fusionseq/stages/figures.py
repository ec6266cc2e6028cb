"""Draw the figures of the paper and of the README.

Source: the source paper, Section 9.
"""

import numpy as np

from fusionseq.artifacts import read_json, read_subsets, read_table
from fusionseq.console import logger, run_stage
from fusionseq.model_catalog import PAPER_MODELS
from fusionseq.params import Params
from fusionseq.paths import Paths
from fusionseq.plotting.class_f1 import plot_class_f1
from fusionseq.plotting.comparison import plot_metric_comparison
from fusionseq.plotting.confusion import plot_confusion_matrices
from fusionseq.plotting.curves import plot_training_curves
from fusionseq.plotting.error_gallery import plot_errors
from fusionseq.plotting.forest import plot_differences
from fusionseq.plotting.reliability import plot_reliability
from fusionseq.plotting.samples import plot_class_distribution, plot_samples
from fusionseq.plotting.saving import write_figure
from fusionseq.shard_files import ShardedArray
from fusionseq.splitting import count_classes


def figures(params: Params, paths: Paths) -> None:  # noqa: ARG001, every stage takes the same two
    """Draw the figures of the paper and of the README."""
    subsets = read_subsets(paths.subsets)
    classes, images = subsets.class_names, ShardedArray(paths.processed)
    counts = count_classes(subsets.labels, subsets.subset, len(classes))
    statistics = read_json(paths.statistics)
    models, errors = statistics["models"], statistics["errors"]
    titles = {name: of_model["title"] for name, of_model in models.items()}
    history = {name: read_table(paths.history(name)) for name, of_model in models.items() if not of_model["members"]}
    matrices = {name: np.array(models[name]["confusion"], dtype=np.int64) for name in PAPER_MODELS}
    wrong = images[subsets.rows("test")[[error["position"] for error in errors]]]
    drawn = {
        "class_distribution": plot_class_distribution(counts, classes),
        "samples": plot_samples(images, subsets.labels, classes),
        "training_curves": plot_training_curves(history, titles),
        "confusion_matrices": plot_confusion_matrices(matrices, titles, classes),
        "metric_comparison": plot_metric_comparison(models, statistics["confidence"]),
        "differences": plot_differences(statistics["comparisons"], titles, statistics["confidence"]),
        "reliability": plot_reliability(models),
        "class_f1": plot_class_f1(models, classes),
        "errors": plot_errors(errors, wrong, titles, classes),
    }
    for name, figure in drawn.items():
        write_figure(paths.figures, name, figure)
    logger.info("figures: %d figures as PDF and PNG", len(drawn))


if __name__ == "__main__":
    run_stage(figures)
