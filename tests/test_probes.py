import json
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import THREADS
from file_server import serving
from small_repository import SmallRepository, copy_repository, make_repository

from fusionseq import doctor, probes
from fusionseq.catalog import BACKBONES
from fusionseq.paths import Paths
from fusionseq.probes import estimate_disk, find_gpus, find_stages, reach_network

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> SmallRepository:
    return make_repository(tmp_path_factory.mktemp("original") / "repository")


@pytest.fixture
def repository(original: SmallRepository, tmp_path: Path) -> SmallRepository:
    return copy_repository(original, tmp_path / "repository")


@pytest.fixture
def silent() -> Iterator[int]:
    """A port that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def write_params(repository: SmallRepository, content: dict[str, Any]) -> Paths:
    paths = Paths(repository.root)
    paths.params.write_text(yaml.safe_dump(content), encoding="utf-8")
    return paths


def test_tensorflow_is_asked_for_its_gpus() -> None:
    import tensorflow as tf

    found = find_gpus(Paths(ROOT))
    assert found["version"] == tf.__version__
    assert len(found["gpus"]) == len(tf.config.list_physical_devices("GPU"))


def test_stages_and_links_are_found(repository: SmallRepository) -> None:
    found = find_stages(Paths(repository.root))
    assert (found["waiting"], found["is_as_measured"]) == ((), True)
    assert found["configured"] == ["reflink", "copy"]
    assert "symlink" in found["supported"]
    before = repository.run("git", "status", "--porcelain")
    # A fresh clone has no cache yet.
    shutil.rmtree(repository.root / ".dvc" / "cache")
    (repository.root / ".dvc" / "config.local").write_text("[cache]\n    type = 'hardlink,copy'\n")
    found = find_stages(Paths(repository.root))
    assert found["configured"] == ["hardlink", "copy"]
    assert "symlink" in found["supported"]
    assert repository.run("git", "status", "--porcelain") == before


def test_sizes_hold_for_the_parameters_of_the_lock_alone(repository: SmallRepository) -> None:
    write_params(repository, {"section": {"of": 2}, "other": 2})
    assert find_stages(Paths(repository.root))["is_as_measured"] is False
    (repository.root / "dvc.lock").unlink()
    assert find_stages(Paths(repository.root))["is_as_measured"] is False


def test_needed_disk_is_estimated(repository: SmallRepository, params_content: dict[str, Any]) -> None:
    few = {"image_size": 32, "controls": [], "ensemble": [], "seeds": [0]}
    data = params_content["data"] | {"images_per_class": 5}
    runtime = params_content["runtime"] | {"threads": THREADS}
    found = estimate_disk(write_params(repository, params_content | few | {"data": data, "runtime": runtime}))
    # Two copies of one fusion and one sequential model, of 17 and 2.6 million weights of four bytes.
    assert 2 * 4 * 19e6 < found["bytes"] < 2 * 4 * 25e6
    assert found["downloads"] == 0


def test_remotes_are_reached_side_by_side(
    repository: SmallRepository, silent: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probes, "_NETWORK_LIMIT", 2.0)
    folder = tmp_path / "shared folder"
    folder.mkdir()
    with socket.create_server(("127.0.0.1", 0)) as server:
        closed = server.getsockname()[1]
    with serving({"x": b""}) as server_of_files:
        addresses = {
            "here": str(folder),
            "away": str(tmp_path / "nowhere"),
            "web": server_of_files.address,
            "shut": f"http://me:p4ssw0rd@127.0.0.1:{closed}/x",
            "odd": "ssh://me:p4ss/w0rd@127.0.0.1/x",
            "mute": f"ssh://me:p4ssw0rd@127.0.0.1:{silent}/x",
        }
        settings = [f"['remote \"{name}\"']\n    url = {address}\n" for name, address in addresses.items()]
        settings[0] += "    verify = true\n"
        settings[-1] += "    password = p4ssw0rd\n"
        (repository.root / ".dvc" / "config").write_text("".join(settings))
        found = reach_network(Paths(repository.root))
    remotes = {remote["name"]: remote for remote in found["remotes"]}
    assert remotes.pop("odd")["failure"].startswith("cannot be reached (")
    assert {name: remote["failure"] for name, remote in remotes.items()} == {
        "here": "",
        "away": "is no folder of this machine",
        "web": "",
        "shut": "cannot be reached (ConnectionError)",
        "mute": "does not answer within 4 seconds",
    }
    assert [name for name, remote in remotes.items() if remote["is_verified"]] == ["here"]
    assert remotes["mute"]["secrets"] == ["password", "a password in url"]
    assert "w0rd" not in json.dumps(found)
    assert (found["hub"], found["weights"]) == (None, None)


def test_downloads_are_asked_for(
    repository: SmallRepository, params_content: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        closed = server.getsockname()[1]
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{closed}")
    data = {
        "source": "huggingface",
        "path": "requirements.txt",
        "on_bad_image": "error",
        "name": "a/b",
        "revision": "0" * 40,
        "config": None,
        "image_column": None,
        "label_column": None,
    }
    files = {BACKBONES[name].imagenet_file: b"weights" for name in params_content["backbones"]}
    with serving(files) as server_of_files:
        weights = {"source": "imagenet", "address": server_of_files.address.rstrip("/")}
        found = reach_network(write_params(repository, params_content | {"data": data, "weights": weights}))
        assert found["weights"] == ""
        assert found["hub"].startswith("127.0.0.1 cannot be reached for the dataset a/b")
    found = reach_network(Paths(repository.root))
    assert found["weights"].startswith(f"{weights['address']}/")
    assert "does not tell its size" in found["weights"]


def test_command_prints_one_line_of_json(original: SmallRepository) -> None:
    command = [sys.executable, "-m", "fusionseq.probes", "network"]
    environment = {"PYTHONPATH": str(ROOT / "src"), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(command, cwd=original.root, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == {"remotes": [], "hub": None, "weights": None}


def test_a_probe_that_nobody_ends_ends_itself(tmp_path: Path) -> None:
    code = (
        "import sys, time; from fusionseq import probes; probes._LIFETIME = 1; "
        "probes.PROBES['gpus'] = lambda _: time.sleep(20); sys.argv = ['probes', 'gpus']; probes.main()"
    )
    environment = {"PYTHONPATH": str(ROOT / "src"), "PATH": "/usr/bin:/bin"}
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, check=False)
    assert done.returncode == -signal.SIGALRM


def test_a_probe_lives_longer_than_the_doctor_waits() -> None:
    assert probes._LIFETIME > doctor._LIMIT


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("https://h:80/f", "https://h:80/f"),
        ("https://me:secret@h:80/f", "https://h:80/f"),
        ("https://me:se@cret@h/f", "https://h/f"),
        ("https://h/f?token=secret", "https://h/f"),
        ("https://me:secret@h/f#secret", "https://h/f"),
        ("https://h/f?token=sec@ret", "https://h/f"),
        ("https://h/f#sec@ret", "https://h/f"),
        # Nobody can tell whether a query or a password goes on to the last @.
        ("https://h:80/f?token=sec@ret", "https://h"),
        ("https://me:sec?ret@h/f", "https://me"),
        ("https://me:sec#ret@h/f?secret", "https://me"),
        ("https://me:secret@h/f?token=sec@ret", "https://..."),
        ("https://me:se@cr?et@h/f", "https://..."),
        ("/mnt/odd?folder@here", "/mnt/odd?folder@here"),
    ],
)
def test_no_secret_of_an_address_is_shown(address: str, shown: str) -> None:
    assert probes._hide_login(address) == shown
