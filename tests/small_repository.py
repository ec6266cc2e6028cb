"""A DVC repository of three stages that run in a moment, with outputs of every kind."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

# What the environment of a test may change in what a stage makes again: the score, the figure, whether it fails.
_STAGES = r"""
stages:
  fetch:
    cmd: mkdir -p data/raw/deep && printf one >data/raw/1.txt && printf two >data/raw/deep/2.txt && printf x >data/x.bin
    outs: [data/raw, data/x.bin]
  score:
    cmd:
      - mkdir -p reports/table && cat data/raw/1.txt >reports/table/a.csv
      - printf '{"score":%s,"count":2}' "\${SCORE:-0.5}" >reports/score.json; exit \${STATUS:-0}
    deps: [data/raw]
    params: [section]
    outs:
      - reports/table: {cache: false}
      - reports/score.json: {cache: false}
  draw:
    cmd: cat reports/score.json data/x.bin >figure.png; printf "$FIGURE" >>figure.png
    deps: [reports/score.json, data/x.bin]
    outs:
      - figure.png: {cache: false}
"""

RERUN = ("score", "draw")


@dataclass(frozen=True)
class SmallRepository:
    """The repository, and what may happen to it."""

    root: Path

    def run(self, *command: str) -> str:
        """Run a command in it."""
        environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
        done = subprocess.run(
            command,
            cwd=self.root,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    def find_object(self, content: str) -> Path:
        """Find the object of the cache that holds a text."""
        objects = (path for path in (self.root / ".dvc" / "cache" / "files").rglob("*") if path.is_file())
        return next(path for path in objects if content in path.read_text())

    def read_all(self) -> dict[str, tuple[bytes, int]]:
        """Read contents and times of all files but those that Git and DVC keep for themselves."""
        own = {".git", ".dvc"}
        files = [path for path in self.root.rglob("*") if path.is_file()]
        names = {path.relative_to(self.root): path for path in files}
        return {
            name.as_posix(): (path.read_bytes(), path.stat().st_mtime_ns)
            for name, path in names.items()
            if name.parts[0] not in own
        }


def make_repository(root: Path) -> SmallRepository:
    """Make the repository, run its stages and commit them."""
    root.mkdir()
    repository = SmallRepository(root)
    (root / "dvc.yaml").write_text(_STAGES)
    (root / "params.yaml").write_text("section: {of: 1}\nother: 2\n")
    (root / "unread.txt").write_text("unread")
    repository.run("git", "init", "--quiet")
    repository.run("dvc", "init", "--quiet")
    repository.run("dvc", "config", "core.analytics", "false")
    repository.run("dvc", "repro", "--quiet")
    repository.run("git", "add", "--all")
    identity = ["-c", "user.name=test", "-c", "user.email=test@example.org"]
    repository.run("git", *identity, "commit", "--quiet", "--message", "Reproduce")
    return repository


def copy_repository(repository: SmallRepository, root: Path) -> SmallRepository:
    """Copy it whole, cache included."""
    shutil.copytree(repository.root, root)
    return SmallRepository(root)


def flip_byte(path: Path) -> None:
    """Change the lowest bit of the first byte, and leave every trace of the file's time as it was: as a disk does."""
    state = path.stat()
    path.chmod(0o644)
    content = path.read_bytes()
    path.write_bytes(bytes([content[0] ^ 1]) + content[1:])
    path.chmod(state.st_mode)
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
