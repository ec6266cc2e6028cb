"""A server of files on loopback that misbehaves as told, and a proxy before it."""

import email.utils
import gzip
import hashlib
import re
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal
from urllib.parse import urlsplit

import pytest


@dataclass(frozen=True)
class Reply:
    """What a request gets instead of a file."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True)
class Cut:
    """How many bytes of a file a request gets before the connection closes."""

    after: int


@dataclass(frozen=True)
class Piece:
    """How many bytes at most a request for a part of a file gets: the server wants to be asked again."""

    most: int


@dataclass(frozen=True)
class Hang:
    """A request gets nothing, until the server stops."""


@dataclass(frozen=True)
class Request:
    """What was asked for, and how many bytes of content went out."""

    target: str
    headers: Mapping[str, str]
    sent: int


@dataclass
class FileServer:
    """Files in memory, by path.

    Attributes
    ----------
    script
        What the next requests get, one after the other; then all get files.
    knows_ranges, knows_conditions
        Whether it sends parts of a file at all, and looks at If-Range.
    validators
        What it tells of the version of a file.
    compresses
        Whether it sends all files compressed, although it is asked not to.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    script: deque[Reply | Cut | Piece | Hang] = field(default_factory=deque)
    requests: list[Request] = field(default_factory=list)
    knows_ranges: bool = True
    knows_conditions: bool = True
    validators: Literal["etag", "weak", "date", "none"] = "etag"
    compresses: bool = False
    address: str = ""
    stopping: threading.Event = field(default_factory=threading.Event)

    def url(self, path: str) -> str:
        return f"{self.address}/{path}"

    def describe_version(self, content: bytes) -> dict[str, str]:
        digest = hashlib.sha256(content).hexdigest()
        return {
            "etag": {"ETag": f'"{digest[:16]}"'},
            "weak": {"ETag": f'W/"{digest[:16]}"'},
            # A date as good as the digest it is made of.
            "date": {"Last-Modified": email.utils.formatdate(int(digest[:7], 16), usegmt=True)},
            "none": {},
        }[self.validators]

    def answer(self, path: str, headers: Mapping[str, str], most: int | None = None) -> Reply:
        content = self.files.get(path.removeprefix("/"))
        if content is None:
            return Reply(404, body=b"not here")
        version = self.describe_version(content)
        if self.compresses:
            return Reply(200, version | {"Content-Encoding": "gzip"}, gzip.compress(content))
        condition = headers.get("If-Range")
        same = condition is None or not self.knows_conditions or condition in version.values()
        asked = re.fullmatch(r"bytes=(\d+)-", headers.get("Range", ""))
        if asked is None or not self.knows_ranges or not same:
            return Reply(200, version, content)
        start = int(asked[1])
        if start >= len(content):
            return Reply(416, {"Content-Range": f"bytes */{len(content)}"})
        end = len(content) if most is None else start + most
        return Reply(206, {"Content-Range": f"bytes {start}-{end - 1}/{len(content)}", **version}, content[start:end])


class _Handler(BaseHTTPRequestHandler):
    """Answers for a `FileServer`."""

    files: FileServer

    def do_GET(self) -> None:
        step = self.files.script.popleft() if self.files.script else None
        most = step.most if isinstance(step, Piece) else None
        reply = self.files.answer(urlsplit(self.path).path, dict(self.headers), most)
        if isinstance(step, Reply):
            reply = step
        sent = {Cut: getattr(step, "after", 0), Hang: 0}.get(type(step), len(reply.body))
        self.files.requests.append(Request(self.path, dict(self.headers), sent))
        if isinstance(step, Hang):
            self.files.stopping.wait()
            return
        self.send_response(reply.status)
        for name, value in ({"Content-Length": str(len(reply.body))} | dict(reply.headers)).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(reply.body[:sent])

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def _running(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def serving(files: Mapping[str, bytes]) -> Iterator[FileServer]:
    """Serve files until the block ends."""
    server = FileServer(dict(files))
    with _running(type("Handler", (_Handler,), {"files": server})) as server.address:
        try:
            yield server
        finally:
            server.stopping.set()


@dataclass
class Proxy:
    """Passes requests on to one server, whichever they name, and knows how it was asked.

    Attributes
    ----------
    login
        What it wants in Proxy-Authorization; None lets everyone pass.
    """

    origin: FileServer
    login: str | None = None
    targets: list[str] = field(default_factory=list)
    address: str = ""


class _ProxyHandler(BaseHTTPRequestHandler):
    """Answers for a `Proxy`."""

    proxy: Proxy

    def do_GET(self) -> None:
        self.proxy.targets.append(self.path)
        if self.proxy.login is not None and self.headers.get("Proxy-Authorization") != self.proxy.login:
            self.send_response(407)
            self.end_headers()
            return
        connection = HTTPConnection(urlsplit(self.proxy.origin.address).netloc)
        connection.request("GET", urlsplit(self.path).path, headers=dict(self.headers))
        response = connection.getresponse()
        self.send_response(response.status)
        for name, value in response.getheaders():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(response.read())
        connection.close()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def proxying(origin: FileServer, login: str | None = None) -> Iterator[Proxy]:
    """Pass requests on to a server until the block ends."""
    proxy = Proxy(origin, login)
    with _running(type("ProxyHandler", (_ProxyHandler,), {"proxy": proxy})) as proxy.address:
        yield proxy


def use_proxy(monkeypatch: pytest.MonkeyPatch, address: str | None) -> None:
    """Have requests go through a proxy, or through none, whatever this machine's environment says."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    if address is not None:
        monkeypatch.setenv("HTTP_PROXY", address)
