import hashlib
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from checkout_files import STRANGE_NAMES, write_checkout
from conftest import IMAGE_SIZE, Experiment, Trained
from numpy.typing import NDArray
from sharded import write_shards

from fusionseq.artifacts import read_table
from fusionseq.checkout import find_provenance, read_matching_params, read_results, read_rows, read_test_images
from fusionseq.errors import PipelineError
from fusionseq.forward import compute_batch
from fusionseq.model_files import ModelCard, read_card
from fusionseq.paths import Paths


@pytest.fixture(scope="module")
def made(experiment: Experiment, trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("checkout")
    card = replace(trained.card, class_names=STRANGE_NAMES)
    write_checkout(root, trained.model, card, experiment, compute_batch(trained.model, experiment.images))
    return root


@pytest.fixture
def paths(made: Path, tmp_path: Path) -> Paths:
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    return Paths(tmp_path)


@pytest.fixture
def card(paths: Paths) -> ModelCard:
    return read_card(paths.model("sequential", 0))


def read_history(paths: Paths) -> list[dict[str, str]]:
    return read_table(paths.model("sequential", 0) / "history.csv")


def test_test_images_come_in_batches(paths: Paths, card: ModelCard, images: NDArray[np.uint8]) -> None:
    batches = list(read_test_images(paths, card, 3))
    assert [len(batch) for batch in batches] == [3]
    np.testing.assert_array_equal(np.concatenate(batches), images[[9, 14, 19]])
    assert [len(batch) for batch in read_test_images(paths, card, 2)] == [2, 1]


def remove_images(paths: Paths) -> None:
    shutil.rmtree(paths.processed)


def find_last(paths: Paths) -> Path:
    return sorted(paths.processed.iterdir())[-1]


def remove_shard(paths: Paths) -> None:
    find_last(paths).unlink()


def remove_shards(paths: Paths) -> None:
    for path in paths.processed.iterdir():
        path.unlink()


def damage_subsets(paths: Paths) -> None:
    paths.subsets.write_text("image,label\na,b\n")


def cut_subsets(paths: Paths) -> None:
    paths.subsets.write_bytes(b"image,label,class,subset\na,0,x,train\nb")


def shorten_images(paths: Paths) -> None:
    last = find_last(paths)
    np.save(last, np.load(last)[:-1])


def enlarge_images(paths: Paths) -> None:
    write_shards(paths.processed, np.zeros((20, IMAGE_SIZE + 1, IMAGE_SIZE + 1, 3), dtype=np.uint8), 8, 15)


def cut_file(paths: Paths) -> None:
    last = find_last(paths)
    last.write_bytes(last.read_bytes()[:-1])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (remove_images, "data/splits and data/processed are not here; name images after --images"),
        (damage_subsets, "data/splits is damaged; name images after --images"),
        (cut_subsets, "data/splits is damaged; name images after --images"),
        (shorten_images, "are not of the model's size and classes; name images after --images"),
        (enlarge_images, "are not of the model's size and classes; name images after --images"),
        (remove_shard, "are not of the model's size and classes; name images after --images"),
        (remove_shards, "holds no array"),
        (cut_file, "000002.npy is damaged"),
    ],
)
def test_other_test_images_are_refused(
    paths: Paths, card: ModelCard, change: Callable[[Paths], None], message: str
) -> None:
    change(paths)
    with pytest.raises(PipelineError, match=message):
        read_test_images(paths, card, 3)


def test_test_images_of_other_classes_are_refused(paths: Paths, card: ModelCard) -> None:
    with pytest.raises(PipelineError, match="not of the model's size and classes"):
        read_test_images(paths, replace(card, class_names=("a", "b", "c")), 3)


