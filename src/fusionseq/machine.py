"""What this machine has: memory, cores, LaTeX, graphics cards, installed packages. Standard library alone."""

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from importlib.metadata import distributions
from pathlib import Path

from fusionseq.errors import PipelineError

_LATEX_PROGRAMS = ("latexmk", "pdflatex", "bibtex", "kpsewhich")
# A driver in trouble may never answer.
_DRIVER_LIMIT = 5.0
_KIBI = 1024


def read_free_memory(system: Path = Path("/")) -> int | None:
    """Read how many bytes programs may still take; None where the system does not say.

    Parameters
    ----------
    system
        Root of the file system; a test may use any other.
    """
    free = []
    with suppress(OSError):
        if found := re.search(r"^MemAvailable:\s+(\d+) kB", (system / "proc/meminfo").read_text(), re.MULTILINE):
            free.append(int(found[1]) * _KIBI)
    # A container may have less.
    with suppress(OSError, ValueError):
        group = system / "sys/fs/cgroup"
        used = int((group / "memory.current").read_text()) - _read_reclaimable(group)
        free.append(int((group / "memory.max").read_text()) - used)
    return max(0, min(free)) if free else None


def _read_reclaimable(group: Path) -> int:
    """Read how many bytes a container holds of files read or written, which the system drops when others need them."""
    with suppress(OSError):
        if found := re.search(r"^inactive_file (\d+)$", (group / "memory.stat").read_text(), re.MULTILINE):
            return int(found[1])
    return 0


def count_cores(system: Path = Path("/")) -> int:
    """Count the cores that this process may use."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with suppress(OSError, ValueError):
        quota, period = (system / "sys/fs/cgroup/cpu.max").read_text().split()
        cores = max(1, min(cores, int(quota) // int(period)))
    return cores


def read_latex(makefile: str) -> tuple[list[str], str]:
    """Read from the Makefile which files LaTeX must have, and in which packages of Debian they are.

    Raises
    ------
    PipelineError
        It does not say.
    """
    files, packages = (re.search(rf"^LATEX_{what} := (.+)$", makefile, re.MULTILINE) for what in ("FILES", "PACKAGES"))
    if files is None or packages is None:
        raise PipelineError("the Makefile has no LATEX_FILES and LATEX_PACKAGES; `git checkout Makefile`.")
    return files[1].split(), packages[1]


def find_missing_latex(files: Sequence[str]) -> tuple[list[str], list[str]]:
    """Find the programs of LaTeX, and the files out of some, that this machine lacks."""
    programs = [name for name in _LATEX_PROGRAMS if shutil.which(name) is None]
    if "kpsewhich" in programs:
        return programs, []
    done = subprocess.run(
        ["kpsewhich", *files], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, errors="replace"
    )
    found = {line.rpartition("/")[2] for line in done.stdout.splitlines()}
    return programs, [name for name in files if name not in found]


def may_install() -> bool:
    """Whether this user may install packages of Debian."""
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def list_cards() -> list[str]:
    """List the names of the graphics cards that NVIDIA's driver tells of; none where it does not answer."""
    try:
        done = subprocess.run(
            ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_DRIVER_LIMIT,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return []
    return [line.strip() for line in done.stdout.decode(errors="replace").splitlines() if line.strip()]


def list_installed() -> dict[str, str]:
    """List the versions of the installed packages by their names."""
    # The first one that Python finds is the one that it imports.
    found = [(package.metadata["Name"], package.version) for package in distributions()]
    return {name: version for name, version in reversed(found) if name and version}


def is_on_path(program: Path) -> bool:
    """Whether `python` on PATH is a program, or lies in the same folder."""
    found = shutil.which("python")
    return found is not None and Path(found).absolute().parent == program.absolute().parent
