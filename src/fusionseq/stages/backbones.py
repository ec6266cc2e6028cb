"""Turn pretrained weights into one file for each backbone.

Source: the source paper, Section 6.
"""

from fusionseq.artifacts import write_json
from fusionseq.checksums import Checksums
from fusionseq.console import logger, run_stage
from fusionseq.params import Params
from fusionseq.paths import Paths
from fusionseq.pretrained import open_pretrained
from fusionseq.weight_files import write_weights


def backbones(params: Params, paths: Paths) -> None:
    """Turn pretrained weights into one file for each backbone."""
    checksums = Checksums(paths.checksums)
    embedded = (paths.embedded_weights, paths.embedded_record)
    pretrained = open_pretrained(params.weights, params.backbones, *embedded, paths.downloads, checksums)
    for name, model in pretrained.models.items():
        write_weights(paths.backbones / f"{name}.weights.h5", model)
    write_json(paths.backbone_record, pretrained.record)
    logger.info("backbones: %s from %s", ", ".join(pretrained.models), params.weights.source)


if __name__ == "__main__":
    run_stage(backbones)
