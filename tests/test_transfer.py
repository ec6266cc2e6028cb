"""One request at a time, with real requests to a server on loopback."""

import email.utils
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from file_server import Cut, FileServer, Hang, Piece, Reply, proxying, serving, use_proxy

from fusionseq.errors import PipelineError
from fusionseq.partial_files import PartialFile
from fusionseq.transfer import PassingError, hide_secrets, transfer

CONTENT = np.random.default_rng(0).bytes(300_000)
# Of the same length, so that nothing but its version tells it apart.
OTHER_CONTENT = np.random.default_rng(1).bytes(300_000)
SETTING = "weights.address in params.yaml"
TIMEOUT = 5.0
# What may be lost of what the server sent before a connection broke.
CHUNK = 65_536


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
def part(tmp_path: Path) -> PartialFile:
    """Nothing yet of that file."""
    return PartialFile(tmp_path / "x.h5")


def ask(server: FileServer, part: PartialFile) -> None:
    transfer(server.url("x.h5"), part, SETTING, TIMEOUT)


def break_off(server: FileServer, part: PartialFile, after: int = 200_000) -> None:
    """Have a first request get a part of the file."""
    server.script.append(Cut(after))
    with pytest.raises(PassingError, match=r"^the connection broke off$"):
        ask(server, part)
    assert after - CHUNK <= part.size <= after


def ranges(server: FileServer) -> list[str | None]:
    return [request.headers.get("Range") for request in server.requests]


def test_whole_file_arrives_at_once(server: FileServer, part: PartialFile) -> None:
    ask(server, part)
    assert part.path.read_bytes() == CONTENT
    assert ranges(server) == [None]
    assert server.requests[0].headers["Accept-Encoding"] == "identity"


def test_empty_file_arrives(server: FileServer, part: PartialFile) -> None:
    server.files["x.h5"] = b""
    ask(server, part)
    assert part.path.read_bytes() == b""


@pytest.mark.parametrize("validators", ["etag", "date"])
def test_rest_is_asked_for_and_nothing_sent_twice(
    server: FileServer, part: PartialFile, validators: Literal["etag", "date"]
) -> None:
    server.validators = validators
    break_off(server, part)
    arrived = part.size
    ask(server, part)
    assert part.path.read_bytes() == CONTENT
    assert ranges(server) == [None, f"bytes={arrived}-"]
    assert server.requests[1].headers["If-Range"] in server.describe_version(CONTENT).values()
    assert [request.sent for request in server.requests] == [200_000, 300_000 - arrived]


def test_pieces_are_put_together(server: FileServer, part: PartialFile) -> None:
    break_off(server, part, after=100_000)
    server.script.append(Piece(150_000))
    arrived = part.size + 150_000
    with pytest.raises(PassingError, match=f"^{arrived} of 300000 bytes arrived$"):
        ask(server, part)
    ask(server, part)
    assert part.path.read_bytes() == CONTENT


def test_whole_part_is_not_asked_for(server: FileServer, part: PartialFile) -> None:
    ask(server, part)
    ask(server, part)
    assert len(server.requests) == 1


def test_server_that_ignores_ranges_sends_all_again(server: FileServer, part: PartialFile) -> None:
    break_off(server, part)
    server.knows_ranges = False
    ask(server, part)
    assert part.path.read_bytes() == CONTENT
    assert server.requests[1].sent == 300_000


def test_changed_file_is_sent_whole(server: FileServer, part: PartialFile) -> None:
    break_off(server, part)
    server.files["x.h5"] = OTHER_CONTENT
    ask(server, part)
    assert part.path.read_bytes() == OTHER_CONTENT
    assert [request.sent for request in server.requests] == [200_000, 300_000]


@pytest.mark.parametrize("content", [OTHER_CONTENT, CONTENT + b"more", CONTENT[:1000]])
@pytest.mark.parametrize("validators", ["etag", "date"])
def test_changed_file_is_noticed_where_the_server_does_not(
    server: FileServer, part: PartialFile, content: bytes, validators: Literal["etag", "date"]
) -> None:
    server.validators, server.knows_conditions = validators, False
    break_off(server, part)
    server.files["x.h5"] = content
    with pytest.raises(PassingError, match="cannot continue the file") as caught:
        ask(server, part)
    assert caught.value.pause == 0
    ask(server, part)
    assert part.path.read_bytes() == content
    assert ranges(server)[2] is None


