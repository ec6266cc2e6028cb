"""The real `dvc repro`, in a temporary clone, on a dozen images of 32 pixels with one epoch a phase."""

import csv
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from dvc_session import Clone, open_session
from PIL import Image

from fusionseq.predict import main as predict

ROOT = Path(__file__).parent.parent


def run(clone: Clone, module: str, *arguments: str, expect: int = 0) -> str:
    command = [sys.executable, "-m", f"fusionseq.{module}", *arguments]
    environment = os.environ | {"PYTHONPATH": "src"}
    done = subprocess.run(command, cwd=clone.root, env=environment, check=False, capture_output=True, text=True)
    output = done.stdout + done.stderr
    assert done.returncode == expect, output
    return output


def stages_to_run(clone: Clone) -> list[str]:
    return re.findall(r"Running stage '([^']+)'", clone.dvc("repro", "--dry"))


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clone]:
    """Copy the working tree without results, and reduce its parameters."""
    place = tmp_path_factory.mktemp("clone")
    folder = place / "a place with spaces"
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).exists() and not name.startswith("reports/") and name != "dvc.lock":
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    content = yaml.safe_load((folder / "params.yaml").read_text(encoding="utf-8"))
    content["data"] |= {"num_classes": 2, "images_per_class": 6}
    content["split"] |= {"train": 0.5, "validation": 0.25, "test": 0.25}
    content["image_size"] = 32
    content["training"]["frozen"]["epochs"] = 1
    content["training"]["fine_tuning"]["epochs"] = 1
    content["seeds"] = [7]
    content["controls"] = ["vgg16"]
    (folder / "params.yaml").write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    with open_session(place) as session:
        clone = Clone(folder, session)
        clone.git("init", "--quiet")
        clone.name_author()
        clone.git("add", "--all")
        clone.git("commit", "--quiet", "--message", "Start")
        clone.dvc("repro")
        clone.git("add", "--all")
        clone.git("commit", "--quiet", "--message", "Reproduce")
        yield clone


def test_one_command_leads_to_the_paper(clone: Clone) -> None:
    assert (clone.root / "paper" / "report.pdf").read_bytes().startswith(b"%PDF")
    tracked = clone.git("ls-files", "reports", "data", ".scratch")
    assert "reports/metrics.json" in tracked
    assert "data/" not in tracked
    assert ".scratch" not in tracked
    assert clone.changes == []


def test_nothing_runs_where_nothing_changed(clone: Clone) -> None:
    assert stages_to_run(clone) == []


def test_an_edit_of_the_template_runs_the_paper_alone(clone: Clone) -> None:
    template = clone.root / "paper" / "report.tex.jinja"
    before = template.read_bytes()
    template.write_bytes(before + b"%% an edit\n")
    assert stages_to_run(clone) == ["paper"]
    template.write_bytes(before)


def test_a_new_benchmark_runs_the_paper_alone(clone: Clone) -> None:
    record = clone.root / "benchmarks" / "results.json"
    before = record.read_bytes()
    record.write_bytes(before + b"\n")
    assert stages_to_run(clone) == ["paper"]
    record.write_bytes(before)


def test_another_dropout_leaves_the_features_alone(clone: Clone) -> None:
    params = clone.root / "params.yaml"
    before = params.read_text(encoding="utf-8")
    params.write_text(before.replace("dropout: 0.5", "dropout: 0.3"), encoding="utf-8")
    assert params.read_text(encoding="utf-8") != before
    # The stages below are not named in a dry run: their inputs have not changed yet, only the paper's.
    stages = stages_to_run(clone)
    assert stages[:3] == ["train_fusion@7", "train_sequential@7", "train_controls@vgg16-7"]
    assert not {"fetch", "split", "preprocess", "backbones", "features"} & set(stages)
    params.write_text(before, encoding="utf-8")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("image_size: 32", "image_size: 32\nimgae_size: 32", "imgae_size is not a parameter"),
        ("block_13_expand", "block_13_expnad", "first_trained_layer.mobilenetv2 must be one of"),
        ("train: 0.5", "train: 0.6", "must be 1. Got 1.1"),
    ],
)
def test_bad_parameters_stop_a_stage_with_one_line(clone: Clone, old: str, new: str, message: str) -> None:
    params = clone.root / "params.yaml"
    before = params.read_text(encoding="utf-8")
    assert old in before
    params.write_text(before.replace(old, new), encoding="utf-8")
    output = run(clone, "stages.split", expect=1)
    assert re.fullmatch(r"error: params\.yaml: .*\n", output)
    assert message in output
    params.write_text(before, encoding="utf-8")
    assert clone.changes == []


def test_a_model_classifies_images_as_the_pipeline_does(clone: Clone, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = clone.root / "data" / "raw"
    with (raw / "images.csv").open(encoding="utf-8") as file:
        places = {row["image"]: (int(row["offset"]), int(row["size"])) for row in csv.DictReader(file)}
    content = (raw / "images.bin").read_bytes()
    with (clone.root / "reports" / "probabilities" / "fusion.csv").open(encoding="utf-8") as file:
        expected = {row["image"]: (row["0"], row["1"]) for row in csv.DictReader(file)}
    folder = clone.root / "digits"
    folder.mkdir()
    for name in expected:
        offset, size = places[name]
        (folder / name).write_bytes(content[offset : offset + size])
    monkeypatch.chdir(clone.root)
    monkeypatch.setattr(sys, "argv", ["predict", "data/models/fusion/7", "digits", "--output", "out.csv"])
    predict()
    with (clone.root / "out.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert {Path(row["image"]).name: (row["0"], row["1"]) for row in rows} == expected
    shutil.rmtree(folder)
    (clone.root / "out.csv").unlink()


def test_a_changed_folder_of_images_runs_from_the_fetch(clone: Clone, tmp_path: Path) -> None:
    folder = tmp_path / "my {photos} & #1 ~ 50%"
    for label in ("a", "b"):
        (folder / label).mkdir(parents=True)
        for row in range(6):
            Image.new("RGB", (20, 20), (40 * row, 100, 200 if label == "a" else 0)).save(folder / label / f"{row}.png")
    before = (clone.root / "params.yaml").read_text(encoding="utf-8")
    run(clone, "profile", "imagefolder", f"data.path={folder}", "image_size=32")
    clone.dvc("repro", "fetch")
    assert stages_to_run(clone)[0] == "preprocess"
    Image.new("RGB", (20, 20), "red").save(folder / "a" / "7.png")
    assert stages_to_run(clone)[0] == "fetch"
    clone.dvc("repro", "preprocess")
    assert "a/7.png" in (clone.root / "data" / "processed" / "images.csv").read_text(encoding="utf-8")
    (clone.root / "params.yaml").write_text(before, encoding="utf-8")
    clone.git("checkout", "dvc.lock")
