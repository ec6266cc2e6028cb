"""Files of Git revisions, of experiments and of the working tree."""

from pathlib import Path

from fusionseq.errors import PipelineError

WORKSPACE = "workspace"


def find_commit(root: Path, revision: str) -> str | None:
    """Find the hash of a Git revision or of an experiment; None stands for the working tree, `workspace`.

    Raises
    ------
    PipelineError
        There is no such revision, or no repository of Git and DVC.
    """
    # They take a moment to import.
    from dvc.exceptions import DvcException
    from dvc.repo import Repo
    from dvc.scm import resolve_rev

    try:
        with Repo(str(root)) as repo:
            return None if revision == WORKSPACE else str(resolve_rev(repo.scm, revision))
    # Without Git, DVC has no revisions, and says so by NotImplementedError.
    except (DvcException, NotImplementedError) as error:
        raise PipelineError(
            f"{revision} is not known; name a Git revision, an experiment of `dvc exp show`, or {WORKSPACE}. "
            f"Got {_describe(error)}"
        ) from error


def read_revision(root: Path, path: Path, revision: str, commit: str | None) -> str:
    """Read a file that Git or DVC tracks, as UTF-8.

    Parameters
    ----------
    root
        Folder of dvc.yaml.
    path
        Where the file is below `root`, in any revision.
    revision, commit
        What an error calls the revision, and what `find_commit` found.

    Raises
    ------
    PipelineError
        It is not there, or no text.
    """
    import dvc.api
    from dvc.exceptions import DvcException

    name = path.relative_to(root).as_posix()
    try:
        # As bytes, so that line ends within a quoted value stay what they are.
        content: bytes = dvc.api.read(name, str(root), commit, mode="rb")
        return content.decode("utf-8")
    except (DvcException, OSError, UnicodeDecodeError) as error:
        raise PipelineError(
            f"{revision}: {name} cannot be read; commit the results of `dvc repro` there, or name another revision. "
            f"Got {_describe(error)}"
        ) from error


def _describe(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
