"""The addresses that results are shared through, and the lines of .dvc/config that name them.

Both lie in Git, so that no secret may be in them.
"""

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import SplitResult, urlsplit

from fusionseq.errors import PipelineError

# What every clone calls the remote.
TEAM = "team"

_USAGE = "name a folder as /shared/folder, ssh://host/folder or s3://bucket/folder"
_SECRETS = (
    "Git would keep it. Leave it out, and put it into .dvc/config.local by `dvc remote add --local team ADDRESS` and "
    "`dvc remote modify --local team password SECRET`, or for S3 into AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
)
# As botocore reads them.
_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")


@dataclass(frozen=True)
class Address:
    """Where a remote is.

    Attributes
    ----------
    url
        A URL, or the absolute path of a folder.
    settings
        What else .dvc/config says of it.
    is_folder
        Whether it is a folder of this machine.
    """

    url: str
    settings: Mapping[str, str]
    is_folder: bool


def parse_address(text: str, folder: str, environment: Mapping[str, str]) -> Address:
    """Read what a person calls a remote.

    Parameters
    ----------
    text
        A URL or a folder.
    folder
        Absolute path of the folder that a relative one is below.
    environment
        May name the endpoint of an S3 service, which the other clones need too.

    Raises
    ------
    PipelineError
        Nothing can be shared through it, or it holds a secret.
    """
    if not text.strip():
        raise PipelineError(f"no remote is named; {_USAGE}.")
    if not text.isprintable():
        raise PipelineError(f"the remote's address holds a character that cannot be printed; {_USAGE}.")
    scheme, separator, _ = text.partition("://")
    if separator and re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*", scheme):
        return _parse_url(text, environment)
    if re.match(r"[^/.~][^/]*:", text):
        raise PipelineError(
            f"{_hide_secret(text)} could be a folder or a server; write ./ before a folder, and ssh://host/folder for "
            f"a server."
        )
    try:
        # DVC would take a relative one from .dvc, in each clone another folder. Links stay: machines differ.
        path = os.path.normpath(Path(folder) / Path(text).expanduser())
    except RuntimeError as error:
        raise PipelineError(f"{text} begins with a home that nobody has; {_USAGE}.") from error
    # With it, DVC lets the group write into the folders that it makes there.
    return Address(path, {"verify": "true", "shared": "group"}, is_folder=True)


def _parse_url(text: str, environment: Mapping[str, str]) -> Address:
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError as error:
        raise PipelineError(f"the remote's address is no URL ({error}); {_USAGE}.") from error
    if parts.password is not None or (parts.username is not None and parts.scheme != "ssh"):
        raise PipelineError(f"the remote's address holds a secret, and {_SECRETS}.")
    if parts.query or parts.fragment:
        raise PipelineError(f"the remote's address must end with its folder, without ? and #; {_USAGE}.")
    url = f"{parts.scheme}://{parts.netloc}{parts.path}"
    if parts.scheme in {"http", "https"}:
        raise PipelineError(
            f"{url} is to pull from: share through a folder, ssh:// or s3://, and add what serves it over HTTP by "
            f"`dvc remote add public {url}` and `dvc remote modify public verify true`."
        )
    if parts.scheme == "ssh":
        _check_ssh(url, parts)
        return Address(url, {"verify": "true"}, is_folder=False)
    if parts.scheme == "s3":
        if not parts.netloc:
            raise PipelineError(f"{url} names no bucket; write s3://bucket/folder.")
        return Address(url, {"verify": "true"} | _find_endpoint(environment), is_folder=False)
    raise PipelineError(f"results cannot be shared through {parts.scheme}://; {_USAGE}.")


def _check_ssh(url: str, parts: SplitResult) -> None:
    if not parts.hostname or not parts.path.strip("/") or parts.path.startswith("/~"):
        raise PipelineError(f"{url} must name a host and a folder by its path from the root: ssh://host/folder.")


def _find_endpoint(environment: Mapping[str, str]) -> dict[str, str]:
    name = next((name for name in _ENDPOINTS if environment.get(name)), None)
    if name is None:
        return {}
    endpoint = environment[name]
    if not endpoint.isprintable() or "@" in endpoint:
        raise PipelineError(
            f"{name} holds a secret or is no URL; it is written into .dvc/config, so leave the secret out of it."
        )
    return {"endpointurl": endpoint}


def _hide_secret(text: str) -> str:
    """Leave out what stands before an @, which may be a password."""
    return text.rpartition("@")[2]


def hide_password(text: str) -> str:
    """Leave out the passwords of URLs, which a person's own settings may hold and a client's errors repeat."""
    return re.sub(r"//([^/@:]*):[^/]*@", r"//\1@", text)


def read_url(config: str) -> str | None:
    """Read the address of the team's remote from .dvc/config; None where it names none.

    Raises
    ------
    PipelineError
        DVC does not understand the file.
    """
    # It takes a moment to import.
    from dvc.exceptions import DvcException

    try:
        with _opened(config) as (settings, _):
            return _get_url(settings)
    # What cannot be interpolated is a SyntaxError.
    except (DvcException, SyntaxError, ValueError) as error:
        raise PipelineError(
            f".dvc/config is damaged, perhaps by a merge; bring it back with `git checkout .dvc/config`. "
            f"Got {hide_password(' '.join(str(error).split()))}"
        ) from error


def add_remote(config: str, address: Address) -> str:
    """Make an address the default remote of .dvc/config, and leave all else in it.

    Settings that someone gave the remote stay as long as its address does.

    Raises
    ------
    PipelineError
        DVC does not understand the file, or could not read the address from it.
    """
    from dvc.exceptions import DvcException

    before = read_url(config)
    try:
        with _opened(config) as (settings, file):
            with settings.edit("repo", validate=False) as content:
                kept = content["remote"].get(TEAM, {}) if before == address.url else {}
                content["remote"][TEAM] = {**kept, "url": address.url, **address.settings}
                content["core"]["remote"] = TEAM
            if _get_url(settings) == address.url:
                return file.read_text(encoding="utf-8")
    except (DvcException, SyntaxError, ValueError):
        pass
    raise PipelineError(
        f"{address.url} cannot stand in .dvc/config; name a folder of ASCII letters, without quotes and percent signs."
    )


@contextmanager
def _opened(config: str) -> Iterator[tuple[Any, Path]]:
    """Let DVC read and edit a copy of .dvc/config, not merged with what this machine and its user set elsewhere."""
    from dvc.config import Config

    with TemporaryDirectory() as folder:
        file = Path(folder, "config")
        file.write_text(config, encoding="utf-8")
        yield Config(folder, validate=False), file


def _get_url(settings: Any) -> str | None:
    url = settings.load_one("repo")["remote"].get(TEAM, {}).get("url")
    return None if url is None else str(url)
