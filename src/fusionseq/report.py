"""Write all results on one page: `python -m fusionseq.report [--output FILE]`.

The page opens from a file, and fetches nothing: scripts and images lie in it. The same results give the same bytes.
"""

import argparse
import csv
import hashlib
import json
from collections.abc import Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from fusionseq.artifacts import read_bytes, read_subsets, read_table, write_text
from fusionseq.catalog import BACKBONES
from fusionseq.commits import run_git
from fusionseq.console import logger, run_checked
from fusionseq.errors import PipelineError
from fusionseq.experiments import parse_parameters
from fusionseq.locked_outputs import Where, find_damage
from fusionseq.locked_stages import LockedPipeline, read_pipeline
from fusionseq.params import read_params
from fusionseq.paths import Paths
from fusionseq.shard_files import ShardedArray

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from fusionseq.page.results import Results

_DEFAULT = Path("reports", "index.html")


def collect_values(paths: Paths) -> dict[str, Any]:
    """Read the results of a checkout, and lay out what the page shows.

    Raises
    ------
    PipelineError
        Results are missing, damaged, of another version of the program, or not those of dvc.lock.
    """
    from fusionseq.page.answers import build_answers
    from fusionseq.page.icons import build_looks
    from fusionseq.page.plain import read_citations
    from fusionseq.page.results import parse_results
    from fusionseq.page.sheets import (
        embed_figures,
        group_parameters,
        lay_out_accuracies,
        lay_out_confusions,
        lay_out_curves,
        lay_out_errors,
        name_classes,
    )
    from fusionseq.plotting.style import choose_colours, choose_markers

    pipeline = read_pipeline(paths.root)
    _check_outputs(paths, pipeline)
    params = read_params(paths.params)
    parameters = parse_parameters(_read_text(paths.params), paths.params.name)
    text = _read_text(paths.statistics)
    results = parse_results(text, _name(paths, paths.statistics))
    written_names, image_names = _read_names(paths, results)
    class_names = name_classes(written_names)
    looks = build_looks(results.titles, choose_colours(results.models), choose_markers(results.models))
    history = {name: read_table(paths.history(name)) for name, model in results.models.items() if not model.members}
    figures = {path.stem: read_bytes(path) for path in sorted(paths.figures.glob("*.png"))}
    citations = read_citations(_read_text(paths.paper / "references.bib"))
    backbones = {name: BACKBONES[name].title for name in params.backbones}
    pixels = _read_pixels(paths, results, image_names)
    try:
        answers = build_answers(json.loads(text), backbones, citations)
        errors = lay_out_errors(results, image_names, class_names, pixels)
    # A sentence that lacks a number is an error of its template.
    except (LookupError, TypeError, PipelineError) as error:
        raise PipelineError(
            f"{_name(paths, paths.statistics)} holds no results of this version of the program ({error}); run "
            "`make reproduce`."
        ) from error
    return {
        "results": results,
        "class_names": class_names,
        "looks": looks,
        "answers": answers,
        "figures": embed_figures(figures),
        "errors": errors,
        "parameters": group_parameters(parameters),
        **lay_out_accuracies(results),
        **lay_out_curves(history, looks),
        **lay_out_confusions(results, class_names),
        **_read_pipeline_values(paths, pipeline, parameters),
    }


def _check_outputs(paths: Paths, pipeline: LockedPipeline) -> None:
    """Make sure that reports/ is whole, and what dvc.lock says."""
    reports = paths.statistics.parent
    outputs = [output for output in pipeline.outputs if output.path.is_relative_to(reports)]
    if paths.statistics not in [output.path for output in outputs]:
        raise PipelineError(f"no stage of dvc.yaml makes {_name(paths, paths.statistics)}; `git checkout dvc.yaml`.")
    for output in outputs:
        for damage in find_damage(output, pipeline):
            if damage.where is Where.ABSENT:
                raise PipelineError(f"{damage.name} does not exist; run `make reproduce`.")
            if damage.where in {Where.LOCK, Where.WORKSPACE}:
                raise PipelineError(f"{damage.name} {damage.reason}.")


def _read_names(paths: Paths, results: "Results") -> tuple[list[str], list[str]]:
    """Read the names of the classes, and those of the test images in their order."""
    first = next(iter(results.models))
    header = next(csv.reader(StringIO(_read_text(paths.probabilities(first)), newline="")), [])
    class_names = header[2:]
    images = [row["image"] for row in read_table(paths.predictions(first))[: results.test.num_images]]
    if len(class_names) != results.test.num_classes or len(images) != results.test.num_images:
        raise PipelineError(
            f"{_name(paths, paths.probabilities(first))} and {_name(paths, paths.statistics)} are not of one run; run "
            "`make reproduce`."
        )
    return class_names, images


