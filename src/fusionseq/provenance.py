"""Short digests that say which files a result came from."""

import hashlib
from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path

from fusionseq.errors import PipelineError

# What Python and an editable install leave among the sources, different on every machine.
_LEFT_OUT = ("__pycache__", "*.egg-info")

_NUM_DIGITS = 12


def compute_digest(root: Path, members: Iterable[Path]) -> str:
    """Digest of the names and contents of files, wherever they lie and whenever they were written.

    Parameters
    ----------
    root
        Names are taken relative to this folder.
    members
        Files and whole folders below it, in any order.

    Returns
    -------
    str
        Twelve hexadecimal digits.

    Raises
    ------
    PipelineError
        A member does not exist, or holds no file.
    """
    files = sorted({path.relative_to(root).as_posix() for member in members for path in _list_files(member)})
    digest = hashlib.sha256()
    for name in files:
        digest.update(f"{name}\0{_compute_sha256(root / name)}\n".encode())
    return digest.hexdigest()[:_NUM_DIGITS]


def _list_files(member: Path) -> list[Path]:
    if not member.is_dir():
        return [member]
    files = [path for path in member.rglob("*") if path.is_file() and not _is_left_out(path.relative_to(member))]
    if not files:
        raise PipelineError(f"{member} holds no file. Run `dvc repro` to fill it.")
    return files


def _compute_sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError as error:
        raise PipelineError(f"{path} does not exist. `git checkout` or `dvc repro` brings it back.") from error


def _is_left_out(path: Path) -> bool:
    return any(fnmatchcase(part, pattern) for part in path.parts for pattern in _LEFT_OUT)
