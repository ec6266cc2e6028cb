"""What a DVC remote must hold for the results here, held against it.

DVC itself compares too little: `dvc push` takes any object that is there for whole, and a folder whose list of files is
there for complete. `dvc pull` with `verify = true` hashes files, yet follows a folder's list unseen, even to places
outside the repository.
"""

import hashlib
import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO
from uuid import uuid4

from fusionseq.console import track
from fusionseq.errors import PipelineError
from fusionseq.locked_stages import LockedPipeline
from fusionseq.remotes import TEAM, Address, hide_password

# DVC's own are half an hour and more. Seconds.
_LIMITS = {"ssh": {"timeout": 20}, "s3": {"connect_timeout": 10, "read_timeout": 30}}
# Of the objects that list the files of a folder.
_LIST = ".dir"


@dataclass(frozen=True)
class Fault:
    """An object that the remote does not hold as it is here.

    Attributes
    ----------
    name
        Its path below the remote.
    reason
        "is missing", or what is wrong with it.
    """

    name: str
    reason: str


def list_objects(pipeline: LockedPipeline) -> dict[str, Path]:
    """List all outputs' objects and the run cache: where the cache has them, by their path below a remote.

    Parameters
    ----------
    pipeline
        With a whole cache.
    """
    digests = {output.digest for output in pipeline.outputs if output.is_cached}
    for digest in _list_lists(pipeline):
        digests |= {entry["md5"] for entry in json.loads(_locate(pipeline, digest).read_bytes())}
    paths = [_locate(pipeline, digest) for digest in digests]
    root = pipeline.cache.parents[1]
    paths += [path for path in (root / "runs").rglob("*") if path.is_file()]
    return {path.relative_to(root).as_posix(): path for path in sorted(paths)}


def _list_lists(pipeline: LockedPipeline) -> list[str]:
    digests = {output.digest for output in pipeline.outputs if output.is_cached}
    return sorted(digest for digest in digests if digest.endswith(_LIST))


def _locate(pipeline: LockedPipeline, digest: str) -> Path:
    return pipeline.cache / digest[:2] / digest[2:]


class Remote:
    """An open remote. Every method raises PipelineError where the other side does not answer or refuses.

    Attributes
    ----------
    url
        Its address, without a password.
    """

    def __init__(self, url: str, remote: Any) -> None:
        self.url = hide_password(url)
        self._remote = remote

    @property
    def is_verified(self) -> bool:
        """Whether DVC hashes what comes from it."""
        return bool(self._remote.odb.verify)

    def _locate(self, name: str) -> str:
        return str(self._remote.fs.join(self._remote.path, *name.split("/")))

    @contextmanager
    def _answering(self) -> Iterator[Any]:
        try:
            yield self._remote.fs
        except PipelineError:
            raise
        # Each kind of server has its own errors, and all of them end here.
        except Exception as error:
            raise PipelineError(
                f"{self.url} cannot be reached or refuses; look at the address, your connection and your keys. "
                f"Got {_describe(error)}"
            ) from error

    def check_writable(self) -> None:
        """Write a small file, and remove it."""
        path = self._locate(f"write-test-{uuid4().hex}")
        with self._answering() as filesystem:
            filesystem.makedirs(filesystem.parent(path))
            filesystem.pipe_file(path, b"test")
            filesystem.rm_file(path)

    def find_faults(self, objects: Mapping[str, Path], is_thorough: bool) -> list[Fault]:
        """Compare sizes, and contents where a byte would lead a pull astray or `is_thorough` asks for it."""
        names = list(objects)
        faults = []
        with self._answering() as filesystem:
            found = filesystem.info([self._locate(name) for name in names], return_exceptions=True)
            for name, info in track(zip(names, found, strict=True), "share: compared objects", len(names)):
                if isinstance(info, FileNotFoundError):
                    faults.append(Fault(name, "is missing"))
                elif isinstance(info, Exception):
                    raise info
                elif info["size"] != objects[name].stat().st_size:
                    faults.append(Fault(name, f"has {info['size']} bytes, not {objects[name].stat().st_size}"))
                elif (is_thorough or name.endswith(_LIST)) and self._hash(name) != _hash_file(objects[name]):
                    faults.append(Fault(name, "has other bytes"))
        return faults

    def _hash(self, name: str) -> str:
        with self._remote.fs.open(self._locate(name), "rb") as file:
            return _hash(file)

    def replace(self, faults: list[Fault], objects: Mapping[str, Path]) -> None:
        """Put the objects of the cache in the place of missing and damaged ones."""
        with self._answering() as filesystem:
            for fault in faults:
                filesystem.put_file(str(objects[fault.name]), self._locate(fault.name))

    def read(self, name: str) -> bytes:
        """Read a small object.

        Raises
        ------
        PipelineError
            It is missing.
        """
        with self._answering() as filesystem:
            try:
                content: bytes = filesystem.cat_file(self._locate(name))
            except FileNotFoundError as error:
                raise PipelineError(
                    f"{self.url} lacks {name}; `make share` where these results were made sends it."
                ) from error
        return content


def _hash_file(path: Path) -> str:
    with path.open("rb") as file:
        return _hash(file)


def _hash(file: BinaryIO) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    while piece := file.read(1 << 20):
        digest.update(piece)
    return digest.hexdigest()


@contextmanager
def open_remote(root: Path, name: str = TEAM, address: Address | None = None) -> Iterator[tuple[Any, Remote]]:
    """Open a remote of a DVC repository, and that repository; `address` counts as if .dvc/config had it.

    Raises
    ------
    PipelineError
        DVC knows no such remote, or does not understand its settings.
    """
    # They take a second to import.
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    # What these tell of each step is for their developers.
    for client in ("asyncssh", "aiobotocore", "botocore"):
        logging.getLogger(client).setLevel(logging.WARNING)
    try:
        with Repo(str(root), config=_make_config(address)) as repo:
            settings = repo.config["remote"].get(name.lower(), {})
            for key, value in _LIMITS.get(str(settings.get("url")).partition("://")[0], {}).items():
                settings.setdefault(key, value)
            remote = repo.cloud.get_remote(name)
            yield repo, Remote(str(settings["url"]), remote)
    except DvcException as error:
        raise PipelineError(
            f"DVC cannot use the remote {name}; `dvc remote list` names those there are. Got {_describe(error)}"
        ) from error


def _make_config(address: Address | None) -> dict[str, Any] | None:
    return None if address is None else {"remote": {TEAM: {"url": address.url, **address.settings}}}


def fetch_lists(pipeline: LockedPipeline, repo: Any, remote: Remote) -> None:
    """Get the lists of the files of folders into the cache, each only with the bytes that dvc.lock names.

    Raises
    ------
    PipelineError
        One is damaged or missing.
    """
    cache = repo.cache.repo
    for digest in _list_lists(pipeline):
        path = _locate(pipeline, digest)
        if path.exists() and f"{_hash_file(path)}{_LIST}" == digest:
            continue
        name = path.relative_to(pipeline.cache.parents[1]).as_posix()
        content = remote.read(name)
        if f"{hashlib.md5(content, usedforsecurity=False).hexdigest()}{_LIST}" != digest:
            raise PipelineError(
                f"{remote.url} holds a damaged {name}, of which nothing was fetched; `make share` where these results "
                f"were made mends it."
            )
        try:
            cache.add_bytes(digest, content)
            cache.protect(str(path))
        except OSError as error:
            raise PipelineError(f"{path} cannot be written: {error.strerror}. Look at the disk.") from error


def _describe(error: Exception) -> str:
    return hide_password(" ".join(str(error).split())) or type(error).__name__
