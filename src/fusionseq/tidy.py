"""Forget trained models that params.yaml no longer names, by their seed or themselves: `python -m fusionseq.tidy`.

DVC drops neither their folders nor their entries in dvc.lock, and both would make this checkout differ from a fresh
clone of the same commit.
"""

import shutil
from pathlib import Path
from typing import Any

from dvc.utils.serialize import YAMLFileCorruptedError, dump_yaml, load_yaml

from fusionseq.console import logger, run_checked
from fusionseq.errors import PipelineError
from fusionseq.params import read_params
from fusionseq.paths import Paths


def tidy(models: list[str], seeds: list[int], paths: Paths) -> list[str]:
    """Remove all other models and their lock entries, and name what was removed."""
    removed = []
    # A file that someone put there is none of ours.
    for folder in sorted(path for path in paths.models.glob("*/*") if path.is_dir()):
        if folder.parent.name not in models or folder.name not in map(str, seeds):
            shutil.rmtree(folder)
            removed.append(folder.relative_to(paths.root).as_posix())
    for folder in paths.models.glob("*"):
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
    lock = _read_lock(paths.lock) if paths.lock.exists() else {}
    # DVC names them after the items of the matrix, such as train_fusion@0 and train_controls@vgg16-0.
    known = {str(seed) for seed in seeds} | {f"{model}-{seed}" for model in models for seed in seeds}
    left = [name for name in lock.get("stages", {}) if "@" in name and name.partition("@")[2] not in known]
    for name in left:
        del lock["stages"][name]
    if left:
        dump_yaml(paths.lock, lock)
    return removed + left


def _read_lock(path: Path) -> dict[str, Any]:
    try:
        lock = load_yaml(path)
    except YAMLFileCorruptedError:
        lock = None
    if not isinstance(lock, dict):
        raise PipelineError(
            f"{path.name} is damaged, perhaps by a merge; bring it back with `git checkout {path.name}`."
        )
    return lock


def main() -> None:
    """Tidy the current folder."""

    def run() -> None:
        paths = Paths(Path.cwd())
        params = read_params(paths.params)
        for name in tidy(params.models, params.seeds, paths):
            logger.info("tidy: removed %s", name)

    run_checked(run)


if __name__ == "__main__":
    main()
