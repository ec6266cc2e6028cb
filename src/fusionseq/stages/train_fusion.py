"""Train the fusion model in two phases, for one seed.

Source: the source paper, Sections 6 and 8.
"""

from fusionseq.artifacts import read_subsets
from fusionseq.console import choose_verbosity, logger, run_stage
from fusionseq.feature_files import read_inputs
from fusionseq.model_files import Conditions, ModelCard, write_model
from fusionseq.models.cutting import list_backbones
from fusionseq.models.fusion import build_fusion
from fusionseq.params import Params
from fusionseq.paths import Paths
from fusionseq.resuming import SavedProgress
from fusionseq.runtime import configure_runtime, using_devices
from fusionseq.streaming import stream_batches
from fusionseq.training import Execution, train_model
from fusionseq.weight_files import read_backbones


def train_fusion(params: Params, paths: Paths, seed: int) -> None:
    """Train the fusion model in two phases, for one seed."""
    runtime = params.runtime
    configure_runtime(runtime.threads, runtime.precision, runtime.deterministic)
    subsets = read_subsets(paths.subsets)
    head = params.head
    with using_devices(runtime.devices) as num_devices:
        model = build_fusion(params.image_size, len(subsets.class_names), head.units, head.dropout, seed)
        read_backbones(paths.backbones, model)
        names = list_backbones(model)
        cuts = {name: params.first_trained_layer[name] for name in names}
        inputs = read_inputs(paths.features, paths.processed, names)
        progress = SavedProgress(paths.scratch, model, inputs, subsets, cuts, params.training, runtime, seed)
        execution = Execution(runtime.jit_compile, num_devices, stream_batches, choose_verbosity())
        history = train_model(model, inputs, subsets, cuts, params.training, seed, execution, progress)
    card = ModelCard("fusion", seed, params.image_size, subsets.class_names, head.units, head.dropout, cuts)
    conditions = Conditions.of_training(runtime, inputs)
    write_model(paths.model("fusion", seed), card, conditions, model, history)
    progress.clear()
    logger.info("train_fusion: seed %d, validation accuracy %.4f", seed, history[-1].validation_accuracy)


if __name__ == "__main__":
    run_stage(train_fusion)
