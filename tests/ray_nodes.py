"""A Ray cluster on loopback: a head and other machines as processes of their own, each of which can be killed."""

import importlib.util
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

_MARK = "FUSIONSEQ_RAY_NODE"
_PATIENCE_S = 60.0
_START = "from ray.scripts.scripts import main; main()"
# How soon a machine that is gone counts as gone: Ray's own settings wait half a minute.
_IMPATIENT = {
    "RAY_health_check_initial_delay_ms": "500",
    "RAY_health_check_period_ms": "500",
    "RAY_health_check_timeout_ms": "1000",
    "RAY_health_check_failure_threshold": "3",
}


def needs_ray() -> pytest.MarkDecorator:
    """Skip a test where Ray is missing, unless FUSIONSEQ_ALL_TESTS is 1: then it runs, and fails."""
    skip = importlib.util.find_spec("ray") is None and os.environ.get("FUSIONSEQ_ALL_TESTS") != "1"
    return pytest.mark.skipif(skip, reason="Ray is missing; `make ray` installs it")


class RayNodes:
    """Machines of one cluster, of two cores each: 127.0.0.2 is the head.

    Attributes
    ----------
    address
        Of the head.
    environment
        For whoever joins.
    """

    def __init__(self) -> None:
        self._mark = secrets.token_hex(16)
        # Sockets lie in it, and their paths must be short.
        self._folder = Path(tempfile.mkdtemp(prefix="ray-test-", dir="/tmp"))
        self.address = f"127.0.0.2:{_find_port()}"
        self.environment = {
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": secrets.token_hex(32),
            "RAY_USAGE_STATS_ENABLED": "0",
        }
        self._nodes: dict[str, subprocess.Popen[bytes]] = {}

    def start_head(self, ray_version: str | None = None) -> None:
        """Start the head, perhaps as if it were of another version of Ray; again, too, at the same address."""
        port = self.address.rpartition(":")[2]
        options = [f"--port={port}", f"--temp-dir={self._folder}", "--include-dashboard=false"]
        disguise = f"import ray; ray.__version__ = {ray_version!r}; " if ray_version else ""
        options += ["--head", f"--ray-client-server-port={_find_port()}"]
        self._start("127.0.0.2", options, [sys.executable, "-c", f"{disguise}{_START}"])

    def start_worker(self, host: str, python: str = sys.executable, wrapper: Sequence[str] = ()) -> None:
        """Start another machine, with an interpreter of its own; `wrapper` is a command that runs it."""
        self._start(host, [f"--address={self.address}"], [*wrapper, python, "-c", _START])

    def _start(self, host: str, options: list[str], command: list[str]) -> None:
        log = (self._folder.with_name(f"{self._folder.name}-{host}.log")).open("wb")
        common = [f"--node-ip-address={host}", "--num-cpus=2", "--object-store-memory=80000000", "--block"]
        common += ["--min-worker-port=0", "--max-worker-port=0", "--dashboard-agent-listen-port=0"]
        self._nodes[host] = subprocess.Popen(
            [*command, "start", *options, *common],
            env=os.environ | self.environment | _IMPATIENT | {_MARK: f"{self._mark} {host}"},
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        log.close()

    def wait(self, num_nodes: int) -> None:
        """Wait until the cluster has as many machines."""
        count = "print('nodes', sum(node['Alive'] for node in ray.nodes()))"
        code = f"import ray, sys; ray.init(sys.argv[1], log_to_driver=False); {count}"
        deadline = time.monotonic() + _PATIENCE_S
        while time.monotonic() < deadline:
            if _answers(self.address):
                done = subprocess.run(
                    [sys.executable, "-c", code, self.address],
                    env=os.environ | self.environment,
                    capture_output=True,
                    text=True,
                    check=False,
                )
                if f"nodes {num_nodes}" in done.stdout:
                    return
            time.sleep(0.2)
        raise TimeoutError(self.read_log())

    def wait_for_head(self) -> None:
        """Wait until the head answers, whoever may join it."""
        deadline = time.monotonic() + _PATIENCE_S
        while not _answers(self.address):
            if time.monotonic() > deadline:
                raise TimeoutError(self.read_log())
            time.sleep(0.2)

    def read_log(self) -> str:
        """Read what the machines printed."""
        logs = self._folder.parent.glob(f"{self._folder.name}-*.log")
        return "\n".join(path.read_text(errors="replace")[-2000:] for path in logs)

    def kill(self, host: str) -> None:
        """Kill all processes of one machine at once, as when its power fails."""
        for pid in self.list_processes(host):
            kill_process(pid)
        self._nodes.pop(host).wait()

    def list_processes(self, host: str = "") -> list[int]:
        """List the processes of one machine, or of all, whoever their parent is by now; the dead are none."""
        wanted = f"{_MARK}={self._mark} {host}".encode()
        return [int(path.name) for path in Path("/proc").glob("[0-9]*") if wanted in _read(path / "environ")]

    @property
    def marker(self) -> dict[str, str]:
        """What a process of a test has in its environment to count among those of the cluster."""
        return {_MARK: f"{self._mark} own"}

    def list_workers(self) -> list[int]:
        """List the processes that compute shards."""
        return [pid for pid in self.list_processes() if b"MapWorker" in _read(Path("/proc") / str(pid) / "cmdline")]

    def stop(self) -> None:
        """Kill all that is left."""
        for host in list(self._nodes):
            self.kill(host)
        for pid in self.list_processes():
            kill_process(pid)
        for path in self._folder.parent.glob(f"{self._folder.name}-*.log"):
            path.unlink()
        shutil.rmtree(self._folder, ignore_errors=True)


def _find_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.2", 0))
        return int(free.getsockname()[1])


def _answers(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=1).close()
    except OSError:
        return False
    return True


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def kill_process(pid: int) -> None:
    """Kill a process, unless it is gone."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
