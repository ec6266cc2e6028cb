"""Whether outputs are what dvc.lock says, byte for byte, in the workspace and in DVC's cache.

DVC itself does not read again what its state database knows from an earlier visit, nor a cached object that is
read-only: a byte that the disk has flipped goes unseen.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from fusionseq.commits import list_changes, run_git
from fusionseq.errors import PipelineError
from fusionseq.locked_stages import LockedOutput, LockedPipeline

_DIGEST = re.compile(r"[0-9a-f]{32}(\.dir)?")


class Where(Enum):
    """Which record of an output is wrong."""

    LOCK = "lock"
    WORKSPACE = "workspace"
    ABSENT = "absent from the workspace"
    CACHE = "cache"
    UNCACHED = "absent from the cache"


@dataclass(frozen=True)
class Damage:
    """A file that is not what dvc.lock says.

    Attributes
    ----------
    path
        The output that it belongs to.
    where
        Which record of it is wrong.
    name
        The file, by its path from the root.
    reason
        What is wrong with it, and how to mend it.
    """

    path: Path
    where: Where
    name: str
    reason: str


def find_damage(output: LockedOutput, pipeline: LockedPipeline) -> list[Damage]:
    """Read every byte of an output, and of all its objects in the cache.

    Returns
    -------
    list[Damage]
        At most one outside the cache, which names the first file; one for each object of the cache. Objects that the
        cache lacks count only where the workspace has the output: otherwise nobody has pulled it yet.

    Raises
    ------
    PipelineError
        The disk does not give a file's bytes.
    """
    try:
        return _find_damage(output, pipeline)
    except OSError as error:
        name = error.filename or pipeline.name(output.path)
        raise PipelineError(
            f"{name} cannot be read: {error.strerror}. Look at its permissions and the disk."
        ) from error


def _find_damage(output: LockedOutput, pipeline: LockedPipeline) -> list[Damage]:
    name = pipeline.name(output.path)
    if not _DIGEST.fullmatch(output.digest):
        reason = "has no digest in dvc.lock; `git checkout dvc.lock` or `make reproduce` mends it"
        return [Damage(output.path, Where.LOCK, name, reason)]
    is_there = output.path.exists()
    digest, members = _hash(output.path, pipeline) if is_there else ("", {})
    is_intact = digest == output.digest
    # The list of a folder's files is in the cache too, but may be damaged there.
    expected = members if is_intact else _read_members(output, pipeline)
    of_cache = list(_find_in_cache(output, pipeline, expected, is_missing_damage=is_there)) if output.is_cached else []
    if is_intact:
        return of_cache
    if not is_there:
        reason = f"run {'`dvc pull`' if output.is_cached else f'`git checkout -- {name}`'} or `make reproduce`"
        return [Damage(output.path, Where.ABSENT, name, reason), *of_cache]
    if output.is_cached:
        first = _find_first(members, expected) if expected else ""
        mend = f"remove {name}, then `dvc checkout {name}` or `make reproduce` mends it"
    else:
        first = _find_in_git(output.path)
        mend = f"`git checkout -- {name}` or `make reproduce` mends it"
    # A name of bytes that are no UTF-8 could not be printed.
    first = first.encode(errors="surrogateescape").decode(errors="replace")
    reason = f"is not as dvc.lock has it (md5 of {name} {digest}, not {output.digest}); {mend}"
    return [Damage(output.path, Where.WORKSPACE, f"{name}/{first}" if first else name, reason), *of_cache]


def _find_in_cache(
    output: LockedOutput, pipeline: LockedPipeline, members: Mapping[str, str], is_missing_damage: bool
) -> Iterator[Damage]:
    name = pipeline.name(output.path)
    mend = f"run `dvc pull`, or, where {name} is intact, `dvc commit --force`"
    objects = {name: output.digest} | {f"{name}/{member}": digest for member, digest in sorted(members.items())}
    for content, digest in objects.items():
        path = _locate(digest, pipeline)
        if path.exists():
            found = _hash_object(path)
            if found != digest.removesuffix(".dir"):
                reason = f"holds other bytes, of md5 {found}; remove it, then {mend}"
                yield Damage(output.path, Where.CACHE, f"{path}, the cached {content},", reason)
        elif is_missing_damage:
            yield Damage(output.path, Where.UNCACHED, f"the cached {content}", mend)


def _locate(digest: str, pipeline: LockedPipeline) -> Path:
    return pipeline.cache / digest[:2] / digest[2:]


def _hash(path: Path, pipeline: LockedPipeline) -> tuple[str, dict[str, str]]:
    """Digest an output as DVC does, and its members by their path in it: none for a file."""
    from dvc_data.hashfile.build import build
    from dvc_objects.fs.local import localfs

    found = build(_open_cache(pipeline), str(path), localfs, "md5", dry_run=True, ignore=pipeline.ignore)[2]
    return str(found.oid), _list_members(found) if path.is_dir() else {}


def _hash_object(path: Path) -> str:
    from dvc_data.hashfile.hash import hash_file
    from dvc_objects.fs.local import localfs

    return str(hash_file(str(path), localfs, "md5")[1].value)


def _read_members(output: LockedOutput, pipeline: LockedPipeline) -> dict[str, str]:
    """Read from the cache which files a folder had; none where that is not known."""
    from dvc_data.hashfile.hash_info import HashInfo
    from dvc_data.hashfile.tree import Tree

    path = _locate(output.digest, pipeline)
    if not output.digest.endswith(".dir") or not path.exists() or f"{_hash_object(path)}.dir" != output.digest:
        return {}
    return _list_members(Tree.load(_open_cache(pipeline), HashInfo("md5", output.digest)))


def _open_cache(pipeline: LockedPipeline) -> Any:
    from dvc_data.hashfile.db import HashFileDB
    from dvc_objects.fs.local import localfs

    # Without DVC's state database, so that nothing is taken as known.
    return HashFileDB(localfs, str(pipeline.cache), read_only=True)


def _list_members(tree: Any) -> dict[str, str]:
    return {entry["relpath"]: entry["md5"] for entry in tree.as_list()}


def _find_first(members: Mapping[str, str], expected: Mapping[str, str]) -> str:
    return min(
        (name for name in members.keys() | expected.keys() if members.get(name) != expected.get(name)), default=""
    )


def _find_in_git(path: Path) -> str:
    """Name the first file of a folder that differs from the last commit; none where Git knows of none."""
    if not path.is_dir():
        return ""
    try:
        changes = list_changes(path)
        prefix = run_git(path, "rev-parse", "--show-prefix").decode(errors="surrogateescape").removesuffix("\n")
    except PipelineError:
        return ""
    return min((name.removeprefix(prefix) for name in changes), default="")
