"""Digests of what was downloaded: recorded the first time, in a file that Git keeps, and enforced ever after."""

import json
from pathlib import Path

from fusionseq.artifacts import read_json, write_json
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
        found = self._read_all().get(name)
        return None if found is None else str(found)

    def check(self, name: str, sha256: str) -> None:
        """Hold the digest of a file that was just downloaded against the recorded one, or record it.

        Raises
        ------
        PipelineError
            The file is another one than at first.
        """
        recorded = self._read_all()
        expected = recorded.setdefault(name, sha256)
        if expected != sha256:
            raise PipelineError(
                f"{name} has sha256 {sha256}, but {self._path.name} has {expected} from the first download. The file "
                f"was changed at its source or on its way. If you trust the new one, remove its line from "
                f"{self._path.name}."
            )
        if len(recorded) != len(self._read_all()):
            write_json(self._path, dict(sorted(recorded.items())))

    def _read_all(self) -> dict[str, str]:
        content = read_json(self._path) if self._path.exists() else {}
        if not isinstance(content, dict) or not all(isinstance(digest, str) for digest in content.values()):
            raise PipelineError(
                f"{self._path.name} must map names to digests. Bring it back with `git checkout {self._path.name}`."
            )
        return json.loads(json.dumps(content))
