"""This project as a small repository, and DVC's commands on it in one process, since DVC takes long to start."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from fusionseq.params import read_params
from fusionseq.paths import Paths

ROOT = Path(__file__).parent.parent
SEED = 7

# A line of JSON for each command. What the command and its children print goes to a file, and its status comes back.
_SERVER = """
import json, os, sys
from dvc.cli import main
answers = os.fdopen(os.dup(1), "w")
for line in sys.stdin:
    folder, log, arguments = json.loads(line)
    os.chdir(folder)
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(file, 1)
    os.dup2(file, 2)
    os.close(file)
    status = main(arguments)
    sys.stdout.flush()
    sys.stderr.flush()
    print(status, file=answers, flush=True)
"""


class DvcSession:
    """A process that runs DVC's commands one after the other, with a home and a machine-wide cache of its own."""

    def __init__(self, process: subprocess.Popen[str], log: Path) -> None:
        self._process, self._log = process, log

    def run(self, folder: Path, arguments: tuple[str, ...]) -> tuple[int, str]:
        """Run a command; its exit status, and all that it printed."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps([str(folder), str(self._log), arguments]), file=self._process.stdin, flush=True)
        answer = self._process.stdout.readline()
        output = self._log.read_text(encoding="utf-8")
        assert answer, output
        return int(answer), output


@contextmanager
def open_session(folder: Path) -> Iterator[DvcSession]:
    """Start the process; it ends with the block."""
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    own = {"HOME": str(folder / "home"), "DVC_SITE_CACHE_DIR": str(folder / "site"), "PATH": programs}
    for name in ("home", "site"):
        (folder / name).mkdir()
    with subprocess.Popen(
        [sys.executable, "-c", _SERVER],
        env=os.environ | own,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield DvcSession(process, folder / "output.txt")


@dataclass(frozen=True)
class Clone:
    """A Git repository with this project, and what a person does in it."""

    root: Path
    session: DvcSession

    def dvc(self, *arguments: str) -> str:
        """Run a DVC command that must succeed."""
        status, output = self.session.run(self.root, arguments)
        assert status == 0, output
        return output

    def fail(self, *arguments: str) -> str:
        """Run a DVC command that must not."""
        status, output = self.session.run(self.root, arguments)
        assert status != 0, output
        assert "Traceback" not in output
        return output

    def read_json(self, *arguments: str) -> Any:
        """Read what a DVC command prints as its last line."""
        return json.loads(self.dvc(*arguments).splitlines()[-1])

    def git(self, *arguments: str) -> str:
        """Run a Git command."""
        done = subprocess.run(["git", *arguments], cwd=self.root, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    @property
    def changes(self) -> list[str]:
        """What `git status` lists, the untracked files too."""
        return self.git("status", "--porcelain").splitlines()

    @property
    def params(self) -> dict[str, Any]:
        """What params.yaml holds."""
        return dict(yaml.safe_load((self.root / "params.yaml").read_text(encoding="utf-8")))

    def restore(self) -> None:
        """Bring the files of the last commit back, as a person would after a failed or an unwanted experiment."""
        self.git("reset", "--quiet", "--hard")
        self.dvc("checkout", "--force", "--quiet")
        assert self.changes == []

    def name_author(self) -> None:
        """In the repository itself, since DVC commits, too, and a machine may know nobody's name."""
        for key, value in (("user.name", "A"), ("user.email", "a@example.org"), ("commit.gpgsign", "false")):
            self.git("config", key, value)


def make_clone(root: Path, session: DvcSession) -> Clone:
    """Copy the working tree, reduce its parameters, and commit what the real stages make of them.

    They run in this process, which has imported all they need, and `dvc commit` records them as `dvc repro` would.
    """
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).exists() and not name.startswith("reports/") and name != "dvc.lock":
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, root / name)
    _reduce(root / "params.yaml")
    clone = Clone(root, session)
    clone.git("init", "--quiet", "--initial-branch", "main")
    clone.name_author()
    _run_stages(root)
    clone.dvc("commit", "--force", "--quiet")
    clone.git("add", "--all")
    clone.git("commit", "--quiet", "--message", "Reproduce")
    return clone


def _reduce(path: Path) -> None:
    """Write parameters with which stages take seconds, in DVC's style, so that it then changes no other line."""
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    content["data"] |= {"num_classes": 2, "images_per_class": 6}
    content["split"] |= {"train": 0.5, "validation": 0.25, "test": 0.25}
    content |= {"image_size": 32, "seeds": [SEED], "controls": [], "ensemble": []}
    content["training"]["frozen"]["epochs"] = content["training"]["fine_tuning"]["epochs"] = 1
    content["statistics"]["resamples"] = 100
    text = yaml.safe_dump(content, sort_keys=False).replace(": null\n", ":\n")
    path.write_text(text, encoding="utf-8")


def _run_stages(root: Path) -> None:
    from fusionseq.stages.backbones import backbones
    from fusionseq.stages.evaluate import evaluate
    from fusionseq.stages.features import features
    from fusionseq.stages.fetch import fetch
    from fusionseq.stages.figures import figures
    from fusionseq.stages.paper import paper
    from fusionseq.stages.preprocess import preprocess
    from fusionseq.stages.split import split
    from fusionseq.stages.train_fusion import train_fusion
    from fusionseq.stages.train_sequential import train_sequential

    paths = Paths(root)
    params = read_params(paths.params)
    for stage in (fetch, backbones, preprocess, split, features):
        stage(params, paths)
    train_fusion(params, paths, SEED)
    train_sequential(params, paths, SEED)
    for stage in (evaluate, figures, paper):
        stage(params, paths)
