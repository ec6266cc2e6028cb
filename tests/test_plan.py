"""The published experiment in miniature: the profile, its plan and every stage, from servers on loopback."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from file_server import FileServer, serving
from hub import LocalHub, make_noise
from safetensors.numpy import load_file
from test_pretrained import write_published

from fusionseq.artifacts import read_json, read_subsets
from fusionseq.catalog import BACKBONES
from fusionseq.models.weights import build_pretrained
from fusionseq.params import read_params
from fusionseq.paths import Paths
from fusionseq.plan import main as plan
from fusionseq.profile import apply_profile
from fusionseq.shard_files import ShardedArray
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

ROOT = Path(__file__).parent.parent
NAME = "Bingsu/Cat_and_Dog"
# test_equivalence.py trains at the size of the published experiment.
IMAGE_SIZE = 64
FEW = (
    f"image_size={IMAGE_SIZE}",
    "seeds=[0]",
    "training.frozen.epochs=1",
    "training.fine_tuning.epochs=1",
    "split.near_duplicates=null",
)


@pytest.fixture(scope="module")
def hub() -> Iterator[LocalHub]:
    with LocalHub() as hub:
        hub.publish(NAME, make_noise())
        yield hub


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FileServer]:
    """The embedded weights, laid out as the published files are: the true architectures, with other numbers."""
    tensors = load_file(ROOT / "pretraining" / "backbones.safetensors")
    files = {}
    for name in ("mobilenetv2", "vgg16"):
        backbone = BACKBONES[name]
        path = tmp_path_factory.mktemp("weights") / f"{name}.h5"
        write_published(path, build_pretrained(name, tensors))
        files[backbone.imagenet_file] = path.read_bytes()
    with serving(files) as server:
        yield server


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> Paths:
    root = tmp_path_factory.mktemp("paper")
    for name in ("paper", "pretraining", "profiles"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("report.*f", "scratch"))
    for name in ("requirements.txt", "requirements-gpu.txt"):
        shutil.copy(ROOT / name, root / name)
    default = (ROOT / "profiles" / "default.yaml").read_text(encoding="utf-8")
    # Two models say all of a plan.
    text = apply_profile(default, default, ["controls=[]", "ensemble=[]"])
    (root / "params.yaml").write_text(text, encoding="utf-8")
    (root / "src").mkdir()
    (root / "src" / "code.py").write_text("", encoding="utf-8")
    (root / "benchmarks").mkdir()
    shutil.copy(Path(__file__).parent / "benchmark.json", root / "benchmarks" / "results.json")
    return Paths(root)


def run(paths: Paths, hub: LocalHub, module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src"), "HF_ENDPOINT": hub.endpoint}
    command = [sys.executable, "-m", f"fusionseq.{module}", *arguments]
    return subprocess.run(command, cwd=paths.root, env=environment, capture_output=True, text=True, check=False)


def read_files(paths: Paths) -> dict[Path, bytes]:
    """All files but the cache of downloads."""
    files = (path for path in paths.root.rglob("*") if path.is_file() and not path.is_relative_to(paths.scratch))
    return {path: path.read_bytes() for path in files}


# The tests run in this order.


def test_plan_tells_what_the_published_experiment_takes_and_stops(
    paths: Paths, hub: LocalHub, weights: FileServer
) -> None:
    before = read_files(paths)
    done = run(paths, hub, "plan", "paper", f"weights.address={weights.address}", *FEW)
    assert (done.returncode, done.stderr.count("error:")) == (0, 0), done.stderr
    revision, card, *lines = done.stdout.splitlines()
    assert card.startswith(f"download: {NAME}, README.md")
    assert re.fullmatch(f"data.revision: main of {NAME} is the commit [0-9a-f]{{40}}", revision)
    size = sum(len(content) for name, content in make_noise().items() if name.endswith(".parquet"))
    size += sum(len(content) for content in weights.files.values())
    assert lines[0] == f"To download: {size / 1e6:.3g} MB"
    listed = [line.strip() for line in lines if line.startswith("  ")]
    assert any(line.startswith(f"{NAME}: data/train-00000-of-00001.parquet: ") for line in listed)
    assert any(line.startswith("VGG16, pretrained on ImageNet: 58.9 MB") for line in listed)
    assert "Images: 60" in lines
    assert any(re.fullmatch(r"Disk: .*B of .*B", line) for line in lines)
    assert any(
        re.fullmatch(r"Time: \d.* or more of computing on this machine, beside the starts of stages, for .*", line)
        for line in lines
    )
    assert read_files(paths) == before


def test_plan_of_what_cannot_be_reached_is_one_line(paths: Paths, hub: LocalHub) -> None:
    done = run(paths, hub, "plan", "paper", "weights.address=http://127.0.0.1:9/none", *FEW)
    assert done.returncode == 1
    assert re.search(r"^error: http://127\.0\.0\.1:9/none/\S+ does not tell its size", done.stderr, re.MULTILINE)
    assert "Traceback" not in done.stderr


def test_plan_of_the_default_needs_no_network(
    paths: Paths, hub: LocalHub, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    hub_requests = len(hub.requests)
    monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
    monkeypatch.chdir(paths.root)
    monkeypatch.setattr(sys, "argv", ["plan"])
    plan()
    assert capsys.readouterr().out.splitlines()[:2] == ["To download: 0 B", "Images: 1,797"]
    assert len(hub.requests) == hub_requests


def test_profile_pins_the_commit_that_the_branch_stands_for(paths: Paths, hub: LocalHub, weights: FileServer) -> None:
    done = run(paths, hub, "profile", "paper", f"weights.address={weights.address}", *FEW)
    assert done.returncode == 0, done.stderr
    params = read_params(paths.params)
    assert (params.weights.source, params.split.use) == ("imagenet", "source")
    assert re.fullmatch("[0-9a-f]{40}", params.data.model_dump()["revision"])


@pytest.mark.skipif(shutil.which("latexmk") is None, reason="latexmk is not installed")
def test_published_experiment_runs_whole(
    paths: Paths, hub: LocalHub, weights: FileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
    # The stand-ins have other digests than the one that Keras's source gives.
    monkeypatch.setitem(BACKBONES, "vgg16", replace(BACKBONES["vgg16"], imagenet_md5=None))
    params = read_params(paths.params)
    fetch(params, paths)
    backbones(params, paths)
    preprocess(params, paths)
    split(params, paths)
    subsets = read_subsets(paths.subsets)
    assert {name: len(subsets.rows(name)) for name in ("train", "validation", "test")}["test"] == 20
    assert ShardedArray(paths.processed).shape == (60, IMAGE_SIZE, IMAGE_SIZE, 3)
    features(params, paths)
    train_fusion(params, paths, 0)
    train_sequential(params, paths, 0)
    evaluate(params, paths)
    figures(params, paths)
    paper(params, paths)
    text = paths.report_source.read_text(encoding="utf-8")
    assert r"\texttt{Bingsu/Cat\_and\_Dog} on the Hugging Face hub" in text
    assert "The test subset is the one that the dataset came with" in text
    recorded = read_json(paths.checksums)
    assert {name.partition("/")[0] for name in recorded} == {"datasets", "keras-applications"}
    # All is here now, and no server is asked again.
    requests = len(hub.requests) + len(weights.requests)
    fetch(params, paths)
    backbones(params, paths)
    assert len(hub.requests) + len(weights.requests) == requests
