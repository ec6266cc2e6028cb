from pathlib import Path

import pytest
import yaml

from fusionseq.errors import PipelineError
from fusionseq.paths import Paths
from fusionseq.tidy import tidy


def make_tree(root: Path) -> Paths:
    paths = Paths(root)
    for seed in (0, 1, 12):
        paths.model("fusion", seed).mkdir(parents=True)
    paths.model("stacked", 12).mkdir(parents=True)
    names = [*(f"train_fusion@{seed}" for seed in (0, 1, 12)), "train_controls@stacked-12", "evaluate"]
    stages = {name: {"cmd": "x"} for name in names}
    paths.lock.write_text(yaml.safe_dump({"schema": "2.0", "stages": stages}), encoding="utf-8")
    return paths


def test_other_seeds_and_models_are_removed_from_folder_and_lock(tmp_path: Path) -> None:
    paths = make_tree(tmp_path)
    removed = tidy(["fusion", "vgg16"], [0, 12], paths)
    assert removed == ["data/models/fusion/1", "data/models/stacked/12", "train_controls@stacked-12", "train_fusion@1"]
    assert [path.name for path in paths.models.iterdir()] == ["fusion"]
    assert sorted(path.name for path in (paths.models / "fusion").iterdir()) == ["0", "12"]
    lock = yaml.safe_load(paths.lock.read_text(encoding="utf-8"))
    assert set(lock["stages"]) == {"train_fusion@0", "train_fusion@12", "evaluate"}


def test_files_that_a_person_put_there_stay(tmp_path: Path) -> None:
    paths = make_tree(tmp_path)
    notes = [paths.models / "notes.txt", paths.models / "stacked" / "notes.txt", paths.models / "fusion" / ".DS_Store"]
    for path in notes:
        path.write_text("mine", encoding="utf-8")
    assert "data/models/stacked/12" in tidy(["fusion"], [0], paths)
    assert all(path.read_text(encoding="utf-8") == "mine" for path in notes)


def test_nothing_to_remove_leaves_the_lock_as_it_is(tmp_path: Path) -> None:
    paths = make_tree(tmp_path)
    tidy(["fusion", "stacked"], [0, 1, 12], paths)
    before = paths.lock.read_bytes()
    assert tidy(["fusion", "stacked"], [0, 1, 12], paths) == []
    assert paths.lock.read_bytes() == before


def test_a_fresh_clone_needs_no_models_and_no_lock(tmp_path: Path) -> None:
    assert tidy(["fusion"], [0], Paths(tmp_path)) == []


@pytest.mark.parametrize("content", ["<<<<<<< HEAD\na: 1\n=======\n", "x", "- 1"])
def test_a_damaged_lock_is_one_error(tmp_path: Path, content: str) -> None:
    paths = Paths(tmp_path)
    paths.lock.write_text(content, encoding="utf-8")
    with pytest.raises(PipelineError, match=r"dvc\.lock is damaged"):
        tidy(["fusion"], [0], paths)
