"""Which stages `dvc repro` would run, as DVC itself finds out, without running one."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fusionseq.errors import PipelineError
from fusionseq.locked_stages import describe_unwritable


@dataclass(frozen=True)
class Staleness:
    """Stages of the root dvc.yaml that are not up to date, in its order.

    Attributes
    ----------
    waiting
        All that would run, some perhaps only because nobody has pulled their data.
    changed
        Those of them whose code, parameters or files are not those of dvc.lock.
    sizes
        Bytes of what each stage puts into the cache according to dvc.lock, for all stages.
    is_as_measured
        Whether those sizes hold: dvc.lock has every stage, with the parameters of today.
    """

    waiting: tuple[str, ...]
    changed: tuple[str, ...]
    sizes: dict[str, int]
    is_as_measured: bool


def find_stale(root: Path) -> Staleness:
    """Hold the files of a DVC repository against dvc.lock.

    Raises
    ------
    PipelineError
        DVC cannot read the pipeline or write its own files, or another command of DVC is at work.
    """
    # It takes a second to import.
    from dvc.exceptions import DvcException
    from dvc.lock import LockError
    from dvc.repo import Repo

    try:
        with Repo(str(root)) as repo, repo.lock:
            # Other pipelines, such as that of the pretraining, are none of what `make reproduce` runs.
            stages = [stage for stage in repo.index.stages if Path(stage.path) == root.resolve() / "dvc.yaml"]
            waiting = [stage for stage in stages if stage.changed()]
            changed = [stage for stage in waiting if stage.changed(allow_missing=True, upstream=stages)]
            sizes = {str(stage.name): _sum_sizes(stage.outs) for stage in stages}
            return Staleness(_list_names(waiting), _list_names(changed), sizes, all(map(_is_as_measured, stages)))
    except LockError as error:
        raise PipelineError("another command of DVC is at work in this folder; wait for its end.") from error
    except DvcException as error:
        raise PipelineError(
            f"DVC cannot read a pipeline here; if a merge or the disk damaged dvc.lock, bring it back with "
            f"`git checkout dvc.lock`. Got {' '.join(str(error).split())}"
        ) from error
    except OSError as error:
        raise PipelineError(describe_unwritable(error)) from error


def _list_names(stages: Sequence[Any]) -> tuple[str, ...]:
    return tuple(str(stage.name) for stage in stages)


def _sum_sizes(outputs: Sequence[Any]) -> int:
    return sum(output.meta.size or 0 for output in outputs if output.use_cache and output.meta)


def _is_as_measured(stage: Any) -> bool:
    from dvc.dependency.param import ParamsDependency

    has_sizes = all(output.meta is not None and output.hash_info for output in stage.outs)
    return has_sizes and not any(dep.status() for dep in stage.deps if isinstance(dep, ParamsDependency))
