"""Fill the paper's template with the results of the run, and typeset it.

Source: the source paper as a whole; its own numbers are in paper/published.yaml.
"""

import yaml

from fusionseq.artifacts import read_bytes, read_json, read_subsets, read_table, write_text
from fusionseq.catalog import BACKBONES
from fusionseq.claims import choose_claims
from fusionseq.console import logger, run_stage
from fusionseq.params import Params
from fusionseq.paths import Paths
from fusionseq.provenance import compute_digest
from fusionseq.reporting import render
from fusionseq.splitting import count_classes
from fusionseq.timings import parse_timings
from fusionseq.typesetting import typeset


def paper(params: Params, paths: Paths) -> None:
    """Fill the paper's template with the results of the run, and typeset it."""
    subsets = read_subsets(paths.subsets)
    counts = count_classes(subsets.labels, subsets.subset, len(subsets.class_names))
    statistics = read_json(paths.statistics)
    manifest = read_json(paths.manifest)
    results = [path(name) for name in statistics["models"] for path in (paths.predictions, paths.probabilities)]
    results += [paths.history(name) for name in params.models]
    text = render(
        read_bytes(paths.template).decode("utf-8"),
        {
            "params": params.model_dump(),
            "statistics": statistics,
            "models": list(statistics["models"]),
            "claims": choose_claims(statistics, {name: BACKBONES[name].title for name in params.backbones}),
            "benchmark": parse_timings(read_bytes(paths.benchmark)).model_dump(mode="json"),
            "mode": read_json(paths.feature_mode(params.backbones[0]))["mode"],
            "published": yaml.safe_load(read_bytes(paths.published)),
            "manifest": manifest,
            "skipped": manifest["skipped"] + read_table(paths.skipped),
            "duplicates": read_json(paths.duplicates),
            "embedded": read_json(paths.backbone_record),
            "recipe": yaml.safe_load(read_bytes(paths.embedded_recipe)),
            "backbones": BACKBONES,
            "class_names": subsets.class_names,
            "counts": {name: of_subset.tolist() for name, of_subset in counts.items()},
            "digests": {
                "code": compute_digest(paths.root, [paths.code]),
                "parameters": compute_digest(paths.root, [paths.params]),
                "environment": compute_digest(paths.root, [paths.requirements, paths.gpu_requirements]),
                "data": compute_digest(paths.root, [paths.raw]),
                "timings": compute_digest(paths.root, [paths.benchmark]),
                "results": compute_digest(paths.root, [paths.metrics, paths.statistics, *results]),
            },
        },
        {path.name: read_bytes(path).decode("utf-8") for path in sorted(paths.sections.iterdir())},
    )
    write_text(paths.report_source, text)
    typeset(paths.report_source, paths.report)
    logger.info("paper: %s", paths.report.name)


if __name__ == "__main__":
    run_stage(paper)