@pytest.mark.parametrize("content_range", ["bytes 0-299999/300000", "bytes {arrived}-299999/300001", "all", ""])
def test_part_that_does_not_fit_is_refused(server: FileServer, part: PartialFile, content_range: str) -> None:
    break_off(server, part)
    headers = {"Content-Range": content_range.format(arrived=part.size), **server.describe_version(CONTENT)}
    server.script.append(Reply(206, headers, CONTENT[part.size :]))
    with pytest.raises(PassingError, match="cannot continue the file"):
        ask(server, part)
    assert part.size == 0


def test_part_without_what_was_known_before_is_taken(server: FileServer, part: PartialFile) -> None:
    break_off(server, part)
    server.script.append(Reply(206, {"Content-Range": f"bytes {part.size}-299999/*"}, CONTENT[part.size :]))
    ask(server, part)
    assert part.path.read_bytes() == CONTENT


@pytest.mark.parametrize("validators", ["weak", "none"])
def test_file_of_no_certain_version_is_not_continued(
    server: FileServer, part: PartialFile, validators: Literal["weak", "none"]
) -> None:
    server.validators = validators
    break_off(server, part)
    ask(server, part)
    assert part.path.read_bytes() == CONTENT
    assert ranges(server) == [None, None]


def test_file_compressed_against_our_wish_arrives_as_it_is(server: FileServer, part: PartialFile) -> None:
    server.compresses = True
    server.files["x.h5"] = bytes(300_000)
    ask(server, part)
    assert part.path.read_bytes() == bytes(300_000)
    # What is counted and named by an ETag here is the compressed file.
    assert part.read_version(server.url("x.h5")) is None


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_what_may_pass_keeps_what_arrived(server: FileServer, part: PartialFile, status: int) -> None:
    break_off(server, part)
    arrived = part.size
    server.script.append(Reply(status, body=b"later"))
    with pytest.raises(PassingError, match=f"^the server answers {status} ") as caught:
        ask(server, part)
    assert caught.value.pause is None
    assert part.size == arrived


@pytest.mark.parametrize(
    ("status", "advice"),
    [
        (401, "401 Unauthorized; put your name and password for this server into ~/.netrc, or check"),
        (403, "403 Forbidden; put your name and password for this server into ~/.netrc, or check"),
        (404, "404 Not Found; check"),
        (410, "410 Gone; check"),
        (407, "407 Proxy Authentication Required; name the proxy with its user and password in HTTPS_PROXY, or check"),
        (206, "206 Partial Content; check"),
        (204, "204 No Content; check"),
        (416, "416 Requested Range Not Satisfiable; check"),
        (499, "499; check"),
    ],
)
def test_what_will_not_pass_is_one_line(server: FileServer, part: PartialFile, status: int, advice: str) -> None:
    server.script.append(Reply(status))
    with pytest.raises(PipelineError) as caught:
        ask(server, part)
    assert str(caught.value) == f"{server.url('x.h5')}: the server answers {advice} {SETTING}."


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("7", 7.0), ("0", 0.0), ("soon", None), ("-1", None), ("", None), ("9" * 400, None), ("nan", None)],
)
def test_pause_in_seconds_is_read(server: FileServer, part: PartialFile, value: str, seconds: float | None) -> None:
    server.script.append(Reply(429, {"Retry-After": value}))
    with pytest.raises(PassingError) as caught:
        ask(server, part)
    assert caught.value.pause == seconds


@pytest.mark.parametrize(("ahead", "expected"), [(120, 120.0), (-120, 0.0)])
def test_pause_until_a_date_is_read(server: FileServer, part: PartialFile, ahead: int, expected: float) -> None:
    date = email.utils.formatdate(time.time() + ahead, usegmt=True)
    server.script.append(Reply(503, {"Retry-After": date}))
    with pytest.raises(PassingError) as caught:
        ask(server, part)
    assert caught.value.pause == pytest.approx(expected, abs=10)


def test_date_beyond_the_calendar_is_none(server: FileServer, part: PartialFile) -> None:
    server.script.append(Reply(503, {"Retry-After": "Fri, 31 Dec 99999 23:59:59 GMT"}))
    with pytest.raises(PassingError) as caught:
        ask(server, part)
    assert caught.value.pause is None


