"""A repository of Git and DVC that holds this project's committed results as outputs of stages of its own."""

import shutil
import subprocess
from contextlib import chdir
from pathlib import Path

import yaml
from dvc.repo import Repo

ROOT = Path(__file__).parents[1]

_STAGES = """
stages:
  evaluate:
    desc: Evaluate <every> model
    cmd: 'true'
    params: [seeds]
    deps: [data/splits]
    outs:
      - reports/history: {cache: false}
      - reports/metrics.json: {cache: false}
      - reports/predictions: {cache: false}
      - reports/probabilities: {cache: false}
      - reports/statistics.json: {cache: false}
  figures:
    desc: Draw them
    cmd: 'true'
    deps: [reports/statistics.json]
    outs:
      - reports/figures: {cache: false}
  split:
    cmd: 'true'
    outs:
      - data/splits: {cache: false}
  train:
    matrix:
      seed: [0, 1]
    cmd: 'true'
    deps: [data/splits]
plots:
  - reports/predictions/fusion.csv: {template: confusion, x: predicted, y: actual}
  - reports/curve.csv: {x: step, y: loss}
"""


def git(root: Path, *arguments: str) -> str:
    """Run Git in the repository."""
    done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def make_results_repository(root: Path) -> Path:
    """Make the repository, with all results committed."""
    shutil.copytree(ROOT / "reports", root / "reports", ignore=shutil.ignore_patterns("*.pdf", "index.html"))
    (root / "reports" / "curve.csv").write_text("step,loss\n0,1.5\n1,0.5\n")
    (root / "paper").mkdir()
    shutil.copy(ROOT / "paper" / "references.bib", root / "paper")
    shutil.copy(ROOT / "params.yaml", root)
    (root / "data" / "splits").mkdir(parents=True)
    (root / "data" / "splits" / "note.txt").write_text("none")
    (root / "dvc.yaml").write_text(_STAGES)
    (root / ".dvc").mkdir()
    (root / ".dvc" / "config").write_text("[core]\n    analytics = false\n")
    (root / ".dvc" / ".gitignore").write_text("tmp\ncache\nconfig.local\n")
    git(root, "init", "--quiet")
    lock_results(root)
    git(root, "add", "--all")
    identity = ["-c", "user.name=test", "-c", "user.email=test@example.org"]
    git(root, *identity, "commit", "--quiet", "--message", "Reproduce")
    return root


def lock_results(root: Path) -> None:
    """Have dvc.lock hold what lies there."""
    # DVC looks for stages in the current folder.
    with chdir(root), Repo() as repo:
        repo.commit(force=True)


def read_lock(root: Path) -> dict[str, dict[str, str]]:
    """Digests of outputs by their paths, of each stage."""
    stages = yaml.safe_load((root / "dvc.lock").read_text(encoding="utf-8"))["stages"]
    return {name: {out["path"]: out["md5"] for out in entry.get("outs", ())} for name, entry in stages.items()}
