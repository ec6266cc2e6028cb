"""Memory and processor time of all processes below this one, those of Ray among them."""

import os
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK")
# Anonymous memory and, where Ray has its object store, shared memory. Pages of mapped files are left out: the system
# takes them back when it likes.
_MEMORY = re.compile(r"^Rss(?:Anon|Shmem):\s*(\d+) kB$", re.MULTILINE)


@dataclass
class Usage:
    """What one process has used so far.

    Attributes
    ----------
    role
        What it is there for, by the name that it gave itself last.
    peak_memory
        In MiB, sampled.
    cpu_seconds
        Over all its threads.
    """

    role: str
    peak_memory: float = 0.0
    cpu_seconds: float = 0.0


@dataclass(frozen=True)
class _Look:
    """What the system says of a process; its number alone may come to be another's."""

    parent: int
    identity: tuple[int, int]
    cpu_seconds: float


@contextmanager
def watching(interval: float) -> Iterator[list[Usage]]:
    """Watch whatever is started below this process, and what that starts, while the block runs.

    Parameters
    ----------
    interval
        Seconds between two looks, each of which takes some milliseconds of a core.

    Yields
    ------
    list[Usage]
        One for each process, complete once the block has ended.
    """
    usages: list[Usage] = []
    known: dict[tuple[int, int], Usage] = {}
    ended = threading.Event()
    before = {look.identity for look in _find_descendants(known).values()}

    def watch() -> None:
        while not ended.wait(interval):
            for pid, look in _find_descendants(known).items():
                if look.identity in before:
                    continue
                if look.identity not in known:
                    known[look.identity] = Usage("")
                    usages.append(known[look.identity])
                _update(known[look.identity], pid, look)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield usages
    finally:
        ended.set()
        watcher.join()


def _find_descendants(known: Mapping[tuple[int, int], Usage]) -> dict[int, _Look]:
    """Find the processes below this one, and those that were before they lost their parent."""
    pids = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]
    looks = {pid: look for pid in pids if (look := _look_at(pid))}
    found = {os.getpid()} | {pid for pid, look in looks.items() if look.identity in known}
    while more := {pid for pid, look in looks.items() if look.parent in found} - found:
        found |= more
    return {pid: looks[pid] for pid in found - {os.getpid()}}


def _look_at(pid: int) -> _Look | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    # The name of a program comes before, in parentheses, and may hold anything. Source: proc_pid_stat(5).
    fields = text.rpartition(")")[2].split()
    return _Look(int(fields[1]), (pid, int(fields[19])), (int(fields[11]) + int(fields[12])) / _TICK)


def _update(usage: Usage, pid: int, look: _Look) -> None:
    try:
        command = Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8", errors="replace")
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return
    # A process that has just ended still has a status, but no command and no memory.
    if command:
        usage.role = name_role(command.strip("\0").split("\0"))
    usage.cpu_seconds = look.cpu_seconds
    usage.peak_memory = max(usage.peak_memory, sum(map(int, _MEMORY.findall(status))) / 1024)


def name_role(command: list[str]) -> str:
    """Name what a command line is there for: a module, a script, a program, or what a worker of Ray says it does."""
    if command[0].startswith("ray::"):
        return re.split(r"[(.]", command[0].removeprefix("ray::"))[0]
    if "python" in Path(command[0]).name:
        for option, value in zip(command, [*command[1:], ""], strict=True):
            if option == "-m":
                return value
            if option.endswith(".py"):
                return "/".join(Path(option).with_suffix("").parts[-2:])
    return Path(command[0]).name
