"""Ask a server once for a file, or for the rest of one, and sort what goes wrong by whether it may pass.

Proxies, certificates and credentials come from where `requests` looks for them: `HTTPS_PROXY`, `NO_PROXY`,
`REQUESTS_CA_BUNDLE`, `~/.netrc`.
"""

import re
import ssl
import time
from email.utils import mktime_tz, parsedate_tz
from http import HTTPStatus
from http.client import responses

import requests
from requests.exceptions import ChunkedEncodingError, ContentDecodingError

from fusionseq.console import track_bytes
from fusionseq.errors import PipelineError
from fusionseq.partial_files import PartialFile, Version

_CHUNK_BYTES = 2**16
# The server may think otherwise later; so it may of all from 500 on.
_PASSING_STATUS = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS})
_LOGIN = "put your name and password for this server into ~/.netrc, or check"
_ADVICE: dict[int, str] = {
    HTTPStatus.UNAUTHORIZED: _LOGIN,
    HTTPStatus.FORBIDDEN: _LOGIN,
    HTTPStatus.PROXY_AUTHENTICATION_REQUIRED: "name the proxy with its user and password in HTTPS_PROXY, or check",
}


class PassingError(Exception):
    """What may have passed when it is tried again.

    Attributes
    ----------
    pause
        Seconds after which the server wants to be asked again; None where it does not say.
    """

    def __init__(self, reason: str, pause: float | None = None) -> None:
        super().__init__(reason)
        self.pause = pause


def hide_secrets(url: str) -> str:
    """Take the name, the password, the query and the fragment out of an address."""
    # No parser: what is no address must not stop its own error message.
    return re.sub("//[^/?#]*@", "//", re.split("[?#]", url)[0])


def transfer(url: str, part: PartialFile, setting: str, timeout: float) -> None:
    """Ask once for what is missing of a file; after it, the part is whole.

    Parameters
    ----------
    url
        Where the file comes from.
    part
        What has arrived of it.
    setting
        What a person changes to have it come from elsewhere.
    timeout
        Seconds without a byte after which a connection counts as dead.

    Raises
    ------
    PassingError
        It may work another time; what has arrived is kept.
    PipelineError
        It will not.
    """
    shown = hide_secrets(url)
    known = part.read_version(shown)
    if known is not None and known.size == part.size:
        return
    # Compressed on the way, bytes could be neither counted nor continued.
    headers = {"Accept-Encoding": "identity"}
    if known is not None:
        # A server whose file is another one by now sends it whole.
        headers |= {"Range": f"bytes={part.size}-", "If-Range": known.validator}
    try:
        with requests.get(url, headers=headers, stream=True, timeout=timeout) as response:
            _receive(response, part, known, shown, setting)
    except requests.RequestException as error:
        raise _sort_error(error, url, setting) from error


def _receive(response: requests.Response, part: PartialFile, known: Version | None, shown: str, setting: str) -> None:
    status = response.status_code
    if status == HTTPStatus.PARTIAL_CONTENT and known is not None:
        size = _check_continuation(response, part, known)
    elif status == HTTPStatus.OK:
        size = _read_size(response)
        validator = _read_validator(response)
        part.begin(Version(shown, validator, size) if validator else None)
    elif status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and known is not None:
        raise _start_again(part)
    else:
        raise _sort_status(response, shown, setting)
    chunks = response.iter_content(_CHUNK_BYTES)
    part.append(track_bytes(chunks, shown.rpartition("/")[2], part.size, size))
    if size is not None and part.size != size:
        raise PassingError(f"{part.size} of {size} bytes arrived")


def _check_continuation(response: requests.Response, part: PartialFile, known: Version) -> int | None:
    """Hold what a server says of the rest against what it said of the beginning: the size of the whole."""
    found = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", ""))
    fits = (
        found is not None
        and int(found[1]) == part.size
        and found[2] in ("*", str(known.size))
        # A server may leave out what it was asked with.
        and _read_validator(response) in (None, known.validator)
    )
    if not fits:
        raise _start_again(part)
    return known.size


def _start_again(part: PartialFile) -> PassingError:
    part.discard()
    return PassingError("the server cannot continue the file, which may have changed", pause=0.0)


def _read_size(response: requests.Response) -> int | None:
    """Read how many bytes the whole has; it is not known of what is compressed on the way."""
    size = response.headers.get("Content-Length", "")
    return int(size) if size.isdecimal() and "Content-Encoding" not in response.headers else None


def _read_validator(response: requests.Response) -> str | None:
    """Read what names this version of the file, byte by byte; a weak ETag does not."""
    etag = response.headers.get("ETag", "")
    if "Content-Encoding" in response.headers:
        return None
    return etag if etag.startswith('"') else response.headers.get("Last-Modified")


def _sort_status(response: requests.Response, shown: str, setting: str) -> Exception:
    status = response.status_code
    reason = f"{status} {responses.get(status, '')}".strip()
    if status in _PASSING_STATUS or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return PassingError(f"the server answers {reason}", _read_retry_after(response.headers.get("Retry-After", "")))
    return PipelineError(f"{shown}: the server answers {reason}; {_ADVICE.get(status, 'check')} {setting}.")


def _read_retry_after(value: str) -> float | None:
    """Read seconds from a number of them or a date; what is neither says nothing."""
    if re.fullmatch("[0-9]{1,9}", value):
        return float(value)
    date = parsedate_tz(value)
    try:
        return None if date is None else max(0.0, mktime_tz(date) - time.time())
    except (ValueError, OverflowError):
        return None


def _sort_error(error: requests.RequestException, url: str, setting: str) -> Exception:
    # What the system said is wrapped several times.
    root: BaseException = error
    while root.__context__ is not None:
        root = root.__context__
    shown = hide_secrets(url)
    reason = str(getattr(root, "strerror", None) or root or type(root).__name__).replace(url, shown)
    reason = " ".join(reason.split()).rstrip(".")
    if isinstance(error, requests.exceptions.SSLError) and not isinstance(root, ssl.SSLEOFError):
        return PipelineError(
            f"{shown}: no secure connection: {reason}. Check {setting}; if your network has a certificate of its own, "
            f"name its file in REQUESTS_CA_BUNDLE."
        )
    if isinstance(error, ChunkedEncodingError):
        return PassingError("the connection broke off")
    if isinstance(error, (requests.ConnectionError, requests.Timeout, ContentDecodingError)):
        return PassingError(reason)
    return PipelineError(f"{shown}: {reason}. Check {setting} and the proxy in HTTPS_PROXY, if there is one.")
