"""Evaluate every trained model on the test subset, and compare the models.

Source: the source paper, Section 9.
"""

from fusionseq.artifacts import read_subsets, write_json, write_table
from fusionseq.console import logger, run_stage, track
from fusionseq.evaluation import evaluate_probabilities
from fusionseq.feature_files import read_inputs
from fusionseq.model_files import (
    build_model,
    read_card,
    read_conditions,
    read_contents,
    read_history,
    read_model_weights,
)
from fusionseq.models.architectures import ARCHITECTURES
from fusionseq.models.cutting import list_backbones
from fusionseq.params import Params
from fusionseq.paths import Paths
from fusionseq.prediction import CutModel
from fusionseq.runtime import configure_runtime
from fusionseq.statistics import Run, build_metrics, build_statistics
from fusionseq.tables import PREDICTION_COLUMNS, tabulate_predictions, tabulate_probabilities


def evaluate(params: Params, paths: Paths) -> None:
    """Evaluate every trained model on the test subset, and compare the models."""
    runtime = params.runtime
    configure_runtime(runtime.threads, runtime.precision, runtime.deterministic)
    subsets = read_subsets(paths.subsets)
    rows = subsets.rows("test")
    y_true = subsets.labels[rows]
    runs: dict[str, list[Run]] = {name: [] for name in ARCHITECTURES}
    contents = {}
    for name, of_model in runs.items():
        folders = [paths.model(name, seed) for seed in params.seeds]
        card = read_card(folders[0])
        model = build_model(card)
        inputs = read_inputs(paths.features, paths.processed, list_backbones(model))
        cut_model = CutModel(model, card.first_trained_layer, read_conditions(folders[0]).cut_dtype)
        for seed, folder in zip(params.seeds, track(folders, f"evaluate {name}", len(folders)), strict=True):
            read_model_weights(folder, model)
            probabilities = cut_model.predict_rows(inputs, rows)
            of_model.append(Run(seed, probabilities, evaluate_probabilities(y_true, probabilities)))
        contents[name] = read_contents(folders[0])
        write_table(paths.history(name), *read_history(folders))
        write_table(paths.predictions(name), PREDICTION_COLUMNS, tabulate_predictions(subsets, of_model))
        columns = ("image", "seed", *subsets.class_names)
        write_table(paths.probabilities(name), columns, tabulate_probabilities(subsets, of_model))
    metrics = build_metrics(runs)
    write_json(paths.metrics, metrics)
    write_json(paths.statistics, build_statistics(y_true, runs, contents, params.statistics.confidence))
    means = ", ".join(f"{name} {of_model['accuracy']['mean']:.4f}" for name, of_model in metrics.items())
    logger.info("evaluate: mean test accuracy %s", means)


if __name__ == "__main__":
    run_stage(evaluate)
