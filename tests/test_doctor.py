import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from paper_repository import make_paper_repository
from small_repository import SmallRepository

ROOT = Path(__file__).parent.parent
MARKS = ("ok       ", "warning  ", "problem  ")


def run(folder: Path, python: str, *options: str, **variables: str) -> subprocess.CompletedProcess[str]:
    path = f"{Path(python).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "PYTHONPATH": str(ROOT / "src")} | variables
    command = [python, "-m", "fusionseq.doctor", *options]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> SmallRepository:
    names = ("Makefile", "params.yaml", "pyproject.toml", "requirements.txt", "requirements-gpu.txt")
    repository = make_paper_repository(tmp_path_factory.mktemp("project") / "repository", *names)
    shutil.rmtree(repository.root / "data")
    (repository.root / ".dvc" / "config").write_text(
        "['remote \"team\"']\n    url = ssh://me:p4ssw0rd@127.0.0.1:1/folder\n"
    )
    return repository


def test_a_machine_is_looked_over(repository: SmallRepository) -> None:
    before = repository.run("git", "status", "--porcelain", "--ignored")
    done = run(repository.root, sys.executable, "--json", HTTPS_PROXY="me:p4ss/w0rd@127.0.0.1:1")
    assert done.stderr == ""
    assert "w0rd" not in done.stdout
    report: dict[str, Any] = json.loads(done.stdout)
    findings = [(finding["subject"], finding["mark"], finding["found"]) for finding in report["findings"]]
    assert done.returncode == (not report["is_ready"])
    assert report["is_ready"] == all(mark != "problem" for _, mark, _ in findings)
    assert {
        ("params.yaml", "ok", "valid, images from digits"),
        ("git", "ok", "1 file differs from the last commit"),
        (
            "results",
            "ok",
            "as in dvc.lock, without the data: `dvc pull` fetches it, or fetch, draw run again",
        ),
        ("hub", "ok", "nothing to download"),
        ("weights", "ok", "nothing to download"),
        ("proxy", "ok", "HTTPS_PROXY=127.0.0.1:1"),
    } <= set(findings)
    of_remote = [(mark, found) for subject, mark, found in findings if subject == "remote team"]
    assert [mark for mark, _ in of_remote] == ["warning", "warning", "warning"]
    assert of_remote[0][1].startswith("ssh://127.0.0.1:1/folder cannot be reached")
    subjects = [subject for subject, _, _ in findings]
    assert subjects[:3] == ["python", "packages", "params.yaml"]
    assert {"tensorflow", "gpu", "latex", "memory", "cores", "cache", "disk"} <= set(subjects)
    # All that it does is look.
    assert repository.run("git", "status", "--porcelain", "--ignored") == before


def test_nothing_at_all_is_findings_too(tmp_path: Path) -> None:
    # Python as it comes, without a package, a repository, or a program on PATH.
    python = Path(sys.base_prefix, "bin", "python3")
    if not python.exists():
        pytest.skip("this Python lies elsewhere")
    (tmp_path / "empty").mkdir()
    done = run(tmp_path / "empty", str(python), PATH=str(tmp_path), LC_ALL="C", GIT_CEILING_DIRECTORIES=str(tmp_path))
    assert (done.returncode, done.stderr) == (1, "")
    *lines, summary = done.stdout.splitlines()
    assert all(line.startswith(MARKS) for line in lines)
    assert "problem  git: git is not installed, or not on PATH; install it" in lines
    assert any(line.startswith("problem  python: pyproject.toml cannot be read") for line in lines)
    assert "would stop `make reproduce`" in summary


def test_a_damaged_package_is_a_finding_too(tmp_path: Path) -> None:
    metadata = tmp_path / "damaged-1.dist-info" / "METADATA"
    metadata.parent.mkdir()
    metadata.write_bytes(b"Name: damaged\xff\n")
    (tmp_path / "empty").mkdir()
    path = f"{ROOT / 'src'}{os.pathsep}{tmp_path}"
    done = run(tmp_path / "empty", sys.executable, PYTHONPATH=path, GIT_CEILING_DIRECTORIES=str(tmp_path))
    assert (done.returncode, done.stderr) == (1, "")
    lines = done.stdout.splitlines()
    assert any(line.startswith("problem  packages: cannot be looked at (UnicodeDecodeError") for line in lines)
    assert any(line.startswith("problem  git: ") for line in lines), "what comes after it is looked at as well"
