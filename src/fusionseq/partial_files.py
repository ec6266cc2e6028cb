"""A file that has arrived in part, and which version it is a part of, so that the rest can be asked for later."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from fusionseq.artifacts import write_json


@dataclass(frozen=True)
class Version:
    """Which bytes a part is the beginning of.

    Attributes
    ----------
    url
        Where they come from, without anything secret.
    validator
        By which the server tells one version of the file from another: its ETag, or when it was last changed.
    size
        Bytes of the whole; None where the server does not say.
    """

    url: str
    validator: str
    size: int | None


class PartialFile:
    """What has arrived of a file, beside the place of the whole.

    Its name ends like that of the whole, for readers that go by it. A second file holds the version: it is written
    while the part is empty and removed before the part is, so that the two never belong to different versions.

    Parameters
    ----------
    path
        Where the whole will be.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.with_name(f"partial-{path.name}")
        self._whole = path
        self._version = path.with_name(f"partial-{path.name}.json")

    @property
    def size(self) -> int:
        """Bytes that have arrived."""
        return self.path.stat().st_size if self.path.exists() else 0

    def read_version(self, url: str) -> Version | None:
        """Read the version that the part can be continued with from an address, None where it cannot."""
        try:
            version = Version(**json.loads(self._version.read_bytes()))
        except (FileNotFoundError, ValueError, TypeError):
            return None
        overfull = version.size is not None and self.size > version.size
        return None if version.url != url or overfull else version

    def begin(self, version: Version | None) -> None:
        """Start again with nothing; None is a version that cannot be continued."""
        self.discard()
        self.path.touch()
        if version is not None:
            write_json(self._version, asdict(version))

    def append(self, chunks: Iterable[bytes]) -> None:
        """Add what arrives."""
        with self.path.open("ab") as file:
            for chunk in chunks:
                file.write(chunk)

    def finish(self) -> None:
        """Make the part the whole."""
        self.path.replace(self._whole)
        self._version.unlink(missing_ok=True)

    def discard(self) -> None:
        """Remove what has arrived."""
        self._version.unlink(missing_ok=True)
        self.path.unlink(missing_ok=True)
