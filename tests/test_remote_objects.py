"""What comes of it with servers, and within commands, is in test_sharing.py."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import Mock

import pytest

from fusionseq.errors import PipelineError
from fusionseq.locked_stages import LockedOutput, LockedPipeline, LockedStage
from fusionseq.remote_objects import Fault, Remote, fetch_lists, list_objects, open_remote
from fusionseq.remotes import Address

CONTENTS = (b"one", b"two", b"three")


def digest(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


LIST = json.dumps([{"md5": digest(content), "relpath": f"{len(content)}"} for content in CONTENTS[:2]]).encode()
LIST_DIGEST = f"{digest(LIST)}.dir"
RUN = "runs/ab/abcd/1234"


def name(oid: str) -> str:
    return f"files/md5/{oid[:2]}/{oid[2:]}"


OBJECTS = {name(digest(content)): content for content in CONTENTS} | {name(LIST_DIGEST): LIST, RUN: b"a run"}


def write(folder: Path, path: str, content: bytes) -> None:
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    (folder / path).write_bytes(content)


@pytest.fixture
def pipeline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LockedPipeline:
    """A folder of two files, a file, and what lies in Git; and the run cache."""
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))
    root = tmp_path / "clone"
    cache = root / ".dvc" / "cache"
    for path, content in OBJECTS.items():
        write(cache, path, content)
    (root / ".dvc" / "config").write_text("[core]\n    no_scm = true\n")
    outputs = (
        LockedOutput(root / "folder", LIST_DIGEST, is_cached=True),
        LockedOutput(root / "file", digest(CONTENTS[2]), is_cached=True),
        LockedOutput(root / "report", f"{digest(b'of Git')}.dir", is_cached=False),
    )
    stage = LockedStage("make", (), root, (), outputs)
    return LockedPipeline(root, cache / "files" / "md5", root / ".dvc" / "tmp", (stage,), None)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for path, content in OBJECTS.items():
        write(tmp_path / "remote", path, content)
    return tmp_path / "remote"


@pytest.fixture
def address(folder: Path) -> Address:
    return Address(str(folder), {"verify": "true"}, is_folder=True)


@pytest.fixture
def remote(pipeline: LockedPipeline, address: Address) -> Iterator[Remote]:
    with open_remote(pipeline.root, address=address) as (_, remote):
        yield remote


def test_all_that_dvc_caches_is_listed_and_nothing_of_git(pipeline: LockedPipeline) -> None:
    listed = list_objects(pipeline)
    assert {path: file.read_bytes() for path, file in listed.items()} == OBJECTS
    assert list(listed) == sorted(listed)


def test_a_whole_remote_has_no_faults(pipeline: LockedPipeline, remote: Remote) -> None:
    for is_thorough in (False, True):
        assert remote.find_faults(list_objects(pipeline), is_thorough) == []


def test_sizes_and_lists_are_always_compared_and_files_on_demand(
    pipeline: LockedPipeline, remote: Remote, folder: Path
) -> None:
    one, two, three = (name(digest(content)) for content in CONTENTS)
    (folder / one).unlink()
    write(folder, two, b"tw")
    write(folder, three, b"Three")
    write(folder, name(LIST_DIGEST), LIST[:-1] + b"}")
    objects = list_objects(pipeline)
    found = {
        Fault(one, "is missing"),
        Fault(two, "has 2 bytes, not 3"),
        Fault(name(LIST_DIGEST), "has other bytes"),
    }
    assert set(remote.find_faults(objects, is_thorough=False)) == found
    faults = remote.find_faults(objects, is_thorough=True)
    assert set(faults) == found | {Fault(three, "has other bytes")}
    remote.replace(faults, objects)
    assert {path: (folder / path).read_bytes() for path in objects} == OBJECTS


def test_the_test_of_writing_leaves_nothing(remote: Remote, folder: Path) -> None:
    before = set(folder.rglob("*"))
    remote.check_writable()
    assert set(folder.rglob("*")) == before


def test_a_remote_that_cannot_be_written_is_one_line(pipeline: LockedPipeline, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        open_remote(pipeline.root, address=Address(f"{tmp_path}/file/x", {}, is_folder=True)) as (_, remote),
        pytest.raises(
            PipelineError, match=rf"^{tmp_path}/file/x cannot be reached or refuses; .* Got .*Not a directory"
        ),
    ):
        remote.check_writable()


def test_lists_come_only_as_the_lock_has_them(pipeline: LockedPipeline, address: Address, folder: Path) -> None:
    here = pipeline.cache.parents[1] / name(LIST_DIGEST)
    for content in (None, b"damaged here"):
        here.unlink(missing_ok=True)
        if content is not None:
            here.write_bytes(content)
        with open_remote(pipeline.root, address=address) as (repo, remote):
            fetch_lists(pipeline, repo, remote)
        assert here.read_bytes() == LIST
    here.unlink()
    write(folder, name(LIST_DIGEST), LIST.replace(b"3", b"9"))
    with open_remote(pipeline.root, address=address) as (repo, remote):
        with pytest.raises(PipelineError, match=rf"^{folder} holds a damaged {name(LIST_DIGEST)}, of which nothing"):
            fetch_lists(pipeline, repo, remote)
        (folder / name(LIST_DIGEST)).unlink()
        with pytest.raises(PipelineError, match=rf"^{folder} lacks {name(LIST_DIGEST)}; `make share` where"):
            fetch_lists(pipeline, repo, remote)
    assert not here.exists()


def test_a_list_that_cannot_be_kept_is_one_line(pipeline: LockedPipeline, address: Address) -> None:
    here = pipeline.cache.parents[1] / name(LIST_DIGEST)
    here.unlink()
    here.parent.rmdir()
    here.parent.touch()
    with (
        open_remote(pipeline.root, address=address) as (repo, remote),
        pytest.raises(PipelineError, match=rf"^{here} cannot be written: "),
    ):
        fetch_lists(pipeline, repo, remote)


def test_a_password_is_never_shown(pipeline: LockedPipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    url = "http://me:hunter2@127.0.0.1:9/folder"
    with open_remote(pipeline.root, address=Address(url, {}, is_folder=False)) as (_, remote):
        assert remote.url == "http://me@127.0.0.1:9/folder"
        monkeypatch.setattr(remote._remote.fs, "makedirs", Mock(side_effect=OSError(f"refused by {url}")))
        with pytest.raises(PipelineError, match=r"Got refused by http://me@127\.0\.0\.1:9/folder$") as caught:
            remote.check_writable()
    assert "hunter2" not in str(caught.value)
