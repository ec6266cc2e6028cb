"""A person's own images through every stage: hostile names, odd and broken files, a paper at the end."""

import re
import shutil
import unicodedata
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image
from pypdf import PdfReader

from fusionseq.artifacts import read_json, read_subsets, read_table
from fusionseq.errors import BadImageError, PipelineError
from fusionseq.params import Params, validate_params
from fusionseq.paths import Paths
from fusionseq.processed_images import ProcessedImages
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
CLASSES = ("50%_off & more", r"{x}^2 \input", "naïve 猫")
PER_CLASS = 8
needs_latex = pytest.mark.skipif(shutil.which("latexmk") is None, reason="latexmk is not installed")


def draw(seed: int, image_format: str = "PNG", size: tuple[int, int] = (60, 40)) -> bytes:
    """A smooth random picture."""
    small = np.random.default_rng(seed).integers(0, 256, (4, 6, 3), dtype=np.uint8)
    content = BytesIO()
    Image.fromarray(small).resize(size, Image.Resampling.BICUBIC).save(content, image_format)
    return content.getvalue()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three classes with good, odd and broken images."""
    folder = tmp_path_factory.mktemp("images") / "my {photos} #1 ~ 50%"
    for label, name in enumerate(CLASSES):
        (folder / name).mkdir(parents=True)
        for row in range(PER_CLASS):
            image_format = ("PNG", "JPEG", "WEBP", "GIF")[row % 4]
            (folder / name / f"{row} % & ü.{image_format.lower()}").write_bytes(draw(100 * label + row, image_format))
    # The same picture, smaller and in another format.
    (folder / CLASSES[0] / "near.jpg").write_bytes(draw(0, "JPEG", (48, 32)))
    (folder / CLASSES[1] / "copy.png").write_bytes((folder / CLASSES[1] / "0 % & ü.png").read_bytes())
    (folder / CLASSES[2] / "empty.jpg").write_bytes(b"")
    (folder / CLASSES[2] / "notes.txt").write_text("no image", encoding="utf-8")
    (folder / CLASSES[2] / "cut.png").write_bytes(draw(7)[:300])
    return folder


@pytest.fixture(scope="module")
def params(folder: Path) -> Params:
    content = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    content["data"] = {"source": "imagefolder", "path": str(folder), "labels": None, "on_bad_image": "skip"}
    content["split"] |= {"train": 0.5, "validation": 0.25, "test": 0.25, "near_duplicates": 8}
    content["image_size"] = 32
    content["training"]["frozen"]["epochs"] = 1
    content["training"]["fine_tuning"]["epochs"] = 1
    content["seeds"] = [0]
    content["controls"] = ["vgg16"]
    return validate_params(content, "params.yaml")


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> Paths:
    root = tmp_path_factory.mktemp("own")
    for name in ("paper", "pretraining"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("report.*f", "scratch"))
    for file in ("params.yaml", "requirements.txt", "requirements-gpu.txt"):
        shutil.copy(ROOT / file, root / file)
    (root / "src").mkdir()
    (root / "src" / "code.py").write_text("", encoding="utf-8")
    (root / "benchmarks").mkdir()
    shutil.copy(Path(__file__).parent / "benchmark.json", root / "benchmarks" / "results.json")
    return Paths(root)


# The tests run in this order, each on what the ones before it wrote.


def test_images_that_cannot_be_decoded_are_left_out_and_told(params: Params, paths: Paths) -> None:
    fetch(params, paths)
    preprocess(params, paths)
    images = ProcessedImages.read(paths.processed.parent)
    assert images.class_names == tuple(sorted(CLASSES))
    assert len(images.names) == 3 * PER_CLASS + 2
    assert len(ShardedArray(paths.processed)) == 3 * PER_CLASS + 2
    reasons = {row["image"]: row["reason"] for row in read_table(paths.skipped)}
    assert set(reasons) == {f"{CLASSES[2]}/{name}" for name in ("empty.jpg", "notes.txt", "cut.png")}
    assert reasons[f"{CLASSES[2]}/empty.jpg"] == "empty file"


def test_a_bad_image_is_named_where_none_may_be_left_out(params: Params, paths: Paths, tmp_path: Path) -> None:
    strict = params.model_copy(update={"data": params.data.model_copy(update={"on_bad_image": "error"})})
    elsewhere = Paths(tmp_path)
    fetch(strict, elsewhere)
    with pytest.raises(BadImageError, match=r"^naïve 猫/(cut\.png|empty\.jpg|notes\.txt): is not an image") as caught:
        preprocess(strict, elsewhere)
    assert "\n" not in str(caught.value)


def test_near_and_exact_duplicates_stay_in_one_subset(params: Params, paths: Paths) -> None:
    split(params, paths)
    subsets = read_subsets(paths.subsets)
    subset = dict(zip(subsets.names, subsets.subset, strict=True))
    assert subset[f"{CLASSES[0]}/near.jpg"] == subset[f"{CLASSES[0]}/0 % & ü.png"]
    assert subset[f"{CLASSES[1]}/copy.png"] == subset[f"{CLASSES[1]}/0 % & ü.png"]
    counts = read_json(paths.duplicates)
    assert (counts["groups"], counts["images_in_groups"], counts["identical_files"]) == (2, 4, 1)


def test_a_class_that_is_too_small_is_named(params: Params, paths: Paths, folder: Path, tmp_path: Path) -> None:
    small = tmp_path / "small"
    shutil.copytree(folder, small)
    for path in sorted((small / CLASSES[0]).iterdir())[3:]:
        path.unlink()
    elsewhere = Paths(tmp_path / "root")
    reduced = params.model_copy(update={"data": params.data.model_copy(update={"path": str(small)})})
    fetch(reduced, elsewhere)
    preprocess(reduced, elsewhere)
    with pytest.raises(PipelineError, match="class '50%_off & more' has 3 different images, too few for the split"):
        split(reduced, elsewhere)


@needs_latex
def test_every_stage_runs_and_the_paper_spells_the_classes(params: Params, paths: Paths) -> None:
    backbones(params, paths)
    features(params, paths)
    train_fusion(params, paths, 0)
    train_sequential(params, paths, 0)
    train_controls(params, paths, "vgg16", 0)
    evaluate(params, paths)
    figures(params, paths)
    paper(params, paths)
    predictions = read_table(paths.predictions("fusion"))
    assert {row["actual"] for row in predictions} == set(CLASSES)
    assert set(CLASSES) < set(read_table(paths.probabilities("fusion"))[0])
    text = " ".join(page.extract_text() for page in PdfReader(paths.report).pages)
    text = re.sub(r"\s+", " ", unicodedata.normalize("NFKC", text).replace("-\n", ""))
    assert "three files that could not be read or decoded" in text
    assert "four images form two groups of such duplicates" in text
    drawn = " ".join(page.extract_text() for page in PdfReader(paths.figures / "confusion_matrices.pdf").pages)
    for name in ("50%_off & more", r"{x}^2 \input", "naïve [U+732B]"):
        assert name in drawn
    # The table of subsets names the smallest and the largest class.
    assert any(name in text for name in ("(50%_off & more)", r"({x}^2 \input)", "[U+732B]"))


def test_mutated_files_never_crash_a_run_and_are_all_accounted_for(params: Params, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    originals = [draw(seed, kind) for seed, kind in enumerate(("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF"))]
    images = tmp_path / "images"
    for row in range(500):
        content = bytearray(originals[row % len(originals)])
        for place in rng.integers(0, len(content), rng.integers(1, 20)):
            content[place] ^= 1 << rng.integers(8)
        if row % 3 == 0:
            del content[rng.integers(1, len(content)) :]
        path = images / f"class {row % 2}" / f"{row:03d}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    mutated = params.model_copy(update={"data": params.data.model_copy(update={"path": str(images)})})
    paths = Paths(tmp_path / "root")
    fetch(mutated, paths)
    preprocess(mutated, paths)
    kept, skipped = ProcessedImages.read(paths.processed.parent).names, read_table(paths.skipped)
    assert len(kept) + len(skipped) == 500
    assert len(kept) > 50
    assert len(skipped) > 50
    assert set(kept).isdisjoint(row["image"] for row in skipped)
    assert all(row["reason"] and "\n" not in row["reason"] for row in skipped)
