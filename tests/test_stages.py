"""Every stage, in a temporary folder, on a dozen images of 32 pixels with one epoch a phase."""

import json
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest
import yaml

from fusionseq.artifacts import read_json, read_subsets, read_table
from fusionseq.errors import PipelineError
from fusionseq.extract_shards import ExtractShards
from fusionseq.model_files import build_model, read_card, read_model_weights
from fusionseq.params import Params, validate_params
from fusionseq.paths import Paths
from fusionseq.processed_images import ProcessedImages
from fusionseq.raw_images import read_raw_images
from fusionseq.shard_files import ShardedArray
from fusionseq.stages.backbones import backbones
from fusionseq.stages.evaluate import evaluate
from fusionseq.stages.features import features
from fusionseq.stages.fetch import fetch
from fusionseq.stages.figures import figures
from fusionseq.stages.paper import paper
from fusionseq.stages.preprocess import preprocess
from fusionseq.stages.split import split
from fusionseq.stages.train_controls import train_controls
from fusionseq.stages.train_fusion import train_fusion
from fusionseq.stages.train_sequential import train_sequential

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def params() -> Params:
    content = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    content["data"] |= {"num_classes": 2, "images_per_class": 6}
    content["split"] |= {"train": 0.5, "validation": 0.25, "test": 0.25}
    content["image_size"] = 32
    content["training"]["batch_size"] = 4
    content["training"]["frozen"]["epochs"] = 1
    content["training"]["fine_tuning"]["epochs"] = 1
    content["seeds"] = [3, 5]
    content |= {"controls": ["stacked"], "ensemble": ["fusion", "sequential"]}
    return validate_params(content, "params.yaml")


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> Paths:
    root = tmp_path_factory.mktemp("stages")
    for folder in ("paper", "pretraining", "src"):
        shutil.copytree(
            ROOT / folder, root / folder, ignore=shutil.ignore_patterns("report.*f", "__pycache__", "scratch")
        )
    for file in ("params.yaml", "requirements.txt", "requirements-gpu.txt"):
        shutil.copy(ROOT / file, root / file)
    (root / "benchmarks").mkdir()
    shutil.copy(Path(__file__).parent / "benchmark.json", root / "benchmarks" / "results.json")
    return Paths(root)


# The tests run in this order, each stage on what the ones before it wrote.


def test_fetch(params: Params, paths: Paths) -> None:
    fetch(params, paths)
    raw = list(read_raw_images(paths.raw))
    assert read_json(paths.raw / "classes.json") == ["0", "1"]
    assert np.bincount([image.label for image in raw]).tolist() == [6, 6]
    assert all(image.content.startswith(b"\x89PNG") for image in raw)
    assert read_json(paths.raw / "manifest.json") == {"origin": {"source": "digits"}, "skipped": []}


def test_backbones(params: Params, paths: Paths) -> None:
    backbones(params, paths)
    assert {path.name for path in paths.backbones.iterdir()} == {
        "mobilenetv2.weights.h5",
        "record.json",
        "vgg16.weights.h5",
    }
    wrong = params.model_copy(update={"weights": params.weights.model_copy(update={"sha256": "0" * 64})})
    with pytest.raises(PipelineError, match="sha256"):
        backbones(wrong, paths)


def test_preprocess(params: Params, paths: Paths) -> None:
    preprocess(params, paths)
    assert ShardedArray(paths.processed).shape == (12, 32, 32, 3)
    images = ShardedArray(paths.processed)[:]
    assert images.dtype == np.uint8
    # Grey images, with ink and background.
    assert (images[..., 0] == images[..., 2]).all()
    assert images.min() < 20
    assert images.max() > 200
    assert ProcessedImages.read(paths.processed.parent).names == tuple(
        image.name for image in read_raw_images(paths.raw)
    )
    assert read_table(paths.processed.parent / "skipped.csv") == []


def test_split(params: Params, paths: Paths) -> None:
    split(params, paths)
    subsets = read_subsets(paths.subsets)
    assert [len(subsets.rows(name)) for name in ("train", "validation", "test")] == [6, 3, 3]
    assert read_json(paths.duplicates)["excluded"] == 0


