"""Download files: continued where they broke off, and tried again after growing pauses."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential_jitter

from fusionseq.console import logger
from fusionseq.errors import PipelineError
from fusionseq.partial_files import PartialFile
from fusionseq.transfer import PassingError, hide_secrets, transfer

Checked = TypeVar("Checked")


@dataclass(frozen=True)
class Patience:
    """How long to bear with a server.

    Attributes
    ----------
    tries
        How often one file is asked for.
    timeout
        Seconds without a byte after which a connection counts as dead.
    first_pause, longest_pause
        Seconds between two tries: each pause is twice as long as the one before, and at random up to `first_pause`
        longer, so that many machines do not come back at once.
    sleep
        What waits for so many seconds.
    """

    tries: int
    timeout: float
    first_pause: float
    longest_pause: float
    sleep: Callable[[float], None] = time.sleep

    def choose_pause(self, state: RetryCallState) -> float:
        """Choose how many seconds to wait before the next try: at most as long as the server asks, where it does."""
        error = state.outcome and state.outcome.exception()
        if isinstance(error, PassingError) and error.pause is not None:
            return min(error.pause, self.longest_pause)
        growing = wait_exponential_jitter(multiplier=self.first_pause, jitter=self.first_pause, max=self.longest_pause)
        return growing(state)


PATIENCE = Patience(tries=7, timeout=60.0, first_pause=1.0, longest_pause=60.0)


def download(
    url: str, path: Path, check: Callable[[Path], Checked], setting: str, patience: Patience = PATIENCE
) -> Checked:
    """Download a file, or the rest of it, and put it in its place once it has passed a check.

    Parameters
    ----------
    url
        Where it comes from. A name and a password in it are used and not shown.
    path
        Where it goes.
    check
        Raises PipelineError where the file at the given path, which is a temporary one, is not as it should be; the
        file is then removed.
    setting
        What a person changes to have it come from elsewhere, such as "weights.address in params.yaml".
    patience
        How long to bear with the server.

    Returns
    -------
    object
        What `check` returns.

    Raises
    ------
    PipelineError
        The file cannot be downloaded or written, or fails the check.
    """
    part = PartialFile(path)
    retrying = Retrying(
        stop=stop_after_attempt(patience.tries),
        wait=patience.choose_pause,
        retry=retry_if_exception_type(PassingError),
        sleep=patience.sleep,
        before_sleep=lambda state: _announce(url, state),
        reraise=True,
    )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        retrying(transfer, url, part, setting, patience.timeout)
        checked = check_or_remove(part.path, check, part.discard)
        part.finish()
    except PassingError as error:
        continues = part.read_version(hide_secrets(url)) is not None
        kept = f"{part.size / 1e6:.1f} MB are kept and the next run goes on from there" if continues else "run it again"
        raise PipelineError(
            f"{hide_secrets(url)}: gave up after {patience.tries} tries, the last because {error}; {kept}. If it does "
            f"not help, check the network, the proxy in HTTPS_PROXY and {setting}, or put the file at {path} yourself."
        ) from error
    except OSError as error:
        raise PipelineError(
            f"{path.parent} cannot be written: {error.strerror or error}. Make room or mend its permissions; the next "
            "run goes on with what has arrived."
        ) from error
    return checked


def check_or_remove(path: Path, check: Callable[[Path], Checked], remove: Callable[[], None]) -> Checked:
    """Check a file, and remove one that fails.

    Raises
    ------
    PipelineError
        The file failed.
    """
    try:
        return check(path)
    except PipelineError as error:
        remove()
        raise PipelineError(f"{error} The file was removed; the next run fetches it anew.") from error


def _announce(url: str, state: RetryCallState) -> None:
    reason = state.outcome and state.outcome.exception()
    logger.info("%s: %s; trying again in %.0f s", hide_secrets(url), reason, state.upcoming_sleep)
