"""The README's own ten lines, in a copy of the project."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from conftest import THREADS
from test_paper import read_pdf

from fusionseq.artifacts import read_json
from fusionseq.paths import Paths

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("paper", "pretraining"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("report.*f", "scratch"))
    for name in ("requirements.txt", "requirements-gpu.txt"):
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / "benchmarks").mkdir()
    shutil.copy(ROOT / "tests" / "benchmark.json", tmp_path / "benchmarks" / "results.json")
    content = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    content["data"] |= {"num_classes": 2, "images_per_class": 6}
    content["split"] |= {"train": 0.5, "validation": 0.25, "test": 0.25}
    content |= {"image_size": 32, "seeds": [0], "controls": ["summed"], "ensemble": ["sequential", "summed"]}
    content["training"]["frozen"]["epochs"] = content["training"]["fine_tuning"]["epochs"] = 1
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    return tmp_path


def run_stages(folder: Path, *stages: str) -> None:
    """Run stages one after the other in one process, which imports the copy's code."""
    calls = "\n".join(
        f"from fusionseq.stages.{stage.split('(')[0]} import {stage.split('(')[0]}; {stage}" for stage in stages
    )
    code = f"""
from pathlib import Path
from fusionseq.params import read_params
from fusionseq.paths import Paths
from fusionseq.runtime import configure_runtime
configure_runtime({THREADS}, "float32", deterministic=True)
paths = Paths(Path.cwd())
params = read_params(paths.params)
{calls}
"""
    environment = os.environ | {"PYTHONPATH": "src"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env=environment, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif(shutil.which("latexmk") is None, reason="latexmk is not installed")
def test_ten_lines_of_the_readme_add_a_model(copy: Path) -> None:
    (block,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    (place,) = re.findall(r"as `(src/fusionseq/models/\w+\.py)`", README)
    (row,) = re.findall(r'`("\w+": Model\(.*\),)`', README)
    assert len([line for line in block.splitlines() if line]) + len([row, "controls"]) <= 10
    (copy / place).write_text(block, encoding="utf-8")
    catalog = copy / "src" / "fusionseq" / "model_catalog.py"
    before = catalog.read_text(encoding="utf-8")
    table = "MODELS: dict[str, Model] = {\n"
    catalog.write_text(before.replace(table, f"{table}    {row}\n"), encoding="utf-8")
    assert catalog.read_text(encoding="utf-8") != before
    run_stages(
        copy,
        *(f"{stage}(params, paths)" for stage in ("fetch", "backbones", "preprocess", "split", "features")),
        *(f"train_{name}(params, paths, 0)" for name in ("fusion", "sequential")),
        "train_controls(params, paths, 'summed', 0)",
        *(f"{stage}(params, paths)" for stage in ("evaluate", "figures", "paper")),
    )
    paths = Paths(copy)
    card = read_json(paths.model("summed", 0) / "model.json")
    # Two layers of 64 units behind 1280 and 512 features, and the head behind them: all trained in the frozen phase.
    head = 65 * 256 + 257 * 2
    assert card["parameters"]["trainable_frozen"] == 1281 * 64 + 513 * 64 + head
    statistics = read_json(paths.statistics)
    assert list(statistics["models"]) == ["fusion", "sequential", "summed", "ensemble"]
    assert statistics["models"]["summed"]["description"] == "MobileNetV2 and VGG16, summed"
    assert list(statistics["comparisons"]) == ["sequential", "summed", "ensemble"]
    assert "and the model Summed" in read_pdf(paths.report)
