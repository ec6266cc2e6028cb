"""Digests of what was downloaded: recorded the first time, in a file that Git keeps, and enforced ever after."""

import json
from pathlib import Path

from fusionseq.artifacts import read_bytes, write_json
from fusionseq.errors import PipelineError


class Checksums:
    """SHA-256 digests by the name of a download.

    A name says what the file is and not which mirror it came from, such as
    "keras-applications/vgg16/vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5".

    Parameters
    ----------
    path
        JSON file of the digests; need not exist yet.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self, name: str) -> str | None:
        """Read the digest that a file must have, None where it was never downloaded."""
        return self._read_all().get(name)

    def compare(self, name: str, sha256: str) -> None:
        """Hold the digest of a file against the recorded one, if there is one.

        Raises
        ------
        PipelineError
            The file is another one than at first.
        """
        expected = self.read(name)
        if expected not in (None, sha256):
            raise PipelineError(
                f"{name} has sha256 {sha256}, but {self._path.name} has {expected} from the first download. The file "
                f"was changed at its source, on its way or on this disk. If you trust the new one, remove its line "
                f"from {self._path.name}."
            )

    def check(self, name: str, sha256: str) -> None:
        """Hold the digest of a file that was just downloaded against the recorded one, or record it.

        Raises
        ------
        PipelineError
            The file is another one than at first.
        """
        self.compare(name, sha256)
        recorded = self._read_all()
        if name in recorded:
            return
        try:
            write_json(self._path, dict(sorted((recorded | {name: sha256}).items())))
        except OSError as error:
            raise PipelineError(
                f"{self._path} cannot be written: {error.strerror}. Make room, or mend the permissions of its folder."
            ) from error

    def _read_all(self) -> dict[str, str]:
        try:
            content = json.loads(read_bytes(self._path)) if self._path.exists() else {}
        except ValueError:
            content = None
        if not isinstance(content, dict) or not all(isinstance(digest, str) for digest in content.values()):
            raise PipelineError(
                f"{self._path.name} must map names to digests. Bring it back with `git checkout {self._path.name}`."
            )
        return content
