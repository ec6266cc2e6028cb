"""Files from the network that are trusted by their digest alone."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fusionseq.checksums import Checksums
from fusionseq.downloads import PATIENCE, Patience, check_or_remove, download
from fusionseq.errors import PipelineError


@dataclass(frozen=True)
class RemoteFile:
    """A file to fetch.

    Attributes
    ----------
    name
        What it is, whichever mirror it comes from: its name in the checksums, and its path below the downloads.
    url
        Where it comes from.
    md5
        Digest that its publisher gives; None where there is none.
    setting
        What a person changes to have it come from elsewhere, such as "weights.address in params.yaml".
    """

    name: str
    url: str
    md5: str | None
    setting: str


@dataclass(frozen=True)
class TrustedFile:
    """A file that is there, and is the one that it was the first time.

    Attributes
    ----------
    size
        Bytes.
    sha256
        Digest, in hexadecimal.
    """

    size: int
    sha256: str


def fetch_once(
    remote: RemoteFile,
    downloads: Path,
    checksums: Checksums,
    inspect: Callable[[Path], None],
    patience: Patience = PATIENCE,
) -> TrustedFile:
    """Fetch a file, unless it is there already: then it is checked again, and no network is touched.

    Parameters
    ----------
    remote
        Which file.
    downloads
        Folder for it.
    checksums
        Digests to compare with. Where the file has none, its own is added once it has passed all checks.
    inspect
        Raises PipelineError where the file at the given path, which may be a temporary one, is not what it should be.
        It sees no file whose digest is known to be wrong.
    patience
        How long to bear with the server.

    Raises
    ------
    PipelineError
        The file cannot be downloaded, or fails a check; then it is removed.
    """
    path = downloads / remote.name
    # Else a damaged list would count as a damaged file.
    checksums.read(remote.name)

    def check(found: Path) -> TrustedFile:
        _check_md5(found, remote)
        trusted = TrustedFile(found.stat().st_size, _compute_digest(found, "sha256"))
        checksums.compare(remote.name, trusted.sha256)
        inspect(found)
        return trusted

    if path.is_file():
        trusted = check_or_remove(path, check, path.unlink)
    else:
        trusted = download(remote.url, path, check, remote.setting, patience)
    checksums.check(remote.name, trusted.sha256)
    return trusted


def _check_md5(path: Path, remote: RemoteFile) -> None:
    found = _compute_digest(path, "md5")
    if remote.md5 not in (None, found):
        raise PipelineError(
            f"{remote.name} has md5 {found}, but its publisher gives {remote.md5}. The file was changed at its source, "
            f"on its way or on this disk; check {remote.setting}."
        )


def _compute_digest(path: Path, algorithm: str) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, algorithm).hexdigest()
    except OSError as error:
        raise PipelineError(f"{path} cannot be read: {error.strerror}.") from error
