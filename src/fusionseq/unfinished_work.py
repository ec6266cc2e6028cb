"""Where the shards of a stage lie until all are there, so that a run that was killed goes on where it was.

DVC deletes the outputs of a stage when it starts, so that is a folder that is no output.
"""

import hashlib
import json
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import fusionseq
from fusionseq.provenance import compute_digest

# What decides the bits of images and features besides this package. TensorFlow goes by one of two names.
_PACKAGES = ("numpy", "pillow", "scipy", "imagehash", "keras", "tensorflow", "tensorflow-cpu", "h5py")


def find_unfinished(scratch: Path, stage: str, settings: object, inputs: list[Path]) -> Path:
    """Name the folder of the shards of a stage, the same only where nothing that decides them has changed.

    Parameters
    ----------
    scratch
        Folder of all work that was killed.
    stage
        Whose shards they are.
    settings
        Whatever can be written as JSON and decides them.
    inputs
        Files whose contents decide them.
    """
    key = [describe_code(), settings, [compute_digest(path.parent, [path]) for path in inputs]]
    digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()
    return scratch / f"{stage}-{digest[:16]}"


def describe_code() -> dict[str, str]:
    """Tell versions of what decides bits, by name, and a digest of this package; as of the machine that it runs on."""
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    package = Path(fusionseq.__file__).parent
    return found | {"fusionseq": compute_digest(package, [package])}
