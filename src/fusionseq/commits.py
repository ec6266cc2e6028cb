"""What Git says of the working tree around a folder, and the files of its last commit."""

import subprocess
from pathlib import Path

from fusionseq.errors import PipelineError

# A user's own settings would give other bytes: other line ends, other permissions, files left out.
_ARCHIVE_SETTINGS = ("core.autocrlf=false", "core.eol=lf", "core.attributesFile=/dev/null", "tar.umask=0022")


def run_git(root: Path, *arguments: str) -> bytes:
    """Run Git in a folder, and give what it prints.

    Raises
    ------
    PipelineError
        Git is not installed, or refuses; its own first line says why.
    """
    try:
        # Looking must not wait for, or take, the lock of someone else's commit.
        command = ["git", "--no-optional-locks", *arguments]
        return subprocess.run(command, cwd=root, stdin=subprocess.DEVNULL, capture_output=True, check=True).stdout
    except FileNotFoundError as error:
        raise PipelineError("git is not installed, or not on PATH; install it.") from error
    except subprocess.CalledProcessError as error:
        reason = error.stderr.decode(errors="replace").strip() or f"exit status {error.returncode}"
        raise PipelineError(f"git {arguments[0]} fails here: {reason.splitlines()[0]}") from error


def list_changes(root: Path) -> list[str]:
    """List the files below a folder that are not as in the last commit: changed, staged, and untracked ones."""
    # Told here, since a user may have set Git not to show some of them.
    options = ("--porcelain", "-z", "--no-renames", "--untracked-files=all", "--ignore-submodules=none")
    entries = run_git(root, "status", *options, "--", ".").decode(errors="surrogateescape").split("\0")
    # Each entry is two letters, a space, and the path from the top of the working tree.
    return [entry[3:] for entry in entries if entry]


def read_commit(root: Path) -> tuple[str, int]:
    """Read the hash of the last commit, and when it was made, in seconds since 1970."""
    name, seconds = run_git(root, "log", "-1", "--format=%H %ct", "--no-show-signature").split()
    return name.decode(), int(seconds)


def read_committed(root: Path, name: str) -> bytes:
    """Read a file of the last commit by its path from a folder of the working tree.

    Raises
    ------
    PipelineError
        It is not there.
    """
    try:
        return run_git(root, "show", f"HEAD:./{name}")
    except PipelineError as error:
        raise PipelineError(
            f"{name} is not in the last commit of this folder; run this in the folder of dvc.yaml, or commit that file."
        ) from error


def archive_commit(root: Path, prefix: str) -> bytes:
    """Pack the folder, as it is in the last commit, as a tar archive; `prefix` comes before every name."""
    settings = [argument for setting in _ARCHIVE_SETTINGS for argument in ("-c", setting)]
    return run_git(root, *settings, "archive", "--format=tar", f"--prefix={prefix}", "HEAD")
