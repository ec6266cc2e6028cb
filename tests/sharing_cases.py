"""A small Git and DVC repository with this project's .dvc/config, and commands in it, each a process of its own."""

import multiprocessing
import os
import runpy
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path

from remote_servers import RemoteServer

ROOT = Path(__file__).parent.parent

# A folder, a file, and results that lie in Git; the first stage leaves a trace of each run outside.
_STAGES = """
stages:
  make:
    cmd: echo run >>../runs.txt && mkdir -p data/parts && cp parts/* data/parts && cp single data/single
    deps: [parts, single]
    outs: [data/parts, data/single]
  report:
    cmd: mkdir -p report && cat data/parts/* data/single | wc -c >report/size.txt
    deps: [data/parts, data/single]
    outs:
      - report: {cache: false}
"""

# Starting DVC takes longer than most of what it does here: one process has it imported, and is forked for each command.
_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(
    [
        *("dvc.cli.parser", "dvc.data_cloud", "dvc.dvcfile", "dvc.info", "dvc.repo.graph", "dvc.repo.index"),
        *("dvc.repo.metrics", "dvc.repo.plots", "dvc.repo.pull", "dvc.repo.push", "dvc.repo.reproduce", "dvc.rwlock"),
        *(
            "dvc.scm",
            "dvc.stage.cache",
            "dvc.utils.strictyaml",
            "dvc_data.hashfile.db.index",
            "dvc_data.hashfile.status",
        ),
        *("dvc_data.index.collect", "dvc_data.index.fetch", "dvc_data.index.push", "dvc_http", "dvc_render.html"),
        *("s3fs", "dvc_ssh.client", "dvc_ssh.spec", "scmrepo.git"),
        *("dulwich.client", "dulwich.index", "dulwich.worktree"),
        *("configobj", "flufl.lock", "networkx", "platformdirs.unix", "psutil", "ruamel.yaml"),
        # Of this package, which is not imported itself: its clones have their own.
        *("numpy.lib.format", "pydantic", "rich.progress", "safetensors.numpy", "yaml"),
    ]
)


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    status: int
    output: str

    @property
    def last_line(self) -> str:
        return self.output.rstrip().rpartition("\n")[2]


class Command:
    """A command that runs, in a process without this one's libraries, threads and environment."""

    def __init__(
        self, folder: Path, environment: Mapping[str, str], umask: int, module: str, arguments: tuple[str, ...]
    ) -> None:
        self._log = folder / "output.txt"
        self.process: BaseProcess = _FORKS.Process(
            target=_run_module, args=(module, arguments, folder / "clone", environment, umask, self._log)
        )
        self.process.start()

    @property
    def is_running(self) -> bool:
        return self.process.is_alive()

    def wait(self) -> Done:
        self.process.join(120)
        assert self.process.exitcode is not None, self._log.read_text()
        return Done(self.process.exitcode, self._log.read_text())


def _run_module(
    module: str, arguments: tuple[str, ...], folder: Path, environment: Mapping[str, str], umask: int, log: Path
) -> None:
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    os.umask(umask)
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(file, 1)
    os.dup2(file, 2)
    # Nobody answers a question.
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