def test_features(params: Params, paths: Paths) -> None:
    features(params, paths)
    folders = sorted({path.parent for path in paths.features.rglob("*.npy")})
    stored = {path.relative_to(paths.features).as_posix(): ShardedArray(path) for path in folders}
    assert {name: values.shape for name, values in stored.items()} == {
        "mobilenetv2/cut": (12, 2, 2, 96),
        "mobilenetv2/pooled": (12, 1280),
        "stacked/cut": (12, 4, 4, 256),
        "vgg16/cut": (12, 2, 2, 512),
        "vgg16/pooled": (12, 512),
    }
    for values in stored.values():
        assert np.isfinite(values[:]).all()
        # Pretrained features tell images apart.
        assert values[:].reshape(12, -1).std(axis=0).max() > 0


def read_probabilities(paths: Paths, name: str, seed: int) -> np.ndarray:
    rows = [row for row in read_table(paths.probabilities(name)) if row["seed"] == str(seed)]
    return np.array([[row["0"], row["1"]] for row in rows], dtype=np.float32)


@pytest.mark.parametrize("seed", [3, 5])
def test_train_fusion(params: Params, paths: Paths, seed: int) -> None:
    train_fusion(params, paths, seed)
    folder = paths.model("fusion", seed)
    assert {path.name for path in folder.iterdir()} == {"history.csv", "live", "model.json", "model.weights.h5"}
    history = read_table(folder / "history.csv")
    assert [row["phase"] for row in history] == ["frozen", "fine-tuning"]
    live = read_json(folder / "live" / "metrics.json")
    assert (live["step"], str(live["validation"]["loss"])) == (2, history[-1]["validation_loss"])
    assert read_json(folder / "model.json")["parameters"]["hidden"] == 459_008
    assert not any(paths.scratch.glob("*")), "progress is forgotten once the model is written"


@pytest.mark.parametrize("seed", [3, 5])
def test_train_sequential(params: Params, paths: Paths, seed: int) -> None:
    train_sequential(params, paths, seed)
    content = read_json(paths.model("sequential", seed) / "model.json")
    assert content["parameters"]["hidden"] == 327_936
    assert content["first_trained_layer"] == {"mobilenetv2": "block_13_expand"}


@pytest.mark.parametrize("seed", [3, 5])
def test_train_controls(params: Params, paths: Paths, seed: int) -> None:
    train_controls(params, paths, "stacked", seed)
    content = read_json(paths.model("stacked", seed) / "model.json")
    assert content["layers"][1] == {"part": "Adapter", "output": "4 × 4 × 32", "parameters": 256 * 32 + 32}
    assert [row["seed"] for row in read_table(paths.model("stacked", seed) / "history.csv")] == [str(seed)] * 2


def test_pipeline_shows_the_curves_of_the_first_seed(params: Params, paths: Paths) -> None:
    content = (ROOT / "dvc.yaml").read_text(encoding="utf-8").replace("${seeds[0]}", str(params.seeds[0]))
    pipeline = yaml.safe_load(content)
    logged = {path.relative_to(paths.root).as_posix() for path in paths.models.glob(f"*/{params.seeds[0]}/live/**/*.*")}
    shown = {entry for entry in pipeline["metrics"] if "/live/" in entry}
    for entry in pipeline["plots"]:
        (settings,) = entry.values()
        for path, column in settings["y"].items() if isinstance(settings["y"], dict) else ():
            header = (paths.root / path).read_text(encoding="utf-8").splitlines()[0]
            assert header.split("\t") == [settings["x"], column]
            shown.add(path)
    assert shown == {path for path in logged if "/stacked/" not in path}


