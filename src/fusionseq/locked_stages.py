"""The stages of dvc.yaml with the digests of dvc.lock, as DVC itself reads them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fusionseq.errors import PipelineError


@dataclass(frozen=True)
class LockedOutput:
    """What a stage made.

    Attributes
    ----------
    path
        File or folder.
    digest
        MD5 of a file, or that of a folder's list of files followed by ".dir"; "" where dvc.lock has none.
    is_cached
        Whether a copy lies in DVC's cache; everything else lies in Git.
    """

    path: Path
    digest: str
    is_cached: bool


@dataclass(frozen=True)
class LockedStage:
    """A stage, or one item of a matrix stage such as train_fusion@0.

    Attributes
    ----------
    name
        As DVC addresses it in the root folder.
    commands
        Shell lines, run one after the other.
    folder
        Where they run.
    dependencies
        Files and folders that they read, those of parameters included.
    outputs
        What they make.
    """

    name: str
    commands: tuple[str, ...]
    folder: Path
    dependencies: tuple[Path, ...]
    outputs: tuple[LockedOutput, ...]


@dataclass(frozen=True)
class LockedPipeline:
    """All stages of a DVC repository.

    Attributes
    ----------
    root
        The repository's folder.
    cache
        Folder of the cache's objects, named by their MD5.
    scratch
        Folder in which DVC keeps temporary files, outside Git and on the disk of the repository.
    stages
        In the order of dvc.yaml.
    ignore
        DVC's filter of what .dvcignore names.
    """

    root: Path
    cache: Path
    scratch: Path
    stages: tuple[LockedStage, ...]
    ignore: Any

    @property
    def outputs(self) -> list[LockedOutput]:
        """The outputs of all stages."""
        return [output for stage in self.stages for output in stage.outputs]

    def find_stages(self, names: Sequence[str]) -> list[LockedStage]:
        """Find stages by their names, in the order of the names."""
        stages = {stage.name: stage for stage in self.stages}
        if missing := [name for name in names if name not in stages]:
            raise PipelineError(f"dvc.yaml has no stage {missing[0]}; it has {', '.join(stages)}.")
        return [stages[name] for name in names]

    def name(self, path: Path) -> str:
        """Name a file by its path from the root."""
        return path.relative_to(self.root).as_posix()

    def list_files(self, path: Path) -> list[Path]:
        """List a file, or those of a folder that .dvcignore does not name.

        Raises
        ------
        PipelineError
            It does not exist.
        """
        if not path.exists():
            raise PipelineError(
                f"{self.name(path)} does not exist; `git checkout`, `dvc pull` or `make reproduce` brings it back."
            )
        from dvc_objects.fs.local import localfs

        return sorted(map(Path, self.ignore.find(localfs, str(path)))) if path.is_dir() else [path]


def read_pipeline(folder: Path) -> LockedPipeline:
    """Read all stages of the DVC repository around a folder.

    Raises
    ------
    PipelineError
        There is none, DVC does not understand its dvc.yaml or dvc.lock, or cannot write its own files.
    """
    # It takes a second to import.
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    try:
        with Repo(str(folder)) as repo:
            stages = tuple(_describe_stage(stage, Path(repo.root_dir)) for stage in repo.index.stages)
            root, cache, scratch = (Path(path) for path in (repo.root_dir, repo.cache.repo.path, repo.tmp_dir))
            return LockedPipeline(root, cache, scratch, stages, repo.dvcignore)
    except DvcException as error:
        raise PipelineError(
            f"DVC cannot read a pipeline here; run this in the folder of dvc.yaml, and if a merge or the disk damaged "
            f"dvc.lock, bring it back with `git checkout dvc.lock`. Got {' '.join(str(error).split())}"
        ) from error
    except OSError as error:
        raise PipelineError(describe_unwritable(error)) from error


def describe_unwritable(error: OSError) -> str:
    """Say what DVC, which writes even where it only looks, could not write."""
    name = error.filename or ".dvc/tmp"
    return f"{name} must be yours to write: DVC keeps its locks there. Got {error.strerror or error}."


def _describe_stage(stage: Any, root: Path) -> LockedStage:
    file = Path(stage.path).relative_to(root).as_posix()
    # A stage of another dvc.yaml goes by its file too, and the stage of a .dvc file by nothing else.
    name = stage.name if file == "dvc.yaml" else ":".join(filter(None, (file, stage.name)))
    commands = (stage.cmd,) if isinstance(stage.cmd, str) else tuple(stage.cmd or ())
    dependencies = tuple(Path(dependency.fs_path) for dependency in stage.deps)
    outputs = tuple(
        LockedOutput(Path(output.fs_path), str(output.hash_info.value or ""), output.use_cache) for output in stage.outs
    )
    return LockedStage(name, commands, Path(stage.wdir), dependencies, outputs)
