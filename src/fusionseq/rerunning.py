"""Run stages again in a temporary copy of what they read, which leaves the workspace alone."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from fusionseq.console import logger
from fusionseq.errors import PipelineError
from fusionseq.locked_stages import LockedPipeline, LockedStage


def list_inputs(stages: Sequence[LockedStage]) -> list[Path]:
    """List the files and folders that some stages read and none of them makes."""
    made = {output.path for stage in stages for output in stage.outputs}
    return sorted({path for stage in stages for path in stage.dependencies if not _is_within(path, made)})


@contextmanager
def rerun(pipeline: LockedPipeline, stages: Sequence[LockedStage]) -> Iterator[Path]:
    """Run stages one after the other, each on what those before it made anew.

    Yields
    ------
    Path
        A folder, laid out as the workspace, that holds the new outputs; gone after the block.

    Raises
    ------
    PipelineError
        A dependency is missing, a command fails, or one has written into a dependency.
    """
    with TemporaryDirectory(prefix="verify-", dir=pipeline.scratch) as folder:
        root = Path(folder)
        linked = _copy_inputs(pipeline, stages, root)
        for stage in stages:
            logger.info("verify: running %s again", stage.name)
            _run(stage, root / stage.folder.relative_to(pipeline.root))
        if written := [path for path, state in linked.items() if _read_state(path) != state]:
            raise PipelineError(
                f"a stage wrote into {pipeline.name(written[0])}, which it should only read; mend the stage, then "
                f"remove that file and run `dvc checkout --force`."
            )
        yield root


def _copy_inputs(pipeline: LockedPipeline, stages: Sequence[LockedStage], root: Path) -> dict[Path, tuple[int, int]]:
    """Copy small files and link those of the cache's outputs, which may be many gigabytes; give the state of these."""
    heavy = {output.path for output in pipeline.outputs if output.is_cached}
    linked = {}
    for path in (file for entry in list_inputs(stages) for file in pipeline.list_files(entry)):
        target = root / pipeline.name(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists():
            if _is_within(path, heavy) and _try_to_link(path, target):
                linked[path] = _read_state(path)
            else:
                shutil.copy2(path, target)
    return linked


def _is_within(path: Path, folders: set[Path]) -> bool:
    return not folders.isdisjoint((path, *path.parents))


def _try_to_link(path: Path, target: Path) -> bool:
    try:
        target.hardlink_to(path.resolve())
    except OSError:
        return False  # another disk, or one without hard links
    return True


def _read_state(path: Path) -> tuple[int, int]:
    state = path.stat()
    return state.st_size, state.st_mtime_ns


def _run(stage: LockedStage, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    # The commands say `python`, and mean the one that runs this.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    for command in stage.commands:
        # A command of dvc.yaml is a line for the shell.
        done = subprocess.run(command, shell=True, cwd=folder, env=os.environ | {"PATH": path}, check=False)  # noqa: S602
        if done.returncode:
            raise PipelineError(
                f"{stage.name} fails when it is run again, with exit status {done.returncode}; its own message stands "
                f"above."
            )
