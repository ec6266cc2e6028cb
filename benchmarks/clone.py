"""A clone of the project to run experiments in, so that nothing comes back to the project."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parent.parent
# Of a failed command's output; a training before it may have said a lot.
SHOWN_CHARACTERS = 2000


@dataclass(frozen=True)
class Clone:
    """A clone of the project's last commit with a cache of its own, made by `cloning`.

    Attributes
    ----------
    folder
        Where it lies.
    site_cache
        Where DVC keeps what it knows of the clone outside it.
    """

    folder: Path
    site_cache: Path

    def run(self, *command: str) -> None:
        """Run a command in the clone, with the clone's code and this environment.

        Raises
        ------
        RuntimeError
            It failed.
        """
        environment = os.environ | {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": "src",
            "DVC_SITE_CACHE_DIR": str(self.site_cache),
        }
        done = subprocess.run(
            command, cwd=self.folder, env=environment, check=False, capture_output=True, encoding="utf-8"
        )
        if done.returncode:
            output = (done.stdout + done.stderr)[-SHOWN_CHARACTERS:]
            raise RuntimeError(f"{' '.join(command)} ended with status {done.returncode}:\n{output}")

    def time(self, *command: str) -> float:
        """Seconds that a command takes."""
        start = time.perf_counter()
        self.run(*command)
        return time.perf_counter() - start

    def edit_params(self, edit: Callable[[dict[str, Any]], None]) -> None:
        """Change params.yaml."""
        path = self.folder / "params.yaml"
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        edit(content)
        path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")

    def commit(self) -> None:
        """Keep the present results as those to come back to."""
        identity = ("-c", "user.name=bench", "-c", "user.email=bench@example.org")
        self.run("git", *identity, "commit", "--quiet", "--all", "--allow-empty", "--message", "Reproduce")

    def reset(self) -> None:
        """Bring the parameters and results of the last commit back."""
        self.run("git", "reset", "--quiet", "--hard")
        # Models of other seeds belong to no stage any more, but would still count as an input of the evaluation.
        self.run("python", "-m", "fusionseq.tidy")
        self.run("dvc", "checkout", "--quiet")


@contextmanager
def cloning() -> Iterator[Clone]:
    """Clone the project into a temporary folder and bring its results in."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        yield _make_clone(Path(name))


def _make_clone(folder: Path) -> Clone:
    clone = Clone(folder / "clone", folder / "site_cache")
    clone.folder.mkdir()
    clone.run("git", "clone", "--quiet", str(ROOT), ".")
    # As a remote, the project's cache is only read; and its record of past runs, which could answer for a seed or a
    # head that was once tried, stays behind.
    clone.run("dvc", "remote", "add", "--quiet", "--local", "--default", "project", str(ROOT / ".dvc" / "cache"))
    clone.run("dvc", "pull", "--quiet", "--allow-missing")
    # Computes what the project's cache did not hold.
    clone.run("dvc", "repro")
    clone.commit()
    return clone
