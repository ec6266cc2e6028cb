"""Tries and pauses, with real requests to a server on loopback; only the waiting is left out."""

import io
import logging
import re
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from file_server import Cut, FileServer, Reply, serving, use_proxy

from fusionseq import console
from fusionseq.downloads import PATIENCE, Patience, download
from fusionseq.errors import PipelineError

CONTENT = np.random.default_rng(0).bytes(300_000)
SETTING = "weights.address in params.yaml"


@dataclass
class Clock:
    """Waits in no time, and remembers for how long."""

    pauses: list[float] = field(default_factory=list)

    def be_patient(self, tries: int) -> Patience:
        return Patience(tries, timeout=5.0, first_pause=1.0, longest_pause=60.0, sleep=self.pauses.append)


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reach the server directly."""
    use_proxy(monkeypatch, None)


@pytest.fixture
def server() -> Iterator[FileServer]:
    """A server of one file."""
    with serving({"x.h5": CONTENT}) as server:
        yield server


@pytest.fixture
def clock() -> Clock:
    """No time has passed."""
    return Clock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the file goes, in a folder that is not there yet."""
    return tmp_path / "downloads" / "x.h5"


def pass_all(path: Path) -> int:
    return len(path.read_bytes())


def refuse(path: Path) -> None:
    raise PipelineError("x.h5 is not as it should be.")


def test_file_is_in_its_place_only_after_its_check(server: FileServer, path: Path, clock: Clock) -> None:
    seen = []

    def check(found: Path) -> str:
        seen.append((found.read_bytes() == CONTENT, found.suffix, path.exists()))
        return "checked"

    assert download(server.url("x.h5"), path, check, SETTING, clock.be_patient(1)) == "checked"
    assert seen == [(True, ".h5", False)]
    assert path.read_bytes() == CONTENT
    assert list(path.parent.iterdir()) == [path]
    assert clock.pauses == []


def test_file_that_fails_its_check_is_removed(server: FileServer, path: Path) -> None:
    expected = "x.h5 is not as it should be. The file was removed; the next run fetches it anew."
    with pytest.raises(PipelineError, match=f"^{re.escape(expected)}$"):
        download(server.url("x.h5"), path, refuse, SETTING)
    assert list(path.parent.iterdir()) == []


