"""Train the sequential model in two phases, for one seed.

Source: the source paper, Sections 7 and 8.
"""

from fusionseq.artifacts import read_subsets
from fusionseq.console import choose_verbosity, logger, run_stage
from fusionseq.feature_files import read_features
from fusionseq.model_files import ModelCard, write_model
from fusionseq.models.cutting import list_backbones
from fusionseq.models.sequential import build_sequential
from fusionseq.params import Params
from fusionseq.paths import Paths
from fusionseq.resuming import SavedProgress
from fusionseq.runtime import configure_runtime
from fusionseq.training import train_model
from fusionseq.weight_files import read_backbones


def train_sequential(params: Params, paths: Paths, seed: int) -> None:
    """Train the sequential model in two phases, for one seed."""
    configure_runtime(params.runtime.threads)
    subsets = read_subsets(paths.subsets)
    head = params.head
    model = build_sequential(params.image_size, len(subsets.class_names), head.units, head.dropout, seed)
    read_backbones(paths.backbones, model)
    names = list_backbones(model)
    cuts = {name: params.first_trained_layer[name] for name in names}
    features = {name: read_features(paths.features, name) for name in names}
    progress = SavedProgress(paths.scratch, model, features, subsets, cuts, params.training, params.runtime, seed)
    compiled = params.runtime.jit_compile
    history = train_model(model, features, subsets, cuts, params.training, seed, compiled, progress, choose_verbosity())
    card = ModelCard("sequential", seed, params.image_size, subsets.class_names, head.units, head.dropout, cuts)
    write_model(paths.model("sequential", seed), card, model, history)
    progress.clear()
    logger.info("train_sequential: seed %d, validation accuracy %.4f", seed, history[-1].validation_accuracy)


if __name__ == "__main__":
    run_stage(train_sequential)