def test_server_that_says_nothing_may_do_so_later(server: FileServer, part: PartialFile) -> None:
    server.script.append(Hang())
    with pytest.raises(PassingError, match=r"^timed out$"):
        transfer(server.url("x.h5"), part, SETTING, timeout=0.2)


def test_refused_connection_may_pass(part: PartialFile) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(PassingError, match=r"^Connection refused$"):
        transfer(f"http://127.0.0.1:{port}/x.h5", part, SETTING, TIMEOUT)


def test_insecure_server_is_one_line(server: FileServer, part: PartialFile) -> None:
    url = server.url("x.h5").replace("http", "https")
    with pytest.raises(
        PipelineError, match=f"^{url}: no secure connection: .*{SETTING}; .*REQUESTS_CA_BUNDLE"
    ) as caught:
        transfer(url, part, SETTING, TIMEOUT)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("url", ["x.h5", "ftp://files.example/x.h5", "http:///x.h5", "http://[::1/x.h5"])
def test_what_is_no_address_is_one_line(part: PartialFile, url: str) -> None:
    with pytest.raises(PipelineError) as caught:
        transfer(url, part, SETTING, TIMEOUT)
    assert str(caught.value).startswith(f"{url}: ")
    assert SETTING in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("path", ["absent.h5", "x.h5"])
def test_secrets_in_an_address_are_used_and_not_shown(server: FileServer, part: PartialFile, path: str) -> None:
    server.script.extend([Cut(200_000)] if path == "x.h5" else [])
    url = server.url(path).replace("://", "://ada:s3cret@") + "?signature=s3cret"
    with pytest.raises((PassingError, PipelineError)) as caught:
        transfer(url, part, SETTING, TIMEOUT)
    assert server.requests[0].headers["Authorization"].startswith("Basic ")
    assert server.requests[0].target.endswith("?signature=s3cret")
    assert "s3cret" not in str(caught.value)
    for file in part.path.parent.iterdir():
        assert b"s3cret" not in file.read_bytes()


def test_secrets_are_hidden_in_what_is_no_address(part: PartialFile) -> None:
    with pytest.raises(PipelineError, match="No host supplied") as caught:
        transfer("http:///x.h5?signature=s3cret", part, SETTING, TIMEOUT)
    assert "s3cret" not in str(caught.value)
    assert hide_secrets("http://a:b@[::1/x?k=v#f") == "http://[::1/x"
    assert hide_secrets("http://files.example/a@b.h5") == "http://files.example/a@b.h5"


def test_proxy_of_the_environment_is_used(
    server: FileServer, part: PartialFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    with proxying(server) as proxy:
        use_proxy(monkeypatch, proxy.address)
        # Only the proxy can know where this is.
        transfer("http://files.invalid/x.h5", part, SETTING, TIMEOUT)
        assert proxy.targets == ["http://files.invalid/x.h5"]
    assert part.path.read_bytes() == CONTENT


def test_rest_is_asked_for_through_a_proxy(
    server: FileServer, part: PartialFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    with proxying(server) as proxy:
        use_proxy(monkeypatch, proxy.address)
        server.script.append(Cut(200_000))
        with pytest.raises(PassingError):
            transfer("http://files.invalid/x.h5", part, SETTING, TIMEOUT)
        transfer("http://files.invalid/x.h5", part, SETTING, TIMEOUT)
    assert part.path.read_bytes() == CONTENT
    assert ranges(server)[1] is not None


def test_server_that_needs_no_proxy_is_reached_without(
    server: FileServer, part: PartialFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    with proxying(server) as proxy:
        use_proxy(monkeypatch, proxy.address)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        ask(server, part)
        assert proxy.targets == []


def test_proxy_that_refuses_is_one_line_without_its_password(
    server: FileServer, part: PartialFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    with proxying(server, login="Basic nobody") as proxy:
        use_proxy(monkeypatch, proxy.address.replace("://", "://ada:s3cret@"))
        with pytest.raises(PipelineError, match=r"407 .*HTTPS_PROXY") as caught:
            ask(server, part)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("proxy", ["http://ada:s3cret@127.0.0.1:1", "http://ada:s3cret@[broken"])
def test_password_of_an_unusable_proxy_is_not_shown(
    server: FileServer, part: PartialFile, monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    use_proxy(monkeypatch, proxy)
    with pytest.raises((PassingError, PipelineError)) as caught:
        ask(server, part)
    assert "s3cret" not in str(caught.value)
