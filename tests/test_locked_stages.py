import shutil
from pathlib import Path

import pytest
from small_repository import SmallRepository, copy_repository, make_repository

from fusionseq.errors import PipelineError
from fusionseq.locked_stages import describe_unwritable, read_pipeline

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> SmallRepository:
    return make_repository(tmp_path_factory.mktemp("original") / "repository")


def test_stages_are_those_of_dvc_with_the_digests_of_the_lock(original: SmallRepository) -> None:
    pipeline = read_pipeline(original.root / "data")
    assert pipeline.root == original.root
    fetch, score, draw = pipeline.stages
    assert [stage.name for stage in pipeline.stages] == ["fetch", "score", "draw"]
    assert fetch.commands[0].startswith("mkdir -p data/raw/deep")
    assert len(score.commands) == 2
    assert [pipeline.name(path) for path in score.dependencies] == ["data/raw", "params.yaml"]
    found = [(pipeline.name(output.path), output.digest, output.is_cached) for output in pipeline.outputs]
    assert found[1:3] == [
        ("data/x.bin", "9dd4e461268c8034f5c8564e155c67a6", True),  # md5 of "x"
        ("reports/table", found[2][1], False),
    ]
    assert all(digest in (original.root / "dvc.lock").read_text() for _, digest, _ in found)
    assert (pipeline.cache / "9d" / "d4e461268c8034f5c8564e155c67a6").read_text() == "x"
    assert pipeline.scratch.is_dir()
    assert pipeline.find_stages(["draw", "score"]) == [draw, score]


def test_the_stages_of_this_project_are_understood() -> None:
    pipeline = read_pipeline(ROOT)
    assert "pretraining/dvc.yaml:pretrain" in [stage.name for stage in pipeline.stages]
    evaluate, paper = pipeline.find_stages(["evaluate", "paper"])
    assert evaluate.commands == ("PYTHONPATH=src python -m fusionseq.stages.evaluate",)
    assert {pipeline.name(output.path) for output in paper.outputs} == {"paper/report.pdf", "paper/report.tex"}
    # What the library needs to run is copied because the paper depends on it as a whole.
    assert ROOT / "src" in paper.dependencies


def test_files_that_dvc_ignores_are_not_listed(original: SmallRepository, tmp_path: Path) -> None:
    repository = copy_repository(original, tmp_path / "copy")
    (repository.root / ".dvcignore").write_text("*.pyc\n")
    (repository.root / "data" / "raw" / "a.pyc").touch()
    pipeline = read_pipeline(repository.root)
    raw = repository.root / "data" / "raw"
    assert pipeline.list_files(raw) == [raw / "1.txt", raw / "deep" / "2.txt"]
    assert pipeline.list_files(raw / "1.txt") == [raw / "1.txt"]
    with pytest.raises(PipelineError, match=r"data/raw/9.txt does not exist; .*make reproduce"):
        pipeline.list_files(raw / "9.txt")


def test_an_unknown_stage_is_one_error(original: SmallRepository) -> None:
    with pytest.raises(PipelineError, match="has no stage paper; it has fetch, score, draw"):
        read_pipeline(original.root).find_stages(["score", "paper"])


@pytest.mark.parametrize(
    "damage", ["<<<<<<< HEAD\n", "schema: '2.0'\nstages: [1]\n", "schema: '2.0'\nstages:\n  fetch: {outs: 1}\n", "\x00"]
)
def test_a_damaged_lock_is_one_error(original: SmallRepository, tmp_path: Path, damage: str) -> None:
    repository = copy_repository(original, tmp_path / "copy")
    (repository.root / "dvc.lock").write_text(damage)
    with pytest.raises(PipelineError, match=r"cannot read a pipeline here; .*git checkout dvc\.lock") as caught:
        read_pipeline(repository.root)
    assert "\n" not in str(caught.value)


def test_a_folder_without_dvc_is_one_error(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match="cannot read a pipeline"):
        read_pipeline(tmp_path)


def test_what_dvc_cannot_write_is_one_error(original: SmallRepository, tmp_path: Path) -> None:
    repository = copy_repository(original, tmp_path / "copy")
    scratch = repository.root / ".dvc" / "tmp"
    shutil.rmtree(scratch)
    # Unlike permissions, a file in its place stops root, too.
    scratch.touch()
    with pytest.raises(PipelineError) as caught:
        read_pipeline(repository.root)
    assert str(caught.value) == f"{scratch} must be yours to write: DVC keeps its locks there. Got File exists."


def test_an_error_without_a_file_is_told_too() -> None:
    assert describe_unwritable(OSError("No locks available")) == (
        ".dvc/tmp must be yours to write: DVC keeps its locks there. Got No locks available."
    )
