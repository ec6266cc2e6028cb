"""What can be wrong with a cluster, each as one line before anything is computed."""

import os
import re
import socket
import subprocess
import sys
import threading
import time
import venv
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path

import pytest
from ray_nodes import RayNodes, needs_ray

from fusionseq.errors import PipelineError
from fusionseq.ray_cluster import Cluster, connecting

pytestmark = needs_ray()

ROOT = Path(__file__).parent.parent


def read_error(folder: Path, address: str, environment: Mapping[str, str]) -> str:
    """The one line that a run ends with."""
    folder.mkdir(parents=True)
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("ray_squares.py")), str(folder), address, "2", "0"],
        env=os.environ | {"PYTHONPATH": str(ROOT / "src")} | dict(environment),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Traceback (most recent call last):\n" not in done.stderr
    assert not list(folder.iterdir())
    return done.stderr.splitlines()[-1]


@pytest.fixture(scope="module")
def nodes() -> Iterator[RayNodes]:
    nodes = RayNodes()
    try:
        nodes.start_head()
        nodes.wait(1)
        yield nodes
    finally:
        nodes.stop()


def close_port() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{free.getsockname()[1]}"


@pytest.mark.parametrize(
    "address", [close_port(), "127.0.0.1:99999", "nobody.invalid:6379"], ids=["closed", "beyond", "unknown"]
)
def test_an_address_that_does_not_answer_is_told_at_once(tmp_path: Path, address: str) -> None:
    message = f"no Ray cluster answers at {address}; look at runtime.ray_address in params.yaml, and at `ray status`"
    with pytest.raises(PipelineError, match=re.escape(message)), connecting(address, tmp_path / "made", 1):
        pass
    assert not (tmp_path / "made").exists()


def test_a_server_that_is_not_ray_is_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.2", 0)) as server:

        def refuse() -> None:
            while True:
                try:
                    client, _ = server.accept()
                except OSError:
                    return
                with client:
                    client.sendall(b"HTTP/1.0 400 Bad Request\r\n\r\n")

        threading.Thread(target=refuse, daemon=True).start()
        address = f"127.0.0.2:{server.getsockname()[1]}"
        assert read_error(tmp_path / "squares", address, {}) == (
            f"error: the Ray cluster at {address} cannot be joined: what answers there is no head of Ray; look at "
            "runtime.ray_address in params.yaml."
        )


def test_a_wrong_token_is_told_and_not_shown(nodes: RayNodes, tmp_path: Path) -> None:
    wrong = "ab" * 32
    line = read_error(tmp_path / "squares", nodes.address, {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": wrong})
    assert line == (
        f"error: the Ray cluster at {nodes.address} cannot be joined: its token is another one; RAY_AUTH_MODE=token "
        "and RAY_AUTH_TOKEN must be those of the head."
    )


def test_a_head_of_another_version_of_ray_is_told(tmp_path: Path) -> None:
    other = RayNodes()
    try:
        other.start_head(ray_version="2.59.0")
        other.wait_for_head()
        line = read_error(tmp_path / "squares", other.address, other.environment)
    finally:
        other.stop()
    assert line.startswith(
        f"error: the Ray cluster at {other.address} cannot be joined: its versions are not those of this machine; run "
        "`make ray` on all."
    )
    assert "Ray: 2.59.0" in line
    assert f"Ray: {version('ray')}" in line


def make_environment(folder: Path, package: str, other_version: str) -> Path:
    """An environment like this one, but for what one package says of its version."""
    venv.create(folder, symlinks=True)
    (packages,) = folder.glob("lib/python3.*/site-packages")
    described = packages / f"{package}-{other_version}.dist-info" / "METADATA"
    described.parent.mkdir()
    described.write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: {other_version}\n")
    own = next(path for path in map(Path, sys.path) if path.name == "site-packages")
    (packages / "others.pth").write_text(f"{own}\n")
    return folder / "bin" / "python"


def test_a_machine_with_other_packages_is_named(nodes: RayNodes, tmp_path: Path) -> None:
    python = make_environment(tmp_path / "environment", "keras", "3.14.0")
    nodes.start_worker("127.0.0.4", python=str(python))
    nodes.wait(2)
    try:
        line = read_error(tmp_path / "squares", nodes.address, nodes.environment)
    finally:
        nodes.kill("127.0.0.4")
        nodes.wait(1)
    assert line == (
        f"error: machine 127.0.0.4 of the Ray cluster has keras 3.14.0, and this one {version('keras')}; run "
        "`make ray` on all."
    )


# A folder of its own over the project's, as on a machine that does not share it.
HIDDEN = ["unshare", "--map-root-user", "--mount", "sh", "-c", 'mount -t tmpfs none "$0" && exec "$@"']


def test_a_machine_that_does_not_see_the_project_is_named(nodes: RayNodes, tmp_path: Path) -> None:
    possible = subprocess.run([*HIDDEN, str(tmp_path), "true"], check=False, capture_output=True).returncode == 0
    if not possible and os.environ.get("FUSIONSEQ_ALL_TESTS") != "1":
        pytest.skip("no folder can be hidden from a process here")
    nodes.start_worker("127.0.0.5", wrapper=[*HIDDEN, str(tmp_path)])
    nodes.wait(2)
    try:
        line = read_error(tmp_path / "work" / "squares", nodes.address, nodes.environment)
    finally:
        nodes.kill("127.0.0.5")
        nodes.wait(1)
    assert line == (
        f"error: machine 127.0.0.5 of the Ray cluster does not see {tmp_path}; put the project into a folder that all "
        "machines share, under one path."
    )


def test_a_start_that_hangs_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import ray

    monkeypatch.setattr("fusionseq.ray_cluster._START_PATIENCE", 0.2)
    monkeypatch.setattr(ray, "init", lambda **_: time.sleep(60))
    message = "the Ray cluster cannot be started here: it takes more than 0 seconds"
    with pytest.raises(PipelineError, match=message), connecting(None, tmp_path, 1):
        pass


def test_workers_that_fit_are_counted_by_machine() -> None:
    cluster = Cluster(None, [2, 5, 1], 0)
    assert [cluster.count_slots(cores) for cores in (1, 2, 3, 6)] == [8, 3, 1, 0]


def test_too_many_threads_are_told(nodes: RayNodes, tmp_path: Path) -> None:
    line = read_error(tmp_path / "squares", nodes.address, nodes.environment | {"SQUARES_CPUS": "64"})
    assert line == (
        "error: no machine of the Ray cluster has 64 cores, which runtime.threads asks of one; start them with more, "
        "or set fewer threads in params.yaml."
    )
