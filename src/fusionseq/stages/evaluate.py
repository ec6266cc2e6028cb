"""Evaluate every trained model on the test subset, and compare the models.

Source: the source paper, Section 9.
"""

from fusionseq.artifacts import read_subsets, write_json, write_table
from fusionseq.console import logger, run_stage, track
from fusionseq.ensemble import average_runs
from fusionseq.feature_files import read_inputs
from fusionseq.model_catalog import describe_ensemble, describe_model, find_model, list_models
from fusionseq.model_files import (
    build_model,
    read_card,
    read_conditions,
    read_contents,
    read_history,
    read_model_weights,
)
from fusionseq.models.cutting import list_stored
from fusionseq.params import Params
from fusionseq.paths import Paths
from fusionseq.prediction import CutModel
from fusionseq.runtime import configure_runtime
from fusionseq.statistics import Run, build_metrics, build_statistics
from fusionseq.tables import PREDICTION_COLUMNS, tabulate_predictions, tabulate_probabilities


def evaluate(params: Params, paths: Paths) -> None:
    """Evaluate every trained model on the test subset, and compare the models."""
    runtime, chosen = params.runtime, params.statistics
    configure_runtime(runtime.threads, runtime.precision, runtime.deterministic)
    subsets = read_subsets(paths.subsets)
    test, validation = subsets.rows("test"), subsets.rows("validation")
    runs: dict[str, list[Run]] = {}
    contents = {}
    for name in list_models(params.controls):
        folders = [paths.model(name, seed) for seed in params.seeds]
        card = read_card(folders[0])
        model = build_model(card)
        inputs = read_inputs(paths.features, paths.processed, list_stored(model, card.first_trained_layer))
        cut_model = CutModel(model, card.first_trained_layer, read_conditions(folders[0]).cut_dtype)
        runs[name] = []
        for seed, folder in zip(params.seeds, track(folders, f"evaluate {name}", len(folders)), strict=True):
            read_model_weights(folder, model)
            runs[name].append(Run(seed, *(cut_model.predict_rows(inputs, rows) for rows in (test, validation))))
        names = {"title": find_model(name).title, "description": describe_model(name, card.backbones), "members": []}
        contents[name] = names | read_contents(folders[0])
        write_table(paths.history(name), *read_history(folders))
    if params.ensemble:
        runs["ensemble"] = average_runs([runs[name] for name in params.ensemble])
        description = describe_ensemble(params.ensemble)
        contents["ensemble"] = {"title": "Ensemble", "description": description, "members": params.ensemble}
    for name, of_model in runs.items():
        write_table(paths.predictions(name), PREDICTION_COLUMNS, tabulate_predictions(subsets, of_model))
        columns = ("image", "seed", *subsets.class_names)
        write_table(paths.probabilities(name), columns, tabulate_probabilities(subsets, of_model))
    labels = (subsets.labels[test], subsets.labels[validation])
    statistics = build_statistics(*labels, runs, contents, chosen.confidence, chosen.resamples)
    metrics = build_metrics(statistics)
    write_json(paths.metrics, metrics)
    write_json(paths.statistics, statistics)
    means = ", ".join(f"{name} {of_model['accuracy']['mean']:.4f}" for name, of_model in metrics.items())
    logger.info("evaluate: mean test accuracy %s", means)


if __name__ == "__main__":
    run_stage(evaluate)