def test_evaluate(params: Params, paths: Paths) -> None:
    evaluate(params, paths)
    metrics = read_json(paths.metrics)
    assert list(metrics) == ["fusion", "sequential", "stacked", "ensemble"]
    assert all(set(summary) == {"mean", "std"} for of_model in metrics.values() for summary in of_model.values())
    rows = read_table(paths.predictions("fusion"))
    assert list(rows[0]) == ["image", "seed", "actual", "predicted"]
    assert [row["seed"] for row in rows] == ["3"] * 3 + ["5"] * 3
    assert b"\r" not in paths.predictions("fusion").read_bytes()

    # The accuracy is that of the predictions, and these are those of the whole model on pixels.
    subsets = read_subsets(paths.subsets)
    images = ShardedArray(paths.processed)[subsets.rows("test")]
    right = [row["actual"] == row["predicted"] for row in rows]
    assert metrics["fusion"]["accuracy"]["mean"] == pytest.approx(np.mean(right))
    for name in params.models:
        folder = paths.model(name, 5)
        model = build_model(read_card(folder))
        read_model_weights(folder, model)
        # On some processors, batches of another size have other last bits.
        np.testing.assert_allclose(model.predict(images, verbose=0), read_probabilities(paths, name, 5), rtol=1e-5)
        keras.backend.clear_session()
    of_members = [read_probabilities(paths, name, 5) for name in params.ensemble]
    np.testing.assert_allclose(read_probabilities(paths, "ensemble", 5), np.mean(of_members, axis=0), rtol=1e-6)


def test_images_that_are_not_stored_train_and_evaluate_to_the_same(
    params: Params, paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Nothing is computed that is not stored.
    monkeypatch.delattr(ExtractShards, "open")
    streaming = params.model_copy(
        update={"features": params.features.model_copy(update={"mode": "streaming"}), "seeds": [5]}
    )
    for name in ("backbones", "processed", "splits"):
        shutil.copytree(paths.root / "data" / name, tmp_path / "data" / name)
    elsewhere = Paths(tmp_path)
    features(streaming, elsewhere)
    assert not list(elsewhere.features.rglob("*.npy"))
    train_fusion(streaming, elsewhere, 5)
    train_sequential(streaming, elsewhere, 5)
    train_controls(streaming, elsewhere, "stacked", 5)
    evaluate(streaming, elsewhere)
    for name in params.models:
        folder, other = paths.model(name, 5), elsewhere.model(name, 5)
        assert (other / "model.json").read_bytes() == (folder / "model.json").read_bytes()
        # To the last bit only where batches of every size have the same ones; training carries a difference on.
        for row, expected in zip(read_table(other / "history.csv"), read_table(folder / "history.csv"), strict=True):
            assert row.pop("phase") == expected.pop("phase")
            assert list(map(float, row.values())) == pytest.approx(list(map(float, expected.values())), rel=1e-4)
        np.testing.assert_allclose(
            read_probabilities(elsewhere, name, 5), read_probabilities(paths, name, 5), rtol=1e-3, atol=1e-5
        )


def test_figures(params: Params, paths: Paths) -> None:
    figures(params, paths)
    first = {path.name: path.read_bytes() for path in paths.figures.iterdir()}
    names = {
        "class_distribution",
        "class_f1",
        "confusion_matrices",
        "differences",
        "errors",
        "metric_comparison",
        "reliability",
        "samples",
        "training_curves",
    }
    assert set(first) == {f"{name}.{kind}" for name in names for kind in ("pdf", "png")}
    figures(params, paths)
    assert {path.name: path.read_bytes() for path in paths.figures.iterdir()} == first


def test_paper(params: Params, paths: Paths) -> None:
    paper(params, paths)
    first = paths.report.read_bytes()
    assert first.startswith(b"%PDF")
    accuracy = json.loads(paths.metrics.read_text(encoding="utf-8"))["fusion"]["accuracy"]["mean"]
    assert f"{100 * accuracy:.2f}" in paths.report_source.read_text(encoding="utf-8")
    paper(params, paths)
    assert paths.report.read_bytes() == first

    paths.benchmark.write_text("{}", encoding="utf-8")
    with pytest.raises(PipelineError, match="make bench"):
        paper(params, paths)
