"""Draw the figures of the paper and of the README.

Source: the source paper, Section 9.
"""

import numpy as np

from fusionseq.artifacts import read_array, read_json, read_subsets, read_table
from fusionseq.console import logger, run_stage
from fusionseq.params import Params
from fusionseq.paths import Paths
from fusionseq.plotting.comparison import plot_metric_comparison
from fusionseq.plotting.confusion import plot_confusion_matrices
from fusionseq.plotting.curves import plot_training_curves
from fusionseq.plotting.samples import plot_class_distribution, plot_samples
from fusionseq.plotting.saving import write_figure
from fusionseq.splitting import count_classes


def figures(params: Params, paths: Paths) -> None:  # noqa: ARG001, every stage takes the same two
    """Draw the figures of the paper and of the README."""
    subsets = read_subsets(paths.subsets)
    classes = subsets.class_names
    counts = count_classes(subsets.labels, subsets.subset, len(classes))
    statistics = read_json(paths.statistics)
    models = statistics["models"]
    history = {model: read_table(paths.history(model)) for model in models}
    matrices = {model: np.array(models[model]["confusion"], dtype=np.int64) for model in models}
    drawn = {
        "class_distribution": plot_class_distribution(counts, classes),
        "samples": plot_samples(read_array(paths.processed), subsets.labels, classes),
        "training_curves": plot_training_curves(history),
        "confusion_matrices": plot_confusion_matrices(matrices, classes),
        "metric_comparison": plot_metric_comparison(models, statistics["confidence"]),
    }
    for name, figure in drawn.items():
        write_figure(paths.figures, name, figure)
    logger.info("figures: %d figures as PDF and PNG", len(drawn))


if __name__ == "__main__":
    run_stage(figures)
