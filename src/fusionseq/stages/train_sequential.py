"""Train the sequential model in two phases, for one seed.

Source: the source paper, Sections 7 and 8.
"""

from fusionseq.artifacts import read_subsets
from fusionseq.console import choose_verbosity, logger, run_stage
from fusionseq.feature_files import read_inputs
from fusionseq.live import logging_curves
from fusionseq.model_files import Conditions, ModelCard, build_model, write_model
from fusionseq.models.cutting import list_stored
from fusionseq.params import Params
from fusionseq.paths import Paths
from fusionseq.resuming import SavedProgress
from fusionseq.runtime import configure_runtime, using_devices
from fusionseq.streaming import stream_batches
from fusionseq.training import Execution, find_kept, train_model
from fusionseq.weight_files import read_backbones


def train_sequential(params: Params, paths: Paths, seed: int) -> None:
    """Train the sequential model in two phases, for one seed."""
    runtime, head = params.runtime, params.head
    configure_runtime(runtime.threads, runtime.precision, runtime.deterministic)
    subsets = read_subsets(paths.subsets)
    classes, names = subsets.class_names, tuple(params.backbones)
    cuts = {names[0]: params.first_trained_layer[names[0]]}
    folder = paths.model("sequential", seed)
    card = ModelCard("sequential", names, seed, params.image_size, classes, head.units, head.dropout, cuts)
    with using_devices(runtime.devices) as num_devices:
        model = build_model(card)
        read_backbones(paths.backbones, model)
        inputs = read_inputs(paths.features, paths.processed, list_stored(model, cuts))
        progress = SavedProgress(paths.scratch, model, inputs, subsets, cuts, params.training, runtime, seed)
        with logging_curves(folder) as observe:
            execution = Execution(runtime.jit_compile, num_devices, stream_batches, choose_verbosity(), observe)
            history = train_model(model, inputs, subsets, cuts, params.training, seed, execution, progress)
    conditions = Conditions.of_training(runtime, inputs)
    write_model(folder, card, conditions, model, history)
    progress.clear()
    kept = find_kept(history, params.training)
    logger.info("train_sequential: seed %d, validation accuracy %.4f", seed, kept.validation_accuracy)


if __name__ == "__main__":
    run_stage(train_sequential)
