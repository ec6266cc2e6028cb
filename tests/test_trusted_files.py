"""What is fetched once and trusted by its digest, with real requests to a server on loopback."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from file_server import Cut, FileServer, serving, use_proxy

from fusionseq.checksums import Checksums
from fusionseq.downloads import Patience
from fusionseq.errors import PipelineError
from fusionseq.trusted_files import RemoteFile, TrustedFile, fetch_once

NAME = "weights/x.h5"
CONTENT = np.random.default_rng(0).bytes(100_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
MD5 = hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()


@dataclass
class Place:
    """A server, and a folder to fetch its file to."""

    server: FileServer
    folder: Path
    remote: RemoteFile

    @property
    def path(self) -> Path:
        return self.folder / "downloads" / NAME

    @property
    def checksums(self) -> Path:
        return self.folder / "checksums.json"

    def fetch(self) -> TrustedFile:
        return fetch_once(self.remote, self.folder / "downloads", Checksums(self.checksums), inspect)


def inspect(path: Path) -> None:
    """Refuse what looks like a page of the web, as a network that wants a login sends it."""
    if path.read_bytes().startswith(b"<html>"):
        raise PipelineError("this is a page.")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """Nothing has been fetched."""
    use_proxy(monkeypatch, None)
    with serving({"x.h5": CONTENT}) as server:
        yield Place(server, tmp_path, RemoteFile(NAME, server.url("x.h5"), None, "weights.address in params.yaml"))


def test_first_fetch_records_the_digest(place: Place) -> None:
    assert place.fetch() == TrustedFile(len(CONTENT), SHA256)
    assert place.path.read_bytes() == CONTENT
    assert json.loads(place.checksums.read_bytes()) == {NAME: SHA256}


def test_second_fetch_asks_nobody(place: Place) -> None:
    first = place.fetch()
    assert place.fetch() == first
    assert len(place.server.requests) == 1


def test_what_was_fetched_does_without_a_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_proxy(monkeypatch, None)
    remote = RemoteFile(NAME, "http://127.0.0.1:1/x.h5", MD5, "weights.address")
    (tmp_path / NAME).parent.mkdir()
    (tmp_path / NAME).write_bytes(CONTENT)
    assert fetch_once(remote, tmp_path, Checksums(tmp_path / "checksums.json"), inspect).sha256 == SHA256
    # Put there by hand, it is held to its digest from then on.
    assert Checksums(tmp_path / "checksums.json").read(NAME) == SHA256


def test_damaged_file_is_removed_and_fetched_anew_by_the_next_run(place: Place) -> None:
    place.fetch()
    place.path.write_bytes(CONTENT[:-1])
    with pytest.raises(PipelineError, match=rf"{NAME} has sha256 \w+, but checksums\.json has {SHA256}.* was removed"):
        place.fetch()
    assert not place.path.exists()
    assert place.fetch().sha256 == SHA256


def test_file_that_cannot_be_read_is_one_line(place: Place) -> None:
    place.path.parent.mkdir(parents=True)
    # A file whose first byte nobody can read.
    place.path.symlink_to("/proc/self/mem")
    with pytest.raises(
        PipelineError, match=rf"^{place.path} cannot be read: Input/output error\. The file was removed"
    ):
        place.fetch()
    assert place.fetch().sha256 == SHA256


def test_file_that_changed_at_its_source_is_refused(place: Place) -> None:
    Checksums(place.checksums).check(NAME, "0" * 64)
    before = place.checksums.read_bytes()
    with pytest.raises(PipelineError, match=rf"{NAME} has sha256 {SHA256}, but checksums\.json has 0{{64}}") as caught:
        place.fetch()
    assert "\n" not in str(caught.value)
    assert list(place.path.parent.iterdir()) == []
    assert place.checksums.read_bytes() == before


def test_digest_of_the_publisher_is_held(place: Place) -> None:
    place.remote = replace(place.remote, md5="f" * 32)
    with pytest.raises(PipelineError, match=rf"has md5 {MD5}, but its publisher gives f{{32}}.*weights\.address"):
        place.fetch()
    assert list(place.path.parent.iterdir()) == []
    assert not place.checksums.exists()
    place.remote = replace(place.remote, md5=MD5)
    assert place.fetch().sha256 == SHA256


def test_only_what_passes_inspection_is_recorded(place: Place) -> None:
    place.server.files["x.h5"] = b"<html>Welcome! Please log in.</html>"
    with pytest.raises(PipelineError, match=r"^this is a page\. The file was removed"):
        place.fetch()
    assert not place.checksums.exists()
    place.server.files["x.h5"] = CONTENT
    assert place.fetch().sha256 == SHA256


def test_file_of_a_wrong_digest_is_not_even_inspected(place: Place) -> None:
    Checksums(place.checksums).check(NAME, "0" * 64)
    place.server.files["x.h5"] = b"<html>"
    with pytest.raises(PipelineError, match="has sha256"):
        place.fetch()


@pytest.mark.parametrize("content", ["{", "[]", '{"a": 1}'])
def test_damaged_list_of_digests_costs_no_download(place: Place, content: str) -> None:
    place.fetch()
    place.checksums.write_text(content, encoding="utf-8")
    with pytest.raises(PipelineError, match=r"^checksums\.json must map names to digests\. Bring it back") as caught:
        place.fetch()
    assert "removed" not in str(caught.value)
    assert place.path.exists()


def test_interrupted_download_is_continued_and_verified_as_a_whole(place: Place) -> None:
    place.server.script.append(Cut(80_000))
    impatient = Patience(tries=1, timeout=5.0, first_pause=0.0, longest_pause=0.0)
    checksums = Checksums(place.checksums)
    with pytest.raises(PipelineError, match="are kept and the next run goes on"):
        fetch_once(place.remote, place.folder / "downloads", checksums, inspect, impatient)
    assert not place.checksums.exists()
    assert place.fetch() == TrustedFile(len(CONTENT), SHA256)
    assert "Range" in place.server.requests[1].headers


def test_mirror_need_not_be_the_first(place: Place) -> None:
    place.fetch()
    place.path.unlink()
    with serving({"mirror/x.h5": CONTENT}) as mirror:
        place.remote = replace(place.remote, url=mirror.url("mirror/x.h5"))
        assert place.fetch().sha256 == SHA256
