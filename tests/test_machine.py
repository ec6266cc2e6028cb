import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from fusionseq.errors import PipelineError
from fusionseq.machine import (
    count_cores,
    find_missing_latex,
    is_on_path,
    list_cards,
    list_installed,
    read_free_memory,
    read_latex,
)

ROOT = Path(__file__).parent.parent


def write(path: Path, content: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)


def test_memory_is_that_of_the_container(tmp_path: Path) -> None:
    assert read_free_memory(tmp_path) is None
    write(tmp_path / "proc/meminfo", "MemTotal:       9000000 kB\nMemAvailable:    2000000 kB\n")
    assert read_free_memory(tmp_path) == 2_048_000_000
    write(tmp_path / "sys/fs/cgroup/memory.max", "1000000000\n")
    write(tmp_path / "sys/fs/cgroup/memory.current", "400000000\n")
    assert read_free_memory(tmp_path) == 600_000_000
    # Files that were read stay in memory for as long as nobody needs it.
    write(tmp_path / "sys/fs/cgroup/memory.stat", "anon 90000000\nfile 310000000\ninactive_file 300000000\n")
    assert read_free_memory(tmp_path) == 900_000_000
    write(tmp_path / "sys/fs/cgroup/memory.max", "max\n")
    assert read_free_memory(tmp_path) == 2_048_000_000


def test_cores_are_those_of_the_container(tmp_path: Path) -> None:
    here = count_cores(tmp_path)
    assert here == len(os.sched_getaffinity(0))
    write(tmp_path / "sys/fs/cgroup/cpu.max", "150000 100000\n")
    assert count_cores(tmp_path) == 1
    write(tmp_path / "sys/fs/cgroup/cpu.max", "max 100000\n")
    assert count_cores(tmp_path) == here


def test_the_makefile_says_what_latex_needs() -> None:
    files, packages = read_latex((ROOT / "Makefile").read_text(encoding="utf-8"))
    assert "siunitx.sty" in files
    assert "latexmk" in packages.split()
    with pytest.raises(PipelineError, match="LATEX_FILES"):
        read_latex("")


@pytest.mark.skipif(shutil.which("kpsewhich") is None, reason="LaTeX is not installed")
def test_missing_files_of_latex_are_named() -> None:
    programs, files = find_missing_latex(["article.cls", "no-such.sty", "size10.clo"])
    assert files == ["no-such.sty"]
    assert "kpsewhich" not in programs


def test_missing_programs_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_missing_latex(["article.cls"]) == (["latexmk", "pdflatex", "bibtex", "kpsewhich"], [])
    assert list_cards() == []
    assert not is_on_path(Path(sys.executable))


def test_cards_are_those_of_the_driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "nvidia-smi"
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    for script, cards in (
        ("echo NVIDIA H100 80GB HBM3; echo; echo NVIDIA A100", ["NVIDIA H100 80GB HBM3", "NVIDIA A100"]),
        ("echo No devices were found; exit 6", []),
    ):
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        assert list_cards() == cards


def test_python_is_found_by_its_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    found = shutil.which("python3")
    assert found is not None
    folder = Path(sys.executable).parent
    monkeypatch.setenv("PATH", str(folder))
    assert is_on_path(Path(sys.executable)) == (shutil.which("python") is not None)


def test_packages_have_versions() -> None:
    assert {"pytest", "numpy"} <= list_installed().keys()


def test_nothing_but_the_standard_library_is_needed() -> None:
    # Without site-packages, as where the environment is broken.
    code = "import sys; sys.path.insert(0, sys.argv[1]); import fusionseq.doctor"
    subprocess.run([sys.executable, "-I", "-S", "-c", code, str(ROOT / "src")], check=True)
