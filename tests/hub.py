"""A small Hugging Face hub on loopback, with datasets made by the library `datasets`, and with faults on demand.

It speaks what the client libraries ask of a real one, and keeps each request. Files that end in .parquet lie in large
file storage, as on the hub: a request for one is redirected to another host, with a signature.
"""

import hashlib
import json
import socket
import threading
import time
from collections.abc import Container, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache, partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from operator import itemgetter
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qs, quote, unquote, urlsplit

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from datasets import Features

TOKEN = "hf_OnlyForTests"  # noqa: S105
SIGNATURE = "signed-for-a-moment"
Row = Mapping[str, Any]


def make_image(seed: int, kind: str = "PNG") -> bytes:
    """Encode 8 by 8 pixels of noise."""
    pixels = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    content = BytesIO()
    Image.fromarray(pixels).save(content, format=kind)
    return content.getvalue()


def make_rows(count: int, seed: int) -> list[Row]:
    """Make images of two classes in turn."""
    return [
        {"image": {"bytes": make_image(seed + number), "path": f"{number}.PNG"}, "label": number % 2}
        for number in range(count)
    ]


def make_features() -> "Features":
    """Describe what `make_rows` makes."""
    import datasets

    return datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=["cat", "dog"])})


def encode_parquet(rows: Sequence[Row], features: "Features") -> bytes:
    """Write rows with the library's description of them."""
    import datasets
    from pyarrow.parquet import write_table

    content = BytesIO()
    # The library's own writer looks for the files of images without bytes.
    write_table(datasets.Dataset.from_list(list(rows), features=features).with_format("arrow")[:], content)
    return content.getvalue()


def make_files(configs: Mapping[str, Mapping[str, Sequence[Row]]], features: "Features") -> dict[str, bytes]:
    """Lay out the files of a dataset, the rows of each split of each configuration, as the library does."""
    from datasets.info import DatasetInfo, DatasetInfosDict
    from datasets.splits import SplitDict, SplitInfo
    from datasets.utils.metadata import MetadataConfigs
    from huggingface_hub import DatasetCardData

    files: dict[str, bytes] = {}
    infos, described = DatasetInfosDict(), MetadataConfigs()
    for config, splits in configs.items():
        folder = "data" if config == "default" else config
        for split, rows in splits.items():
            files[f"{folder}/{split}-00000-of-00001.parquet"] = encode_parquet(rows, features)
        counts = {split: SplitInfo(split, num_bytes=0, num_examples=len(rows)) for split, rows in splits.items()}
        infos[config] = DatasetInfo(features=features, splits=SplitDict(counts), config_name=config)
        described[config] = {"data_files": [{"split": split, "path": f"{folder}/{split}-*"} for split in splits]}
    card = DatasetCardData(license="cc0-1.0")
    infos.to_dataset_card_data(card)
    described.to_dataset_card_data(card)
    return {**files, "README.md": f"---\n{card}\n---\n# Noise\n".encode()}


@cache
def make_noise() -> dict[str, bytes]:
    """Make a dataset of two classes: 40 training images and 20 test images."""
    return make_files({"default": {"train": make_rows(40, seed=0), "test": make_rows(20, seed=100)}}, make_features())


