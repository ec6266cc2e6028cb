"""A dataset repository of the Hugging Face hub at one commit: fetched, verified and kept on the disk.

What was fetched once is read from the disk ever after, without a request.
"""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

from fusionseq.artifacts import read_json, write_json
from fusionseq.checksums import Checksums
from fusionseq.console import is_terminal, logger
from fusionseq.datasets.hub import Hub, HubFile
from fusionseq.errors import PipelineError


@dataclass(frozen=True)
class FetchedFile:
    """A file on the disk whose content is what the hub states, and what was fetched at first."""

    location: Path
    size: int
    sha256: str


class Repository:
    """A dataset repository at one commit.

    Parameters
    ----------
    name
        Such as "Bingsu/Cat_and_Dog".
    revision
        Full commit hash.
    cache
        Folder for what is fetched.
    checksums
        Digests of what was fetched at first: of the list of files, under "datasets/NAME@REVISION", and of each file,
        under "datasets/NAME@REVISION/PATH".
    hub
        Where to fetch from.
    is_trial
        Whether nothing is recorded in `checksums`, only held against them.
    """

    def __init__(
        self, name: str, revision: str, cache: Path, checksums: Checksums, hub: Hub, is_trial: bool = False
    ) -> None:
        self.name = name
        self.revision = revision
        self._title = f"datasets/{name}@{revision}"
        self._folder = cache / self._title
        self._checksums = checksums
        self._check = checksums.compare if is_trial else checksums.check
        self._hub = hub

    @cached_property
    def files(self) -> Mapping[str, HubFile]:
        """All files by their path.

        Raises
        ------
        PipelineError
            The hub does not give the list, or what it gives is another one than at first.
        """
        location = self._folder / "files.json"
        recorded = self._checksums.read(self._title)
        if recorded is None or not location.exists() or _hash(location) != recorded:
            listed = [asdict(file) for file in self._list_files()]
            with self._writing():
                write_json(location, listed)
        self._check(self._title, _hash(location))
        return {entry["path"]: HubFile(**entry) for entry in read_json(location)}

    def fetch(self, path: str) -> FetchedFile:
        """Fetch a file unless it lies on the disk already, and hold it against all that is known of it.

        Raises
        ------
        PipelineError
            The hub does not give the file, or what it gives is another one.
        """
        stated = self.files[path]
        location = self._folder / "files" / path
        if stated.sha256 is not None:
            # Before anything large is fetched.
            self._checksums.compare(f"{self._title}/{path}", stated.sha256)
        sha256 = _verify(location, stated) or self._download(stated, location)
        self._check(f"{self._title}/{path}", sha256)
        return FetchedFile(location, stated.size, sha256)

    def is_cached(self, path: str) -> bool:
        """Whether `fetch` makes no request unless the file on the disk is damaged."""
        return (self._folder / "files" / path).exists()

    def _list_files(self) -> list[HubFile]:
        # Where there is no such dataset or no connection, this says so at once; the list is asked for again and again.
        commit = self._hub.resolve_revision(self.name, self.revision)
        if commit != self.revision:
            raise PipelineError(
                f"the hub takes {self.revision} for commit {commit} of the dataset {self.name}; set data.revision in "
                "params.yaml to a full commit hash."
            )
        files = self._hub.list_files(self.name, self.revision)
        for file in files:
            if PurePosixPath(file.path).is_absolute() or ".." in PurePosixPath(file.path).parts:
                raise PipelineError(
                    f"the dataset {self.name} claims to hold a file {file.path!r}, which would lie outside of its "
                    "folder; use another hub than HF_ENDPOINT names."
                )
        return files

    def _download(self, stated: HubFile, location: Path) -> str:
        partial = self._folder / "partial" / stated.path
        with self._writing():
            partial.parent.mkdir(parents=True, exist_ok=True)
            location.parent.mkdir(parents=True, exist_ok=True)
        if not is_terminal():
            logger.info("download: %s, %s, %.1f MB", self.name, stated.path, stated.size / 1e6)
        self._hub.download(self.name, self.revision, stated, partial)
        sha256 = _verify(partial, stated)
        if sha256 is None:
            partial.unlink()
            digest = f"sha256 {stated.sha256}" if stated.sha256 else f"Git's blob {stated.blob_id}"
            raise PipelineError(
                f"{stated.path} of the dataset {self.name} was changed on its way: the hub states {digest} for it. Try "
                "again, without the mirror if HF_ENDPOINT names one."
            )
        with self._writing():
            partial.replace(location)
        return sha256

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise PipelineError(
                f"{self._folder} cannot be written ({error.strerror}); make room or change the permissions."
            ) from error


def _hash(location: Path) -> str:
    with location.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _verify(location: Path, stated: HubFile) -> str | None:
    """Compute the SHA-256 of a file; None where it does not exist or is not the one that the hub states."""
    if not location.is_file() or location.stat().st_size != stated.size:
        return None
    sha256 = _hash(location)
    if stated.sha256 is not None:
        return sha256 if sha256 == stated.sha256 else None
    blob = hashlib.sha1(b"blob %d\0" % stated.size + location.read_bytes(), usedforsecurity=False)
    return sha256 if blob.hexdigest() == stated.blob_id else None
