"""What is fetched, what is kept, and what is trusted."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hub import LocalHub, make_noise

from fusionseq.checksums import Checksums
from fusionseq.datasets.hub import Hub
from fusionseq.datasets.repository import Repository
from fusionseq.errors import PipelineError

NAME = "acme/noise"
DATA = "data/train-00000-of-00001.parquet"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalHub]:
    monkeypatch.delenv("HF_TOKEN", raising=False)
    with LocalHub() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
        yield hub


def open_repository(folder: Path, revision: str, name: str = NAME) -> Repository:
    return Repository(name, revision, folder / "cache", Checksums(folder / "checksums.json"), Hub(0))


def test_a_file_is_what_was_published(hub: LocalHub, tmp_path: Path) -> None:
    repository = open_repository(tmp_path, hub.publish(NAME, make_noise()))
    for path, content in make_noise().items():
        assert not repository.is_cached(path)
        file = repository.fetch(path)
        assert repository.is_cached(path)
        assert file.location.read_bytes() == content
        assert file.size == len(content)
        assert file.location.is_relative_to(tmp_path / "cache")


@pytest.mark.parametrize("path", [DATA, "README.md"])
def test_a_file_that_was_damaged_on_the_disk_is_fetched_anew(hub: LocalHub, tmp_path: Path, path: str) -> None:
    revision = hub.publish(NAME, make_noise())
    location = open_repository(tmp_path, revision).fetch(path).location
    location.write_bytes(bytes(len(make_noise()[path])))
    assert open_repository(tmp_path, revision).fetch(path).location.read_bytes() == make_noise()[path]


@pytest.mark.parametrize("path", [DATA, "README.md"])
def test_other_bytes_are_refused(hub: LocalHub, tmp_path: Path, path: str) -> None:
    repository = open_repository(tmp_path, hub.publish(NAME, make_noise()))
    hub.served_instead[path] = bytes(len(make_noise()[path]))
    with pytest.raises(PipelineError, match=f"^{path} of the dataset {NAME} was changed on its way: the hub states"):
        repository.fetch(path)
    assert not repository.is_cached(path)
    hub.served_instead.clear()
    assert repository.fetch(path).location.read_bytes() == make_noise()[path]


def test_the_list_is_kept_and_verified(hub: LocalHub, tmp_path: Path) -> None:
    revision = hub.publish(NAME, make_noise())
    files = dict(open_repository(tmp_path, revision).files)
    hub.requests.clear()
    assert open_repository(tmp_path, revision).files == files
    assert not hub.requests
    (location,) = (tmp_path / "cache").rglob("files.json")
    location.write_text("[]")
    assert open_repository(tmp_path, revision).files == files
    assert hub.requests


def test_another_list_than_at_first_is_refused(hub: LocalHub, tmp_path: Path) -> None:
    revision = hub.publish(NAME, make_noise())
    (tmp_path / "checksums.json").write_text(json.dumps({f"datasets/{NAME}@{revision}": "0" * 64}))
    with pytest.raises(PipelineError, match="from the first download"):
        _ = open_repository(tmp_path, revision).files


def test_a_branch_is_no_commit(hub: LocalHub, tmp_path: Path) -> None:
    hub.publish(NAME, make_noise())
    with pytest.raises(PipelineError, match="to a full commit hash"):
        _ = open_repository(tmp_path, "main").files


@pytest.mark.parametrize("path", ["../../outside", "/outside"])
def test_no_file_lies_outside_of_the_cache(hub: LocalHub, tmp_path: Path, path: str) -> None:
    repository = open_repository(tmp_path, hub.publish(NAME, {path: b"content"}))
    with pytest.raises(PipelineError, match="would lie outside of its folder"):
        repository.fetch(path)


def test_a_trial_records_nothing_and_still_compares(hub: LocalHub, tmp_path: Path) -> None:
    revision = hub.publish(NAME, make_noise())
    checksums = Checksums(tmp_path / "checksums.json")
    Repository(NAME, revision, tmp_path, checksums, Hub(0), is_trial=True).fetch("README.md")
    assert not (tmp_path / "checksums.json").exists()
    checksums.check(f"datasets/{NAME}@{revision}/README.md", "0" * 64)
    with pytest.raises(PipelineError, match="from the first download"):
        Repository(NAME, revision, tmp_path, checksums, Hub(0), is_trial=True).fetch("README.md")


def test_a_cache_that_cannot_be_written(hub: LocalHub, tmp_path: Path) -> None:
    (tmp_path / "cache").touch()
    with pytest.raises(PipelineError, match=r"cannot be written \(.*\); make room or change the permissions"):
        open_repository(tmp_path, hub.publish(NAME, make_noise())).fetch(DATA)