class Clone:
    """A repository in a home of its own, as a colleague's on another machine."""

    def __init__(self, folder: Path, server: RemoteServer | None = None) -> None:
        self.folder, self.root, self.server = folder, folder / "clone", server
        self.umask = 0o022
        self.environment = {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(folder / "home"),
            "DVC_SITE_CACHE_DIR": str(folder / "site"),
            "PYTHONPATH": str(ROOT / "src"),
        }
        if server is not None:
            self.environment |= server.environment
        (folder / "home").mkdir(parents=True)

    def start(self, module: str, *arguments: str) -> Command:
        return Command(self.folder, self.environment, self.umask, module, arguments)

    def run(self, module: str, *arguments: str) -> Done:
        return self.start(module, *arguments).wait()

    def dvc(self, *arguments: str) -> str:
        done = self.run("dvc", *arguments)
        assert done.status == 0, done.output
        return done.output

    def git(self, *arguments: str) -> str:
        done = subprocess.run(["git", *arguments], cwd=self.root, check=True, capture_output=True, text=True)
        return done.stdout

    def commit(self, message: str) -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)

    def configure(self, settings: Mapping[str, str]) -> None:
        """Write a person's own settings of the team's remote, its address among them as long as no one shared it."""
        lines = [f"    {key} = {value}\n" for key, value in settings.items()]
        if lines:
            (self.root / ".dvc" / "config.local").write_text("".join(["['remote \"team\"']\n", *lines]))

    @property
    def configuration(self) -> str:
        return (self.root / ".dvc" / "config").read_text()

    @property
    def runs(self) -> list[str]:
        """The entries of the run cache by their paths below a remote."""
        return [name for name in self.list_objects() if name.startswith("runs/")]

    @property
    def num_runs(self) -> int:
        """How often the first stage ran here."""
        path = self.folder / "runs.txt"
        return len(path.read_text().splitlines()) if path.exists() else 0

    def list_objects(self) -> dict[str, bytes]:
        """Read the objects of the cache by their paths below a remote."""
        cache = self.root / ".dvc" / "cache"
        return {path.relative_to(cache).as_posix(): path.read_bytes() for path in cache.rglob("*") if path.is_file()}

    def read_data(self) -> dict[str, bytes]:
        """Read what DVC put into the workspace."""
        files = (path for path in (self.root / "data").rglob("*") if path.is_file() and path.name != ".gitignore")
        return {path.relative_to(self.root).as_posix(): path.read_bytes() for path in files}


def make_original(folder: Path) -> Clone:
    """Make the repository, run its stages and commit them."""
    original = Clone(folder)
    root = original.root
    (root / "parts").mkdir(parents=True)
    for number in range(3):
        (root / "parts" / f"{number}.txt").write_text(f"part {number}\n" * 1000)
    (root / "single").write_text("single\n" * 1000)
    (root / "dvc.yaml").write_text(_STAGES)
    original.git("init", "--quiet", "--initial-branch", "main")
    for key, value in (("user.name", "A"), ("user.email", "a@example.org"), ("commit.gpgsign", "false")):
        original.git("config", key, value)
    original.dvc("init", "--quiet")
    shutil.copy(ROOT / ".dvc" / "config", root / ".dvc" / "config")
    original.dvc("repro", "--quiet")
    original.commit("Reproduce")
    return original


def copy_original(original: Clone, folder: Path, server: RemoteServer | None = None) -> Clone:
    """Copy the repository whole, cache included, before anything is shared."""
    copied = Clone(folder, server)
    shutil.copytree(original.root, copied.root)
    if server is not None and server.settings:
        copied.configure({"url": server.url, **server.settings})
    return copied


def clone(shared: Clone, folder: Path, server: RemoteServer) -> Clone:
    """Clone a repository that names the server as its remote, as a colleague does."""
    cloned = Clone(folder, server)
    subprocess.run(["git", "clone", "--quiet", shared.root, cloned.root], check=True)
    cloned.configure(server.settings)
    return cloned


def enlarge(original: Clone) -> None:
    """Make one file so big that no server has it in a moment; it is sent last."""
    with (original.root / "single").open("wb") as file:
        file.truncate(64_000_000)
    original.dvc("repro", "--quiet")
    original.commit("Enlarge")


def find_list(original: Clone) -> str:
    """Find the object that lists the files of a folder."""
    return next(name for name in original.list_objects() if name.endswith(".dir"))


def find_object(original: Clone, content: str) -> str:
    """Find the object that holds a text."""
    return next(name for name, found in original.list_objects().items() if found.startswith(content.encode()))


def hold_nothing_wrong(cloned: Clone, original: Clone) -> None:
    """Check that each file of the workspace and each object of the cache is one of the original's."""
    assert cloned.read_data().items() <= original.read_data().items()
    assert cloned.list_objects().items() <= original.list_objects().items()


@contextmanager
def damaged(server: RemoteServer, name: str, content: bytes | None) -> Iterator[None]:
    """Change an object of the remote, or remove it, for a while."""
    before = server.read(name)
    if content is None:
        server.remove(name)
    else:
        server.write(name, content)
    try:
        yield
    finally:
        server.write(name, before)


def stop_once_there(server: RemoteServer, name: str, command: Command) -> None:
    """Stop a server as soon as an object is there."""
    while command.is_running:
        try:
            server.read(name)
        except FileNotFoundError:
            time.sleep(0.001)
            continue
        server.stop()
        return
    raise AssertionError(f"{name} never came: {command.wait().output}")
