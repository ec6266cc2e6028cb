"""Requests to the Hugging Face hub, made again after growing pauses where a failure may pass.

The client library does so for some requests and some failures; here are the others.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from fusionseq.console import logger

if TYPE_CHECKING:
    from tenacity import RetryCallState

Result = TypeVar("Result")

_ATTEMPTS = 4
# Seconds; the hub counts requests in windows of five minutes.
_LONGEST_PAUSE = 300.0
_PASSING_STATUS = frozenset({408, 429, 500, 502, 503, 504})


def retry(request: Callable[[], Result], pause: float) -> Result:
    """Make a request up to four times.

    Parameters
    ----------
    request
        Raises what the client library raises.
    pause
        Seconds before the second attempt; doubled each time. The hub may ask for more.
    """
    from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_exponential

    growing = wait_exponential(multiplier=pause, max=_LONGEST_PAUSE)
    return Retrying(
        stop=stop_after_attempt(_ATTEMPTS),
        wait=lambda state: max(growing(state), _read_pause(state)),
        retry=retry_if_exception(_may_pass),
        before_sleep=lambda state: logger.info(
            "download: no whole answer, tries again in %.0f s", state.upcoming_sleep
        ),
        reraise=True,
    )(request)


def _may_pass(error: BaseException) -> bool:
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled
    from huggingface_hub.utils import httpx  # type: ignore[attr-defined]

    if isinstance(error, HfHubHTTPError):
        return error.response.status_code in _PASSING_STATUS
    if isinstance(error, OfflineModeIsEnabled):
        return False
    # A body of another length than stated is an OSError that no system call has raised.
    return isinstance(error, httpx.TransportError) or (isinstance(error, OSError) and error.errno is None)


def _read_pause(state: "RetryCallState") -> float:
    """Seconds that the hub asks for."""
    from huggingface_hub.errors import HfHubHTTPError
    from huggingface_hub.utils import parse_ratelimit_headers  # type: ignore[attr-defined]

    error = state.outcome.exception() if state.outcome else None
    if not isinstance(error, HfHubHTTPError):
        return 0.0
    headers = error.response.headers
    after, limit = headers.get("Retry-After", ""), parse_ratelimit_headers(headers)
    asked = [float(after) if after.isdigit() else 0.0]
    if limit is not None and limit.remaining == 0:
        asked.append(limit.reset_in_seconds)
    return min(max(asked), _LONGEST_PAUSE)