def test_bug_in_a_check_keeps_its_traceback_and_the_download(server: FileServer, path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        download(server.url("x.h5"), path, lambda _: 1 / 0, SETTING)
    download(server.url("x.h5"), path, pass_all, SETTING)
    assert len(server.requests) == 1


def test_broken_download_goes_on_after_a_pause(server: FileServer, path: Path, clock: Clock) -> None:
    server.script.extend([Cut(100_000), Reply(500), Cut(100_000), Reply(429)])
    assert download(server.url("x.h5"), path, pass_all, SETTING, clock.be_patient(5)) == 300_000
    assert path.read_bytes() == CONTENT
    # Each pause is at least twice the one before without its random part.
    for pause, least in zip(clock.pauses, [1, 2, 4, 8], strict=True):
        assert least <= pause <= least + 1
    starts = [int(re.findall(r"\d+", request.headers.get("Range", "0"))[0]) for request in server.requests]
    assert starts == sorted(starts)
    assert starts[-1] > 100_000


def test_pauses_differ_from_machine_to_machine_and_have_an_end(server: FileServer, path: Path, clock: Clock) -> None:
    server.script.extend([Reply(503)] * 10)
    download(server.url("x.h5"), path, pass_all, SETTING, clock.be_patient(11))
    assert clock.pauses[6:] == [60.0] * 4
    assert len({pause % 1 for pause in clock.pauses[:6]}) > 1


def test_server_says_how_long_to_wait_up_to_a_limit(server: FileServer, path: Path, clock: Clock) -> None:
    server.script.extend([Reply(429, {"Retry-After": "7"}), Reply(503, {"Retry-After": "86400"})])
    download(server.url("x.h5"), path, pass_all, SETTING, clock.be_patient(3))
    assert clock.pauses == [7.0, 60.0]


def test_each_try_is_told(server: FileServer, path: Path, clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    server.script.append(Reply(429, {"Retry-After": "7"}))
    url = server.url("x.h5").replace("://", "://ada:s3cret@")
    with caplog.at_level(logging.INFO, logger="fusionseq"):
        download(url, path, pass_all, SETTING, clock.be_patient(2))
    assert caplog.messages == [
        f"{server.url('x.h5')}: the server answers 429 Too Many Requests; trying again in 7 s",
    ]


def test_next_run_goes_on_where_the_last_gave_up(server: FileServer, path: Path, clock: Clock) -> None:
    server.script.extend([Cut(200_000), Reply(503), Reply(503)])
    with pytest.raises(PipelineError) as caught:
        download(server.url("x.h5"), path, pass_all, SETTING, clock.be_patient(3))
    assert str(caught.value).startswith(
        f"{server.url('x.h5')}: gave up after 3 tries, the last because the server answers 503 Service Unavailable; "
        f"0.2 MB are kept and the next run goes on from there."
    )
    assert SETTING in str(caught.value)
    assert len(clock.pauses) == 2
    assert not path.exists()
    download(server.url("x.h5"), path, pass_all, SETTING, clock.be_patient(1))
    assert path.read_bytes() == CONTENT
    # Of the 65,536 bytes that are read at a time, some may be lost.
    assert sum(request.sent for request in server.requests) <= 300_000 + 65_536


def test_server_that_cannot_continue_promises_nothing(server: FileServer, path: Path, clock: Clock) -> None:
    server.validators = "none"
    server.script.extend([Cut(200_000)] * 2)
    with pytest.raises(
        PipelineError, match=r"gave up after 2 tries, the last because the connection broke off; run it"
    ):
        download(server.url("x.h5"), path, pass_all, SETTING, clock.be_patient(2))


def test_server_that_is_gone_is_one_line(path: Path, clock: Clock) -> None:
    with serving({}) as server:
        url = server.url("x.h5")
    with pytest.raises(PipelineError, match=r"gave up after 4 tries, the last because Connection refused") as caught:
        download(url, path, pass_all, SETTING, clock.be_patient(4))
    assert "\n" not in str(caught.value)
    assert len(clock.pauses) == 3


def test_file_that_is_not_there_is_asked_for_once(server: FileServer, path: Path, clock: Clock) -> None:
    with pytest.raises(PipelineError, match=r"404 Not Found; check weights\.address in params\.yaml\.$"):
        download(server.url("y.h5"), path, pass_all, SETTING, clock.be_patient(5))
    assert len(server.requests) == 1


def test_changed_file_is_fetched_whole_without_a_pause(server: FileServer, path: Path, clock: Clock) -> None:
    server.knows_conditions = False
    server.script.append(Cut(200_000))
    with pytest.raises(PipelineError):
        download(server.url("x.h5"), path, pass_all, SETTING, clock.be_patient(1))
    server.files["x.h5"] = bytes(300_000)
    download(server.url("x.h5"), path, pass_all, SETTING, clock.be_patient(2))
    assert path.read_bytes() == bytes(300_000)
    assert clock.pauses == [0.0]


def test_patience_is_bounded() -> None:
    pauses = [min(PATIENCE.first_pause * 2.0**n, PATIENCE.longest_pause) for n in range(PATIENCE.tries - 1)]
    assert 30 < sum(pauses) < 300


@contextmanager
def small_disk() -> Iterator[None]:
    """No file of this process grows beyond 200,000 bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_full_disk_is_one_line_and_what_arrived_is_kept(server: FileServer, path: Path, clock: Clock) -> None:
    with small_disk(), pytest.raises(PipelineError) as caught:
        download(server.url("x.h5"), path, pass_all, SETTING, clock.be_patient(3))
    assert str(caught.value) == (
        f"{path.parent} cannot be written: File too large. Make room or mend its permissions; the next run goes on "
        f"with what has arrived."
    )
    assert len(server.requests) == 1
    download(server.url("x.h5"), path, pass_all, SETTING, clock.be_patient(1))
    assert path.read_bytes() == CONTENT
    assert "Range" in server.requests[1].headers


def test_folder_that_cannot_be_made_is_one_line(server: FileServer, path: Path) -> None:
    path.parent.write_bytes(b"a file where the folder should be")
    with pytest.raises(PipelineError, match=f"^{path.parent} cannot be written: File exists"):
        download(server.url("x.h5"), path, pass_all, SETTING)
    assert server.requests == []


def test_progress_without_a_terminal_is_a_line_now_and_then(
    server: FileServer, path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(console, "_PLAIN_INTERVAL", 0.0)
    with caplog.at_level(logging.INFO, logger="fusionseq"):
        download(server.url("x.h5"), path, pass_all, SETTING)
    assert caplog.messages[0] == "x.h5: 0.1 of 0.3 MB"
    assert caplog.messages[-1] == "x.h5: 0.3 of 0.3 MB"


def test_progress_goes_on_where_the_file_does(
    server: FileServer, path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    server.script.append(Cut(270_000))
    monkeypatch.setattr(console, "_PLAIN_INTERVAL", 0.0)
    with caplog.at_level(logging.INFO, logger="fusionseq"):
        download(server.url("x.h5"), path, pass_all, SETTING, clock.be_patient(2))
    told = [message for message in caplog.messages if message.startswith("x.h5: ")]
    assert told == [f"x.h5: {done} of 0.3 MB" for done in ("0.1", "0.1", "0.2", "0.3", "0.3")]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("size", "last"), [("known", "300.0/300.0 kB"), ("unknown", "300.0/? kB")])
def test_progress_in_a_terminal_is_a_bar(
    server: FileServer, path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch, size: str, last: str
) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    server.compresses = size == "unknown"
    server.script.append(Cut(200_000))
    download(server.url("x.h5"), path, pass_all, SETTING, clock.be_patient(2))
    assert "x.h5" in terminal.getvalue()
    assert last in terminal.getvalue()


@pytest.mark.parametrize("total", [None, 3_000_000])
def test_size_is_told_where_it_is_known(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, total: int | None
) -> None:
    monkeypatch.setattr(console, "_PLAIN_INTERVAL", 0.0)
    with caplog.at_level(logging.INFO, logger="fusionseq"):
        assert list(console.track_bytes([bytes(10**6)], "x.h5", 10**6, total)) == [bytes(10**6)]
    assert caplog.messages == ["x.h5: 2.0 of 3.0 MB" if total else "x.h5: 2.0 MB"]