@dataclass(frozen=True)
class Request:
    """A request that came in; names of headers are in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]


@dataclass
class _Fault:
    part: str
    times: int
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    after: int = 0
    is_silent: bool = False
    away_for: float | None = None


class LocalHub:
    """The hub; as a context manager, it goes away at the end.

    Attributes
    ----------
    requests
        What came in so far.
    entries_per_page
        How many files a page of the list of files has at most.
    served_instead
        Content, by path, that is served in place of what the list of files states.
    """

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.entries_per_page = 1000
        self.served_instead: dict[str, bytes] = {}
        self._files: dict[tuple[str, str], Mapping[str, bytes]] = {}
        self._branches: dict[tuple[str, str], str] = {}
        self._access: dict[str, str] = {}
        self._faults: list[_Fault] = []
        self._connections: set[socket.socket] = set()
        self._port = 0
        self.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def endpoint(self) -> str:
        """Where it is reached."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def storage(self) -> str:
        """Where large files are reached: at another host."""
        return f"http://localhost:{self._port}"

    def start(self) -> None:
        """Listen, at the same port as before."""
        self._server = ThreadingHTTPServer(("127.0.0.1", self._port), partial(_Handler, self))
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self._port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self) -> None:
        """Go away; connections that are open are cut."""
        self._server.shutdown()
        self._server.server_close()
        for connection in list(self._connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def publish(self, name: str, files: Mapping[str, bytes], branch: str = "main", access: str = "public") -> str:
        """Commit files to a branch, and return the commit's hash.

        `access` is "public", "gated" (files need the token) or "private" (all needs it).
        """
        content = json.dumps([name, branch, {path: _sha256(content) for path, content in files.items()}])
        commit = hashlib.sha1(content.encode(), usedforsecurity=False).hexdigest()
        self._files[name, commit] = dict(files)
        self._branches[name, branch] = commit
        self._access[name] = access
        return commit

    def fail(self, part: str, status: int, times: int = 1, headers: Mapping[str, str] | None = None) -> None:
        """Answer the next requests whose path holds `part` with a status."""
        self._faults.append(_Fault(part, times, status=status, headers=headers or {}))

    def cut(
        self, part: str, after: int, times: int = 1, is_silent: bool = False, away_for: float | None = None
    ) -> None:
        """Cut the connection after some bytes of the next bodies.

        Such a body looks whole to a client if `is_silent`, which leaves out its length. `away_for` some seconds nobody
        answers then.
        """
        self._faults.append(_Fault(part, times, after=after, is_silent=is_silent, away_for=away_for))

    def data_requests(self) -> list[Request]:
        """What came in at the host of the large files."""
        return [request for request in self.requests if request.path.startswith("/storage/")]

    def _take_fault(self, path: str) -> _Fault | None:
        for fault in self._faults:
            if fault.times and fault.part in path:
                fault.times -= 1
                return fault
        return None

    def _leave(self, seconds: float) -> None:
        self.stop()
        time.sleep(seconds)
        self.start()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, hub: LocalHub, *args: Any) -> None:
        self._hub = hub
        super().__init__(*args)

    def setup(self) -> None:
        super().setup()
        self._hub._connections.add(self.connection)

    def finish(self) -> None:
        self._hub._connections.discard(self.connection)
        with suppress(OSError):
            super().finish()

    def log_message(self, *_: object) -> None:
        """Keep quiet."""

    def do_GET(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        self._hub.requests.append(Request(self.command, self.path, headers))
        self._fault = self._hub._take_fault(self.path)
        body = self.rfile.read(int(headers.get("content-length", 0))).decode()
        if self._fault and self._fault.status:
            self._answer(self._fault.status, b"", self._fault.headers)
            return
        address = urlsplit(self.path)
        parts = [unquote(part) for part in address.path.split("/")[1:]]
        match parts:
            case ["api", "datasets", owner, name]:
                self._describe(f"{owner}/{name}", "main")
            case ["api", "datasets", owner, name, "revision", revision]:
                self._describe(f"{owner}/{name}", revision)
            case ["api", "datasets", owner, name, "tree", revision, *folder]:
                self._list(f"{owner}/{name}", revision, "/".join(folder), parse_qs(address.query))
            case ["api", "datasets", owner, name, "paths-info", revision]:
                self._list_paths(f"{owner}/{name}", revision, set(parse_qs(body)["paths"]))
            case ["datasets", owner, name, "resolve", revision, *path]:
                self._resolve(f"{owner}/{name}", revision, "/".join(path))
            case ["api", "resolve-cache", "datasets", owner, name, commit, *path]:
                if self._find(f"{owner}/{name}", commit, is_file=True):
                    self._send_file(f"{owner}/{name}", commit, "/".join(path))
            case ["storage", owner, name, commit, *path] if address.query == f"signature={SIGNATURE}":
                self._send_file(f"{owner}/{name}", commit, "/".join(path))
            case _:
                self._answer(404, b"", {})

    do_HEAD = do_POST = do_GET  # noqa: N815

    def _find(self, name: str, revision: str, is_file: bool) -> str | None:
        """Resolve a revision, or answer with the reason against it."""
        access, token = self._hub._access.get(name), self.headers.get("Authorization")
        needs_token = access == "private" or (access == "gated" and is_file)
        commit = self._hub._branches.get((name, revision), revision)
        if access is None:
            self._answer(401 if token is None else 404, b"", {"X-Error-Code": "RepoNotFound"})
        elif needs_token and token != f"Bearer {TOKEN}":
            code = "GatedRepo" if access == "gated" else "RepoNotFound"
            self._answer(401 if token is None else 403, b"", {"X-Error-Code": code})
        elif (name, commit) not in self._hub._files:
            self._answer(404, b"", {"X-Error-Code": "RevisionNotFound"})
        else:
            return commit
        return None

    def _describe(self, name: str, revision: str) -> None:
        if commit := self._find(name, revision, is_file=False):
            siblings = [{"rfilename": path} for path in self._hub._files[name, commit]]
            self._answer_json({"id": name, "sha": commit, "siblings": siblings}, {})

    def _list(self, name: str, revision: str, folder: str, query: Mapping[str, list[str]]) -> None:
        if commit := self._find(name, revision, is_file=False):
            prefix = f"{folder}/" if folder else ""
            entries = [entry for entry in self._make_entries(name, commit) if entry["path"].startswith(prefix)]
            if query["recursive"] == ["false"]:
                entries = [entry for entry in entries if "/" not in entry["path"].removeprefix(prefix)]
            start = int(query.get("cursor", ["0"])[0])
            end = start + self._hub.entries_per_page
            address = f"{self._hub.endpoint}{self.path.partition('&cursor=')[0]}&cursor={end}"
            self._answer_json(entries[start:end], {"Link": f'<{address}>; rel="next"'} if end < len(entries) else {})

    def _list_paths(self, name: str, revision: str, paths: Container[str]) -> None:
        if commit := self._find(name, revision, is_file=False):
            self._answer_json([entry for entry in self._make_entries(name, commit) if entry["path"] in paths], {})

    def _make_entries(self, name: str, commit: str) -> list[dict[str, Any]]:
        files = self._hub._files[name, commit]
        folders = {parent.as_posix() for path in files for parent in PurePosixPath(path).parents} - {"."}
        entries = [{"type": "directory", "path": folder, "oid": "0" * 40, "size": 0} for folder in folders]
        entries += [_make_entry(path, content) for path, content in files.items()]
        return sorted(entries, key=itemgetter("path"))

    def _resolve(self, name: str, revision: str, path: str) -> None:
        commit = self._find(name, revision, is_file=True)
        if commit is None:
            return
        content = self._hub._files[name, commit].get(path)
        if content is None:
            self._answer(404, b"", {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": commit})
        elif path.endswith(".parquet"):
            stated = {"X-Linked-Size": str(len(content)), "X-Linked-Etag": f'"{_sha256(content)}"'}
            target = f"{self._hub.storage}/storage/{name}/{commit}/{quote(path)}?signature={SIGNATURE}"
            self._answer(302, b"", {"X-Repo-Commit": commit, "Location": target, **stated})
        else:
            target = f"/api/resolve-cache/datasets/{name}/{commit}/{quote(path)}"
            self._answer(307, b"", {"X-Repo-Commit": commit, "Location": target})

    def _send_file(self, name: str, commit: str, path: str) -> None:
        content = self._hub.served_instead.get(path, self._hub._files[name, commit][path])
        headers = {"X-Repo-Commit": commit, "ETag": f'"{_blob_id(content)}"'}
        asked = self.headers.get("Range")
        if asked is None:
            self._answer(200, content, headers)
            return
        start = int(asked.removeprefix("bytes=").removesuffix("-"))
        span = {"Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}"}
        self._answer(206, content[start:], {**headers, **span})

    def _answer_json(self, content: object, headers: Mapping[str, str]) -> None:
        self._answer(200, json.dumps(content).encode(), {"Content-Type": "application/json", **headers})

    def _answer(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        cut = self._fault if self._fault and not self._fault.status and body else None
        length = {} if cut and cut.is_silent else {"Content-Length": str(len(body))}
        self.send_response(status)
        for name, value in {**length, **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body[: cut.after] if cut else body)
        if cut:
            self.close_connection = True
            if cut.away_for is not None:
                self._hub._leave(cut.away_for)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _blob_id(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def _make_entry(path: str, content: bytes) -> dict[str, Any]:
    """Describe a file as the list of files does."""
    entry = {"type": "file", "path": path, "size": len(content)}
    if not path.endswith(".parquet"):
        return {**entry, "oid": _blob_id(content)}
    sha256 = _sha256(content)
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {len(content)}\n".encode()
    large = {"oid": sha256, "size": len(content), "pointerSize": len(pointer)}
    return {**entry, "oid": _blob_id(pointer), "lfs": large, "xetHash": sha256}
