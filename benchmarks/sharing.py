"""How long `dvc push` and `dvc pull` take, beside a plain copy of the same bytes through the same server."""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from benchmarks.clone import Clone, cloning
from benchmarks.network import limit_network

ROOT = Path(__file__).parent.parent
# Those of the tests, which are modules of that folder.
sys.path.append(str(ROOT / "tests"))

from object_store import PROGRAMS as OBJECT_STORE_PROGRAMS  # noqa: E402
from object_store import ObjectStore  # noqa: E402
from programs import find_program  # noqa: E402
from remote_servers import FolderServer, HttpServer, RemoteServer, SshServer  # noqa: E402

# Servers, and what copies through them.
PROGRAMS = (*OBJECT_STORE_PROGRAMS, "sshd", "ssh-keygen", "ssh", "rsync", "swift", "wget", "ip", "tc")
ROUNDS = 3
REMOTE = "bench"
# Of an office's network, in bits a second.
NETWORK = 10**9

Command = Sequence[str]


@dataclass(frozen=True)
class Way:
    """A remote, and how one copies to and from its server without DVC.

    Attributes
    ----------
    name
        What the results call it.
    server
        Running.
    send, fetch
        Commands that copy everything in a folder to a place of that name on the server, and back into a folder that is
        there. No command: it is not to be written to.
    """

    name: str
    server: RemoteServer
    send: Callable[[Path, str], Command] | None
    fetch: Callable[[str, Path], Command]


# Starts servers in a folder, and ends them.
OpenWays = Callable[[Path], AbstractContextManager[Iterable[Way]]]


def check_programs() -> None:
    """End this program, with what to do, where one that it needs is missing, or the right to a network of its own."""
    if os.geteuid():
        raise SystemExit("error: sharing is measured through a network of its own, which takes root; run it as root.")
    missing = [name for name in PROGRAMS if find_program(name) is None]
    if missing:
        raise SystemExit(f"error: {', '.join(missing)} missing; `make servers` installs it.")


def measure_sharing(quick: bool) -> dict[str, float]:
    """Measure the project's own results over a folder, SSH, S3 and HTTP.

    Returns
    -------
    dict[str, float]
        See `measure_ways`: first through the machine's loopback, and then, with "network_" before each key, through one
        that is no faster than a network. A folder is in no network.
    """
    rounds = 1 if quick else ROUNDS
    with cloning() as clone:
        results = measure_ways(clone, open_ways, rounds)
        limit_network(NETWORK)
        limited = measure_ways(clone, open_ways, rounds)
    ways = ("ssh_", "s3_", "http_")
    return results | {f"network_{key}": value for key, value in limited.items() if key.startswith(ways)}


def measure_ways(clone: Clone, open_ways: OpenWays, rounds: int) -> dict[str, float]:
    """Measure in alternate rounds, each with servers and colleagues' clones that hold nothing yet.

    Parameters
    ----------
    clone
        Whose cache is sent.
    open_ways
        Starts servers. One that is only read from comes after the folder that it serves.
    rounds
        How often.

    Returns
    -------
    dict[str, float]
        The least seconds of each way and command, WAY_COMMAND_s, and their median, WAY_COMMAND_median_s. `push_again`
        has nothing to send: it is DVC's own start and a look at the remote. `checked_pull` is `make pull`. `send` and
        `fetch` are the plain copies, and `copy_s` is one from folder to folder. Ratios are of the least seconds, or
        with `_median` of the medians: WAY_push_ratio over `send`, WAY_pull_ratio over `fetch` and one more copy, since
        `dvc pull` writes each file into its cache and from there into the workspace, and WAY_pull_once_ratio over
        `fetch` alone.
    """
    seconds: dict[str, list[float]] = defaultdict(list)
    cache = clone.folder / ".dvc" / "cache" / "files"
    for _ in range(rounds):
        with tempfile.TemporaryDirectory(prefix="sharing-") as name, open_ways(Path(name)) as ways:
            for way in ways:
                for command, taken in _measure_way(clone, way, Path(name), cache):
                    seconds[f"{way.name}_{command}"].append(taken)
            seconds["copy"].append(_time("cp", "-r", str(cache), str(Path(name, "copy"))))
    files = [path for path in cache.rglob("*") if path.is_file()]
    return {
        "num_files": len(files),
        "megabytes": sum(path.stat().st_size for path in files) / 1e6,
        **_summarize(seconds, min, ""),
        **_summarize(seconds, statistics.median, "_median"),
    }


def _summarize(
    seconds: Mapping[str, list[float]], choose: Callable[[list[float]], float], suffix: str
) -> dict[str, float]:
    chosen = {key: choose(values) for key, values in seconds.items()}
    results = {f"{key}{suffix}_s": value for key, value in chosen.items()}
    for key, value in chosen.items():
        name, _, command = key.partition("_")
        if command == "push":
            results[f"{key}_ratio{suffix}"] = value / chosen[f"{name}_send"]
        if command in {"pull", "checked_pull"}:
            results[f"{key}_ratio{suffix}"] = value / (chosen[f"{name}_fetch"] + chosen["copy"])
        if command == "pull":
            results[f"{key}_once_ratio{suffix}"] = value / chosen[f"{name}_fetch"]
    return results