def _read_pixels(paths: Paths, results: "Results", image_names: Sequence[str]) -> "list[NDArray[np.uint8]] | None":
    """Read the images that models get most wrong; none in a clone that has the results alone."""
    if not paths.subsets.exists() or not paths.processed.exists():
        return None
    try:
        subsets, images = read_subsets(paths.subsets), ShardedArray(paths.processed)
    except (KeyError, TypeError, ValueError, csv.Error) as error:
        raise PipelineError(f"{_name(paths, paths.subsets)} is damaged ({error}); run `make reproduce`.") from error
    test = subsets.rows("test")
    if [subsets.names[row] for row in test] != list(image_names) or len(images) != len(subsets.names):
        raise PipelineError(
            f"{_name(paths, paths.subsets)} is not of the run that made {_name(paths, paths.statistics)}; run "
            "`make reproduce`."
        )
    return [images[test[error.position]] for error in results.errors]


def _read_pipeline_values(paths: Paths, pipeline: LockedPipeline, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Read the graph of the stages, and where each result comes from."""
    from fusionseq.page.graph import draw_graph, find_needs, group_items
    from fusionseq.page.origins import find_changed, find_code, find_origins, find_outdated, list_entries

    root, lock = pipeline.root, _load_yaml(paths.lock)
    own = [stage for stage in pipeline.stages if ":" not in stage.name]
    names = [stage.name for stage in own]
    if (changed := find_changed(lock, names, parameters)) is not None:
        raise PipelineError(f"the results are of another value of {changed} in params.yaml; run `make reproduce`.")
    entries = [entry for entry in list_entries(lock) if entry.name in names]
    outdated = find_outdated(entries, ("evaluate", "figures"), lambda digest: _read_members(pipeline.cache, digest))
    if outdated is not None:
        raise PipelineError(f"{outdated[0]} ran before {outdated[1]} was last made; run `make reproduce`.")
    stages = group_items([
        (
            stage.name,
            [pipeline.name(path) for path in stage.dependencies if path.is_relative_to(root) and path != paths.params],
            [pipeline.name(output.path) for output in stage.outputs],
        )
        for stage in own
    ])  # fmt: skip
    needs = find_needs(stages)
    described = _load_yaml(root / "dvc.yaml")["stages"]
    shown = [pipeline.name(output.path) for stage in own for output in stage.outputs if not output.is_cached]
    return {
        "stages": stages,
        "needs": needs,
        "drawing": draw_graph(needs),
        "descriptions": {stage.name: described[stage.name].get("desc", "") for stage in stages},
        "entries": entries,
        "origins": find_origins(entries, [path for path in shown if path.startswith("reports/")]),
        "code": find_code(entries, _name(paths, paths.code)),
        "commit": _find_commit(paths),
    }


def _read_members(cache: Path, digest: str) -> dict[str, str] | None:
    """Read from DVC's cache which files a folder had, by their digests; None in a clone that has the results alone."""
    try:
        content = (cache / digest[:2] / digest[2:]).read_bytes()
    except OSError:
        return None
    is_intact = f"{hashlib.md5(content, usedforsecurity=False).hexdigest()}.dir" == digest
    return {file["relpath"]: file["md5"] for file in json.loads(content)} if is_intact else None


def _find_commit(paths: Paths) -> str | None:
    """Find the commit that dvc.lock is in; None where it is not in Git as it stands."""
    name = _name(paths, paths.lock)
    try:
        changed = run_git(paths.root, "status", "--porcelain", "--", name)
        commit = run_git(paths.root, "log", "-1", "--format=%H", "--no-show-signature", "--", name)
    except PipelineError:
        return None
    return None if changed.strip() else commit.decode().strip() or None


def _load_yaml(path: Path) -> Mapping[str, Any]:
    content: Mapping[str, Any] = yaml.load(read_bytes(path), yaml.CSafeLoader)
    return content


def _read_text(path: Path) -> str:
    return read_bytes(path).decode("utf-8")


def _name(paths: Paths, path: Path) -> str:
    return path.relative_to(paths.root).as_posix()


def write_report(paths: Paths, output: Path) -> None:
    """Write the page.

    Raises
    ------
    PipelineError
        Results are missing or damaged, or the page cannot be written.
    """
    from fusionseq.page.rendering import make_library, render_page

    page = render_page(collect_values(paths), make_library())
    try:
        write_text(output, page)
    except OSError as error:
        raise PipelineError(
            f"{output} cannot be written: {error.strerror}. Make room, mend the permissions, or name another --output."
        ) from error
    logger.info("report: %s, %.1f MB; open it in a browser", output, output.stat().st_size / 1e6)


def main() -> None:
    """Write the page of the current folder."""
    parser = argparse.ArgumentParser(
        prog="python -m fusionseq.report", description="Write all results on one page that opens without a network."
    )
    parser.add_argument("--output", type=Path, metavar="FILE", default=_DEFAULT, help=f"default: {_DEFAULT}")
    arguments = parser.parse_args()
    run_checked(lambda: write_report(Paths(Path.cwd()), arguments.output))


if __name__ == "__main__":
    main()