def test_results_are_those_of_the_reports(paths: Paths, card: ModelCard) -> None:
    results = read_results(paths, card, read_history(paths))
    assert results is not None
    assert [one.name for one in results.classes] == list(STRANGE_NAMES)
    assert results.num_test == 3


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"seed\n\x00\n"])
def test_damaged_reports_are_no_results(
    paths: Paths, card: ModelCard, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    history = read_history(paths)
    paths.history("sequential").write_bytes(content)
    with caplog.at_level("INFO", logger="fusionseq"):
        assert read_results(paths, card, history) is None
    (line,) = caplog.messages
    assert line.startswith("the model card gets no results: ")


def test_a_damaged_table_is_one_error(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(b"\xff\xfe")
    with pytest.raises(PipelineError, match=r"t\.csv is damaged"):
        read_rows(tmp_path / "t.csv")


@pytest.mark.parametrize(
    ("section", "is_same"),
    [({}, True), ({"image_size": 64}, False), ({"seeds": [5]}, False), ({"head": {"units": 1, "dropout": 0.5}}, False)],
)
def test_choices_must_be_those_of_the_model(
    paths: Paths, card: ModelCard, section: dict[str, Any], is_same: bool
) -> None:
    content = yaml.safe_load(paths.params.read_text(encoding="utf-8")) | section
    paths.params.write_text(yaml.safe_dump(content), encoding="utf-8")
    assert (read_matching_params(paths, card) is not None) is is_same


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [("split", "seed", 5), ("training", "batch_size", 7), ("data", "images_per_class", 5)],
)
def test_choices_that_were_edited_since_are_not_those_of_the_model(
    paths: Paths, card: ModelCard, section: str, key: str, value: int
) -> None:
    content = yaml.safe_load(paths.params.read_text(encoding="utf-8"))
    assert content[section][key] != value
    content[section][key] = value
    paths.params.write_text(yaml.safe_dump(content), encoding="utf-8")
    assert read_matching_params(paths, card) is None


def test_another_learning_rate_is_not_that_of_the_model(paths: Paths, card: ModelCard) -> None:
    content = yaml.safe_load(paths.params.read_text(encoding="utf-8"))
    content["training"]["frozen"]["learning_rate"] *= 2
    paths.params.write_text(yaml.safe_dump(content), encoding="utf-8")
    assert read_matching_params(paths, card) is None


@pytest.mark.parametrize(
    "lock", [None, "", "a: [", "stages: 1", "stages: {fetch: {}}", "stages: {fetch: 1}", "stages: []"]
)
def test_no_choices_are_known_without_a_lock(paths: Paths, card: ModelCard, lock: str | None) -> None:
    if lock is None:
        paths.lock.unlink()
    else:
        paths.lock.write_text(lock, encoding="utf-8")
    assert read_matching_params(paths, card) is None


@pytest.mark.parametrize("stage", ["fetch", "backbones", "split", "train_sequential@0"])
def test_no_choices_are_known_where_a_stage_is_not_in_the_lock(paths: Paths, card: ModelCard, stage: str) -> None:
    lock = yaml.safe_load(paths.lock.read_text(encoding="utf-8"))
    del lock["stages"][stage]
    paths.lock.write_text(yaml.safe_dump(lock), encoding="utf-8")
    assert read_matching_params(paths, card) is None


def test_no_choices_are_known_without_their_file(paths: Paths, card: ModelCard) -> None:
    paths.params.unlink()
    assert read_matching_params(paths, card) is None


def test_provenance_tells_commit_and_digests(paths: Paths, tmp_path: Path) -> None:
    trained, exported = paths.model("sequential", 0), tmp_path / "exported"
    (exported / "deep").mkdir(parents=True)
    (exported / "deep" / "b").write_bytes(b"b")
    (exported / "a").write_bytes(b"aa")
    outside = find_provenance(paths, trained, exported, {})
    assert (outside.commit, outside.code) == (None, None)
    assert [(file.name, file.size, file.sha256) for file in outside.exported] == [
        ("a", 2, hashlib.sha256(b"aa").hexdigest()),
        ("deep/b", 1, hashlib.sha256(b"b").hexdigest()),
    ]
    assert [file.name for file in outside.trained] == ["model.json", "model.weights.h5"]

    def git(*arguments: str) -> str:
        identity = ["-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
        command = ["git", *identity, *arguments]
        return subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True).stdout.strip()

    git("init", "--quiet")
    git("add", "params.yaml")
    git("commit", "--quiet", "--message", "x")
    (tmp_path / ".gitignore").write_text("*\n")
    inside = find_provenance(paths, trained, exported, {})
    assert (inside.commit, inside.num_changes) == (git("rev-parse", "HEAD"), 0)
    paths.params.write_text("changed")
    assert find_provenance(paths, trained, exported, {}).num_changes == 1