def _measure_way(clone: Clone, way: Way, folder: Path, cache: Path) -> Iterator[tuple[str, float]]:
    environment = [f"{key}={value}" for key, value in way.server.environment.items()]
    if way.send is not None:
        _configure(clone, way.server)
        push = ("env", *environment, "dvc", "push", "--quiet", "--remote", REMOTE)
        yield "push", _time_in(clone, *push)
        yield "push_again", _time_in(clone, *push)
        yield "send", _time(*way.send(cache, "plain"))
    pulls = {
        "pull": ("dvc", "pull", "--quiet", "--remote", REMOTE),
        "checked_pull": ("python", "-m", "fusionseq.pull", REMOTE),
    }
    for name, pull in pulls.items():
        with tempfile.TemporaryDirectory(dir=folder) as home:
            colleague = Clone(Path(home, "clone"), Path(home, "site_cache"))
            colleague.folder.mkdir()
            colleague.run("git", "clone", "--quiet", str(clone.folder), ".")
            _configure(colleague, way.server)
            yield name, _time_in(colleague, "env", *environment, *pull)
    with tempfile.TemporaryDirectory(dir=folder) as there:
        yield "fetch", _time(*way.fetch("plain", Path(there)))
        _compare(cache, Path(there))


def _configure(clone: Clone, server: RemoteServer) -> None:
    # Checked against its hash, as `make share` sets it.
    settings = {"url": f"{server.url}/dvc", "verify": "true", **server.settings}
    lines = [f"    {key} = {value}\n" for key, value in settings.items()]
    text = "".join([f"['remote \"{REMOTE}\"']\n", *lines])
    (clone.folder / ".dvc" / "config.local").write_text(text, encoding="utf-8")


def _time_in(clone: Clone, *command: str) -> float:
    # What was written before is not written while this is measured.
    os.sync()
    return clone.time(*command)


def _time(*command: str) -> float:
    os.sync()
    start = time.perf_counter()
    done = subprocess.run(command, check=False, capture_output=True, encoding="utf-8")
    seconds = time.perf_counter() - start
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with status {done.returncode}:\n{done.stdout}{done.stderr}")
    return seconds


def _compare(cache: Path, copied: Path) -> None:
    """Make sure that the plain copy is one."""
    sizes = [sorted(path.stat().st_size for path in of.rglob("*") if path.is_file()) for of in (cache, copied)]
    if sizes[0] != sizes[1]:
        raise RuntimeError(f"the plain copy has {len(sizes[1])} files of {sum(sizes[1])} bytes, not those of the cache")


@contextmanager
def open_ways(folder: Path) -> Iterator[Iterable[Way]]:
    """Start all servers, and end them."""
    with ExitStack() as stack:

        def start(make: Any, *arguments: Any) -> Any:
            server = make(*arguments)
            stack.callback(server.stop)
            return server

        shared: FolderServer = start(FolderServer, folder / "shared")
        yield [
            plan_folder(shared),
            plan_ssh(start(SshServer, folder / "ssh")),
            plan_s3(start(ObjectStore, folder / "s3")),
            plan_http(start(HttpServer, shared.folder), shared.folder),
        ]


def plan_folder(server: FolderServer) -> Way:
    return Way(
        "folder",
        server,
        lambda source, place: ("cp", "-r", str(source), str(server.folder / place)),
        lambda place, there: ("cp", "-r", str(server.folder / place), str(there)),
    )


def plan_ssh(server: SshServer) -> Way:
    """Beside rsync over the same server, as OpenSSH sets the connection up."""
    parts = urlsplit(server.url)
    shell = f"ssh -p {parts.port} -i '{server.settings['keyfile']}' -o StrictHostKeyChecking=no -o LogLevel=ERROR"
    rsync = ("rsync", "--archive", "--rsh", f"{shell} -o UserKnownHostsFile=/dev/null")
    host = f"{parts.username}@{parts.hostname}"
    return Way(
        "ssh",
        server,
        lambda source, place: (*rsync, f"{source}/", f"{host}:{server.folder / place}"),
        lambda place, there: (*rsync, f"{host}:{server.folder / place}/", str(there)),
    )


def plan_s3(server: ObjectStore) -> Way:
    """Beside the client of the server itself, which speaks its own protocol through the same proxy."""
    key, secret = server.environment["AWS_ACCESS_KEY_ID"], server.environment["AWS_SECRET_ACCESS_KEY"]
    # Debian's own, not whatever else is called so.
    swift = (find_program("swift") or "swift", "-A", f"{server.address}/auth/v1.0", "-U", key, "-K", secret, "-q")
    return Way(
        "s3",
        server,
        lambda source, place: (*swift, "upload", "--object-name", "files", place, str(source)),
        lambda place, there: (*swift, "download", "--output-dir", str(there), place),
    )


def plan_http(server: HttpServer, folder: Path) -> Way:
    """Beside wget, told each address: it need not look for them."""

    def fetch(place: str, there: Path) -> Command:
        files = sorted(path for path in (folder / place).rglob("*") if path.is_file())
        addresses = there.with_suffix(".txt")
        addresses.write_text("".join(f"{server.url}/{path.relative_to(folder)}\n" for path in files), encoding="utf-8")
        return ("wget", "--quiet", "--no-proxy", "-x", f"--directory-prefix={there}", f"--input-file={addresses}")

    return Way("http", server, None, fetch)
