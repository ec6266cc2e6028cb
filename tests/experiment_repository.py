"""A Git repository of experiments: this project's committed results, and changed copies of them."""

import csv
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sklearn.metrics import accuracy_score, f1_score

from fusionseq.statistics import summarize
from fusionseq.tables import PREDICTION_COLUMNS

ROOT = Path(__file__).parent.parent
CLASSES = [str(digit) for digit in range(10)]

Row = dict[str, str]


class Repository:
    """Its working tree holds the committed results to begin with, as does its tag "base"."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / ".dvc").mkdir()
        (root / ".dvc" / "config").write_text("[core]\n    analytics = false\n")
        (root / "dvc.yaml").write_text("stages: {}\n")
        self.git("init", "--quiet", "--initial-branch", "main")
        # In the repository itself, since DVC commits its experiments, too, and a machine may know nobody's name.
        for key, value in (("user.name", "A"), ("user.email", "a@example.org"), ("commit.gpgsign", "false")):
            self.git("config", key, value)
        shutil.copytree(ROOT / "reports" / "predictions", root / "reports" / "predictions")
        shutil.copy(ROOT / "reports" / "statistics.json", root / "reports")
        shutil.copy(ROOT / "params.yaml", root)
        self.commit("base")

    def git(self, *arguments: str) -> str:
        done = subprocess.run(["git", *arguments], cwd=self.root, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def commit(self, tag: str) -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", tag)
        self.git("tag", tag)

    def restore(self) -> None:
        """Bring the files of "base" back."""
        self.git("checkout", "--quiet", "--force", "base")

    def plant(self, tag: str, change: Callable[[], object]) -> None:
        """Commit changed files under a tag, and bring those of "base" back."""
        change()
        self.commit(tag)
        self.restore()

    @property
    def statistics(self) -> Path:
        return self.root / "reports" / "statistics.json"

    @property
    def params(self) -> Path:
        return self.root / "params.yaml"

    def predictions(self, model: str) -> Path:
        return self.root / "reports" / "predictions" / f"{model}.csv"

    @property
    def models(self) -> list[str]:
        return list(self.read_statistics()["models"])

    def read_statistics(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads(self.statistics.read_text(encoding="utf-8"))
        return content

    def write_statistics(self, content: object) -> None:
        self.statistics.write_text(json.dumps(content), encoding="utf-8")

    def read_rows(self, model: str) -> list[Row]:
        with self.predictions(model).open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    def write_rows(self, model: str, rows: list[Row]) -> None:
        """Replace the predictions of a model, and its metrics by those of the new ones; the loss stays."""
        with self.predictions(model).open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, PREDICTION_COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
        per_seed = []
        for seed in dict.fromkeys(row["seed"] for row in rows):
            actual, predicted = zip(
                *((row["actual"], row["predicted"]) for row in rows if row["seed"] == seed), strict=True
            )
            macro_f1 = f1_score(actual, predicted, labels=CLASSES, average="macro", zero_division=0.0)
            accuracy = accuracy_score(actual, predicted)
            per_seed.append({"seed": int(seed), "accuracy": float(accuracy), "macro_f1": float(macro_f1)})
        content = self.read_statistics()
        content["models"][model]["per_seed"] = per_seed
        for metric in ("accuracy", "macro_f1"):
            content["models"][model][metric] = summarize([row[metric] for row in per_seed])
        content["seeds"] = [row["seed"] for row in per_seed]
        self.write_statistics(content)

    def turn_wrong(self, model: str, num_images: int, seeds: tuple[str, ...]) -> None:
        """Make the first images that a model has right with every seed wrong with some seeds."""
        rows = self.read_rows(model)
        wrong = {row["image"] for row in rows if row["predicted"] != row["actual"]}
        images = [image for image in dict.fromkeys(row["image"] for row in rows) if image not in wrong][:num_images]
        for row in rows:
            if row["image"] in images and row["seed"] in seeds:
                row["predicted"] = str((int(row["actual"]) + 1) % 10)
        self.write_rows(model, rows)

    def map_rows(self, change: Callable[[Row], Row | None]) -> None:
        """Change or leave out rows of all models alike."""
        for model in self.models:
            rows = [changed for row in self.read_rows(model) if (changed := change(row)) is not None]
            self.write_rows(model, rows)
