"""The folder that an export goes to: written whole or not at all, and never in the place of something else."""

import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from fusionseq.errors import PipelineError


def check_output(path: Path, may_replace: bool, names: Collection[str]) -> None:
    """Refuse a place where something is already.

    Parameters
    ----------
    path
        Where the folder is to be. An empty folder is nothing.
    may_replace
        Whether a former export may be replaced.
    names
        What an export may hold; whatever holds anything else is none.

    Raises
    ------
    PipelineError
        Something is there that must stay.
    """
    if not os.path.lexists(path):
        return
    if path.is_symlink() or not path.is_dir():
        raise PipelineError(f"{path} is no folder; name another one after --output.")
    try:
        found = sorted(entry.name for entry in path.iterdir())
    except OSError as error:
        raise PipelineError(f"{path} cannot be read ({error.strerror}); name another folder after --output.") from error
    foreign = [name for name in found if name not in names]
    if foreign:
        raise PipelineError(f"{path} holds {foreign[0]}, which no export makes; name another folder after --output.")
    if found and not may_replace:
        raise PipelineError(
            f"{path} holds an export already; name another folder after --output, or add --force to replace it."
        )


@contextmanager
def replacing_folder(path: Path, may_replace: bool, names: Collection[str]) -> Iterator[Path]:
    """Give an empty folder to fill, which takes the place of `path` once the block has succeeded.

    Otherwise nothing is left of it, nor of folders that were made for it. Parameters as in `check_output`.

    Raises
    ------
    PipelineError
        Something is there that must stay, or the folder cannot be made or put into its place.
    """
    check_output(path, may_replace, names)
    missing = [folder for folder in path.parents if not os.path.lexists(folder)]
    try:
        with _explaining(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            scratch = TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent)
        with scratch:
            new, old = Path(scratch.name, "new"), Path(scratch.name, "old")
            new.mkdir()
            yield new
            # It may have come meanwhile.
            check_output(path, may_replace, names)
            with _explaining(path):
                if path.exists():
                    path.rename(old)
                try:
                    new.rename(path)
                except OSError:
                    if old.exists():
                        old.rename(path)
                    raise
    finally:
        # Those that hold the export now, or anything else, refuse.
        for folder in missing:
            with suppress(OSError):
                folder.rmdir()


@contextmanager
def _explaining(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise PipelineError(
            f"{path} cannot be written ({error.strerror}); name another folder after --output."
        ) from error
