"""Turn pretrained weights into one file for each backbone.

Source: the source paper, Section 6.
"""

from fusionseq.artifacts import write_json
from fusionseq.catalog import BACKBONES
from fusionseq.console import logger, run_stage
from fusionseq.models.weights import build_pretrained
from fusionseq.params import Params
from fusionseq.paths import Paths
from fusionseq.weight_files import read_embedded, write_weights


def backbones(params: Params, paths: Paths) -> None:
    """Turn pretrained weights into one file for each backbone."""
    weights, record = read_embedded(paths.embedded_weights, paths.embedded_record, params.weights.sha256)
    for name in BACKBONES:
        write_weights(paths.backbones / f"{name}.weights.h5", build_pretrained(name, weights))
    write_json(paths.backbone_record, record)
    logger.info("backbones: %s from %s", ", ".join(BACKBONES), params.weights.source)


if __name__ == "__main__":
    run_stage(backbones)
