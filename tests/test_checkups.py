from dataclasses import replace
from pathlib import Path

import pytest

from fusionseq.checkups import (
    Gpus,
    judge_disk,
    judge_gpus,
    judge_latex,
    judge_packages,
    judge_proxies,
    judge_python,
    judge_resources,
    read_lock,
)
from fusionseq.findings import Mark
from fusionseq.machine import list_installed

ROOT = Path(__file__).parent.parent

LOCK = """\
# made by hand
numpy==2.4.6 \\
    --hash=sha256:00 \\
    --hash=sha256:11
    # via keras
colorama==0.4.6 ; sys_platform == 'win32' \\
    --hash=sha256:22
Typing.Extensions==4.0 ; python_version >= '3' \\
    --hash=sha256:33
dvc[s3]==3.67.1  # with an extra
"""
INSTALLED = {"NumPy": "2.4.6", "typing_extensions": "4.0.0", "dvc": "3.67.1", "other": "1"}


def test_a_lock_is_read_as_pip_reads_it() -> None:
    assert read_lock(LOCK) == {"numpy": "2.4.6", "typing-extensions": "4.0", "dvc": "3.67.1"}
    versions = read_lock((ROOT / "requirements.txt").read_text(encoding="utf-8"))
    assert versions["keras"] == "3.15.1"
    assert len(versions) > 100


def test_packages_are_held_against_the_lock() -> None:
    assert judge_packages(LOCK, "lock.txt", INSTALLED).found == "all 3 as in lock.txt"
    other = judge_packages(LOCK, "lock.txt", INSTALLED | {"dvc": "3.0"})
    assert other.mark is Mark.WARNING
    assert other.found.endswith(": dvc 3.0 in place of 3.67.1")
    missing = judge_packages(LOCK, "lock.txt", {"dvc": "3.0"})
    assert missing.mark is Mark.PROBLEM
    assert "numpy, typing-extensions, not installed, and 1 of another version" in missing.found


def test_this_environment_has_what_the_tests_use() -> None:
    versions = list_installed()
    assert judge_packages("pytest\n".replace("\n", f"=={versions['pytest']}\n"), "x", versions).mark is Mark.OK


@pytest.mark.parametrize(("version", "mark"), [("3.10.14", "problem"), ("3.11.2", "ok"), ("3.13.0", "problem")])
def test_python_is_held_against_the_project(version: str, mark: str) -> None:
    (finding,) = judge_python(version, ">=3.11,<3.13", is_on_path=True)
    assert finding.mark.value == mark


def test_another_python_on_the_path_is_told() -> None:
    _, finding = judge_python("3.11.2", ">=3.11", is_on_path=False)
    assert (finding.mark, finding.mend) == (Mark.WARNING, "`source .venv/bin/activate`")


NO_GPUS = Gpus(is_asked=False, is_built=False, visible=None, cards=[], found=[])


@pytest.mark.parametrize(
    ("gpus", "mark", "text"),
    [
        (NO_GPUS, "ok", "none is here, and none is asked for"),
        (replace(NO_GPUS, is_asked=None), "ok", "none is here"),
        (replace(NO_GPUS, is_asked=True), "warning", "runtime.devices: all"),
        (replace(NO_GPUS, cards=["H100"]), "warning", "H100 here, but this environment is for the CPU"),
        (replace(NO_GPUS, is_built=True), "warning", "this environment is for GPUs, and none is here"),
        (replace(NO_GPUS, is_built=True, cards=["H100"]), "warning", "H100 here, but TensorFlow finds none"),
        (
            replace(NO_GPUS, is_built=True, cards=["H100"], visible="-1"),
            "warning",
            "H100 here, but CUDA_VISIBLE_DEVICES=-1 hides it",
        ),
        (replace(NO_GPUS, is_built=True, cards=["H100"], found=["H100"]), "ok", "TensorFlow finds H100"),
        (replace(NO_GPUS, is_built=True, found=["A", "B"]), "ok", "A, B; runtime.devices: one in params.yaml uses"),
        (replace(NO_GPUS, is_built=True, found=["A"] * 8), "ok", "A, A, A, A and 4 more"),
    ],
)
def test_gpus_asked_for_are_held_against_gpus_found(gpus: Gpus, mark: str, text: str) -> None:
    finding = judge_gpus(gpus)
    assert finding.mark.value == mark
    assert text in finding.found
    assert bool(finding.mend) == (mark != "ok")


def test_latex_is_installed_by_whoever_may() -> None:
    assert judge_latex([], [], "texlive", is_installable=False).mark is Mark.OK
    assert judge_latex(["latexmk"], [], "texlive", is_installable=True).mark is Mark.WARNING
    finding = judge_latex([], ["siunitx.sty"], "texlive lmodern", is_installable=False)
    assert (finding.mark, finding.found) == (Mark.PROBLEM, "siunitx.sty missing")
    assert finding.mend == "`sudo apt-get install --no-install-recommends texlive lmodern`"


def test_memory_and_cores_are_enough() -> None:
    assert [finding.mark for finding in judge_resources(4 * 10**9, 2, 2)] == [Mark.OK, Mark.OK]
    memory, cores = judge_resources(10**9, 1, 2)
    assert memory.found == "1.0 GB free, and the embedded default takes 1.2 GB"
    assert cores.found == "1, fewer than the 2 of runtime.threads, which is slower"
    assert [finding.subject for finding in judge_resources(None, 2, None)] == ["cores"]


def test_the_disk_is_enough() -> None:
    assert judge_disk(10**9, 10**9).mark is Mark.OK
    finding = judge_disk(2 * 10**9, 10**9)
    assert finding.mark is Mark.PROBLEM
    assert finding.found == "1.0 GB free, 2 GB needed for data and DVC's cache"


def test_the_way_to_the_network_is_told() -> None:
    assert not list(judge_proxies({}, []))
    proxy, certificate = judge_proxies({"HTTPS_PROXY": "http://proxy:3128"}, ["SSL_CERT_FILE"])
    assert proxy.found == "HTTPS_PROXY=http://proxy:3128"
    assert (certificate.mark, certificate.found) == (Mark.WARNING, "SSL_CERT_FILE names a file that is not there")
