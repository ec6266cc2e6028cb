"""Where each number of the page comes from: the stages of dvc.lock, with the digests of what they read and made."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class LockedFile:
    """A file or folder, and the MD5 that DVC has of it; that of a folder ends in ".dir", and has a number of files."""

    path: str
    md5: str
    num_files: int | None = None


@dataclass(frozen=True)
class LockEntry:
    """What dvc.lock says of a stage, or of one item of a matrix stage.

    Attributes
    ----------
    name
        Such as train_fusion@0.
    command
        What was run.
    inputs, outputs
        What it read, parameters excepted, and what it made.
    """

    name: str
    command: str
    inputs: tuple[LockedFile, ...]
    outputs: tuple[LockedFile, ...]


def list_entries(lock: Mapping[str, Any]) -> list[LockEntry]:
    """List the stages of a dvc.lock, given what YAML made of it.

    Raises
    ------
    LookupError, TypeError, AttributeError
        It is no dvc.lock of this version of DVC.
    """
    return [
        LockEntry(
            name,
            entry["cmd"] if isinstance(entry["cmd"], str) else "\n".join(entry["cmd"]),
            _list_files(entry.get("deps", ())),
            _list_files(entry.get("outs", ())),
        )
        for name, entry in lock["stages"].items()
    ]


def _list_files(files: Sequence[Mapping[str, Any]]) -> tuple[LockedFile, ...]:
    return tuple(LockedFile(str(file["path"]), str(file.get("md5", "")), file.get("nfiles")) for file in files)


@dataclass(frozen=True)
class Origin:
    """A result, and who made it.

    Attributes
    ----------
    path
        Of the file or folder, from the root.
    md5
        Its digest in dvc.lock.
    stage
        The stage that made it.
    """

    path: str
    md5: str
    stage: str

    @property
    def anchor(self) -> str:
        """Name of its place in the page."""
        return f"file-{self.path.replace('/', '-')}"


def find_origins(entries: Sequence[LockEntry], paths: Sequence[str]) -> dict[str, Origin]:
    """Find the stages that made some outputs, by the paths of these.

    Raises
    ------
    KeyError
        None made one of them.
    """
    made = {file.path: Origin(file.path, file.md5, entry.name) for entry in entries for file in entry.outputs}
    return {path: made[path] for path in paths}


def find_code(entries: Sequence[LockEntry], path: str) -> str | None:
    """Find the digest of all code, in the stage that depends on the whole of it; None where it never ran."""
    return next((file.md5 for entry in entries for file in entry.inputs if file.path == path), None)


def find_outdated(
    entries: Sequence[LockEntry], stages: Sequence[str], read_members: Callable[[str], Mapping[str, str] | None]
) -> tuple[str, str] | None:
    """Find the first stage that ran before something that it reads was last made; None where there is none.

    Parameters
    ----------
    entries
        The stages of dvc.lock.
    stages
        Names of those to look at.
    read_members
        Gives the digests of a folder's files by their paths in it, from the digest of the folder; None where they are
        not known.

    Returns
    -------
    tuple[str, str] | None
        The stage, and what it read.
    """
    made = {file.path: file.md5 for entry in entries for file in entry.outputs}
    for entry in entries:
        for file in entry.inputs if entry.name in stages else ():
            last = made[file.path] if file.path in made else _join_folders(file, made, read_members)
            if last not in {file.md5, None}:
                return entry.name, file.path
    return None


def _join_folders(
    folder: LockedFile, made: Mapping[str, str], read_members: Callable[[str], Mapping[str, str] | None]
) -> str | None:
    """Digest a folder as DVC does, from the folders that were made within it; None where that cannot be told."""
    files: dict[str, str] = {}
    for path, md5 in made.items():
        if path.startswith(f"{folder.path}/"):
            members = read_members(md5)
            if members is None:
                return None
            files |= {f"{path.removeprefix(f'{folder.path}/')}/{name}": one for name, one in members.items()}
    # It may hold what no stage makes, or has made for other seeds.
    if len(files) != folder.num_files:
        return None
    listing = [{"md5": md5, "relpath": name} for name, md5 in sorted(files.items())]
    return f"{hashlib.md5(json.dumps(listing).encode(), usedforsecurity=False).hexdigest()}.dir"


def find_changed(lock: Mapping[str, Any], stages: Sequence[str], parameters: Mapping[str, Any]) -> str | None:
    """Find the first parameter that a stage ran with another value of; None where there is none.

    Parameters
    ----------
    lock
        What YAML made of dvc.lock.
    stages
        Names of the stages, those of items included; others are left from earlier runs.
    parameters
        As they are now, by their dotted names.
    """
    for name in stages:
        for of_file in lock["stages"].get(name, {}).get("params", {}).values():
            for key, value in _flatten(of_file):
                if key not in parameters or _read_number(parameters[key]) != _read_number(value):
                    return key
    return None


def _flatten(section: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in section.items():
        if isinstance(value, Mapping) and value:
            yield from _flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _read_number(value: object) -> object:
    """Read numbers such as 1e-05, which DVC writes and YAML takes for text."""
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value
