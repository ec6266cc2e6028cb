"""One computation a GPU: TensorFlow takes all of its memory, and a second one would die late, of something else."""

import fcntl
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from pathlib import Path

from fusionseq.errors import PipelineError


def identify_gpus(number: int, visible: str | None) -> tuple[str, ...]:
    """Name the GPUs that this process sees by what they are called in every process.

    Names are compared, not GPUs: the number and the UUID of one GPU count as two, and GPU 0 of two jobs counts as one
    even where a scheduler gives each job its own. There, TMPDIR may name a folder of the job's own.

    Parameters
    ----------
    number
        How many it sees.
    visible
        The value of CUDA_VISIBLE_DEVICES, by which CUDA picks and renumbers them; None where it is not set.
    """
    names = map(str, range(number)) if visible is None else (name.strip() for name in visible.split(","))
    return tuple(names)[:number]


@contextmanager
def hold_gpus(names: Sequence[str], folder: Path) -> Iterator[None]:
    """Hold GPUs until the block, or this process, ends; whoever asks for one of them in the same folder is refused.

    Parameters
    ----------
    names
        As `identify_gpus` gives them.
    folder
        Where an empty file for each GPU lies, and stays: the system holds the lock, and a dead process none.

    Raises
    ------
    PipelineError
        Another process holds one of them, or its file cannot be opened.
    """
    with ExitStack() as held:
        for name in names:
            descriptor = _open(folder / f"fusionseq-gpu-{name.replace('/', '-')}.lock")
            held.callback(os.close, descriptor)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise PipelineError(
                    f"GPU {name} is in use by another run, which takes all of its memory; wait for that one, or give "
                    f"this one another GPU with CUDA_VISIBLE_DEVICES (-1: none). Queued experiments take turns with "
                    f"`dvc queue start -j 1`. Where a scheduler numbers the GPUs of each job anew, let TMPDIR name a "
                    f"folder of the job's own."
                ) from error
        yield


@cache
def keep_gpus(names: tuple[str, ...]) -> ExitStack:
    """Hold GPUs until this process ends, however often it asks for them."""
    kept = ExitStack()
    kept.enter_context(hold_gpus(names, Path(tempfile.gettempdir())))
    return kept


def _open(path: Path) -> int:
    flags = os.O_RDONLY | os.O_NOFOLLOW
    try:
        try:
            return os.open(path, flags)
        except FileNotFoundError:
            # Asked for only now: in a shared folder Linux refuses it for a file of another user, though it is there.
            descriptor = os.open(path, flags | os.O_CREAT, 0o644)
            # The file stays, and a strict umask would shut all other users out for good. Should one of them have made
            # it in this moment, its permissions are up to that one.
            with suppress(PermissionError):
                os.fchmod(descriptor, 0o644)
            return descriptor
    except OSError as error:
        raise PipelineError(
            f"{path} cannot be opened ({error.strerror}); remove it, or let TMPDIR name a folder of your own."
        ) from error
