"""Requests to a hub, its faults, and what is said of them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hub import TOKEN, LocalHub, make_noise
from huggingface_hub import constants

from fusionseq.datasets.hub import Hub, HubFile
from fusionseq.errors import PipelineError

NAME = "acme/noise"
DATA = "data/train-00000-of-00001.parquet"
# A port that nothing listens at.
NOWHERE = "http://127.0.0.1:9"


@pytest.fixture
def local(monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalHub]:
    # The library keeps what has arrived in pieces of this size.
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 1000)
    monkeypatch.delenv("HF_TOKEN", raising=False)
    with LocalHub() as local:
        monkeypatch.setenv("HF_ENDPOINT", local.endpoint)
        yield local


def find_data(local: LocalHub) -> tuple[str, HubFile]:
    """Publish a dataset; its revision and its largest file."""
    revision = local.publish(NAME, make_noise())
    return revision, next(file for file in Hub(0).list_files(NAME, revision) if file.path == DATA)


def read_ranges(local: LocalHub) -> list[str | None]:
    return [request.headers.get("range") for request in local.data_requests()]


def test_all_pages_of_the_list_are_read(local: LocalHub) -> None:
    local.entries_per_page = 2
    revision = local.publish(NAME, make_noise())
    files = Hub(0).list_files(NAME, revision)
    assert [file.path for file in files] == sorted(make_noise())
    assert [file.size for file in files] == [len(make_noise()[file.path]) for file in files]
    assert [file.sha256 is None for file in files] == [file.path == "README.md" for file in files]


def test_a_cut_body_is_completed(local: LocalHub, tmp_path: Path) -> None:
    revision, file = find_data(local)
    local.cut(f"/storage/{NAME}", after=5000)
    Hub(0).download(NAME, revision, file, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == make_noise()[DATA]
    assert read_ranges(local) == [None, "bytes=5000-"]


def test_a_short_body_that_looks_whole_is_completed(local: LocalHub, tmp_path: Path) -> None:
    revision, file = find_data(local)
    local.cut(f"/storage/{NAME}", after=5000, is_silent=True)
    Hub(0).download(NAME, revision, file, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == make_noise()[DATA]
    assert read_ranges(local) == [None, "bytes=5000-"]


def test_a_hub_that_was_away_is_gone_back_to(local: LocalHub, tmp_path: Path) -> None:
    revision, file = find_data(local)
    local.cut(f"/storage/{NAME}", after=5000, away_for=1.5)
    Hub(0).download(NAME, revision, file, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == make_noise()[DATA]
    assert read_ranges(local) == [None, "bytes=5000-"]


def test_what_another_run_left_is_completed(local: LocalHub, tmp_path: Path) -> None:
    revision, file = find_data(local)
    local.cut(f"/storage/{NAME}", after=5000)
    local.fail(f"/storage/{NAME}", 403)
    with pytest.raises(PipelineError, match="refuses access"):
        Hub(0).download(NAME, revision, file, tmp_path / "file")
    assert (tmp_path / "file").stat().st_size == 5000
    local.requests.clear()
    Hub(0).download(NAME, revision, file, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == make_noise()[DATA]
    assert read_ranges(local) == ["bytes=5000-"]


def test_what_is_too_long_is_fetched_anew(local: LocalHub, tmp_path: Path) -> None:
    revision, file = find_data(local)
    (tmp_path / "file").write_bytes(bytes(file.size + 1))
    Hub(0).download(NAME, revision, file, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == make_noise()[DATA]


@pytest.mark.parametrize("status", [429, 500, 503])
@pytest.mark.parametrize("part", ["/revision/", "/tree/", f"/datasets/{NAME}/resolve/", "/storage/"])
def test_passing_faults_pass(local: LocalHub, tmp_path: Path, part: str, status: int) -> None:
    revision, _ = find_data(local)
    local.fail(part, status)
    assert Hub(0).resolve_revision(NAME, "main") == revision
    file = next(file for file in Hub(0).list_files(NAME, revision) if file.path == DATA)
    Hub(0).download(NAME, revision, file, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == make_noise()[DATA]


def fail(name: str = NAME) -> str:
    """Resolve the main branch in vain, and return the one line that says why."""
    with pytest.raises(PipelineError) as caught:
        Hub(0).resolve_revision(name, "main")
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_dataset_that_does_not_exist(local: LocalHub, monkeypatch: pytest.MonkeyPatch) -> None:
    # A hub tells nobody whether there is a dataset that is private.
    assert "refuses access to the dataset acme/noise (status 401)" in fail()
    assert "no token is given" in fail()
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    assert fail() == (
        "127.0.0.1 has no dataset acme/noise at revision main; check data.name and data.revision in params.yaml."
    )


def test_a_private_dataset_needs_the_right_token(local: LocalHub, monkeypatch: pytest.MonkeyPatch) -> None:
    revision = local.publish(NAME, make_noise(), access="private")
    assert "set the environment variable HF_TOKEN" in fail()
    monkeypatch.setenv("HF_TOKEN", "hf_of_somebody_else")
    assert "the token in HF_TOKEN gives no access" in fail()
    monkeypatch.setenv("HF_TOKEN", f"{TOKEN}\n")
    assert Hub(0).resolve_revision(NAME, "main") == revision


def test_a_name_that_cannot_be(local: LocalHub) -> None:
    assert "check data.name" in fail("../noise")
    assert not local.requests


def test_a_fault_that_stays_is_told(local: LocalHub) -> None:
    local.publish(NAME, make_noise())
    local.fail("/revision/", 503, times=4)
    assert fail() == "127.0.0.1 answers with status 503 when asked for the dataset acme/noise; try again later."
    assert len(local.requests) == 4


def test_a_host_that_is_no_hub(local: LocalHub) -> None:
    local.fail("/revision/", 200)
    assert "127.0.0.1 does not answer like a hub" in fail()


def test_no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", NOWHERE.replace("//", "//user:secret@"))
    assert fail().startswith(
        "127.0.0.1 cannot be reached for the dataset acme/noise (ConnectError); check the connection"
    )


def test_a_disk_that_takes_nothing(local: LocalHub, tmp_path: Path) -> None:
    revision, file = find_data(local)
    with pytest.raises(PipelineError, match=r"cannot be written to the disk \(Is a directory\)"):
        Hub(0).download(NAME, revision, file, tmp_path)
