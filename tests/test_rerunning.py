from dataclasses import replace
from pathlib import Path

import pytest
from small_repository import RERUN, SmallRepository, copy_repository, make_repository

from fusionseq.errors import PipelineError
from fusionseq.locked_stages import LockedPipeline, read_pipeline
from fusionseq.rerunning import list_inputs, rerun

OTHER_DISK = Path("/dev/shm")  # noqa: S108, the test makes a folder of its own there


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> SmallRepository:
    return make_repository(tmp_path_factory.mktemp("original") / "repository")


@pytest.fixture
def pipeline(original: SmallRepository, tmp_path: Path) -> LockedPipeline:
    return read_pipeline(copy_repository(original, tmp_path / "repository").root)


def list_names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_inputs_are_what_the_stages_do_not_make_themselves(pipeline: LockedPipeline) -> None:
    named = [pipeline.name(path) for path in list_inputs(pipeline.find_stages(RERUN))]
    assert named == ["data/raw", "data/x.bin", "params.yaml"]
    assert list_inputs(pipeline.find_stages(["draw"])) == [
        pipeline.root / "data" / "x.bin",
        pipeline.root / "reports" / "score.json",
    ]


def test_stages_run_in_a_copy_on_what_they_made_anew(pipeline: LockedPipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    repository = SmallRepository(pipeline.root)
    before = repository.read_all()
    monkeypatch.setenv("SCORE", "0.75")
    with rerun(pipeline, pipeline.find_stages(RERUN)) as folder:
        # Neither "unread.txt" nor an old output was copied.
        assert list_names(folder) == [
            "data/raw/1.txt",
            "data/raw/deep/2.txt",
            "data/x.bin",
            "figure.png",
            "params.yaml",
            "reports/score.json",
            "reports/table/a.csv",
        ]
        assert (folder / "figure.png").read_text() == '{"score":0.75,"count":2}x'
        # Of what may be large, nothing was copied.
        assert (folder / "data" / "x.bin").samefile(pipeline.root / "data" / "x.bin")
        assert not (folder / "params.yaml").samefile(pipeline.root / "params.yaml")
        assert "?? " not in repository.run("git", "status", "--porcelain")
    assert not folder.exists()
    assert repository.read_all() == before


def test_on_another_disk_files_are_copied(pipeline: LockedPipeline) -> None:
    if not OTHER_DISK.is_dir() or OTHER_DISK.stat().st_dev == pipeline.root.stat().st_dev:
        pytest.skip("there is no second disk")
    elsewhere = replace(pipeline, scratch=OTHER_DISK)
    with rerun(elsewhere, pipeline.find_stages(["draw"])) as folder:
        assert (folder / "figure.png").exists()
        assert not (folder / "data" / "x.bin").samefile(pipeline.root / "data" / "x.bin")


def test_a_stage_that_fails_is_one_error_and_leaves_nothing(
    pipeline: LockedPipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STATUS", "3")
    before = list_names(pipeline.scratch)
    with (
        pytest.raises(PipelineError, match="score fails when it is run again, with exit status 3"),
        rerun(pipeline, pipeline.find_stages(RERUN)),
    ):
        pass
    assert list_names(pipeline.scratch) == before


def test_a_stage_that_writes_into_its_input_is_caught(pipeline: LockedPipeline) -> None:
    description = pipeline.root / "dvc.yaml"
    description.write_text(
        description.read_text().replace("cmd: cat reports", "cmd: printf y >>data/x.bin; cat reports")
    )
    changed = read_pipeline(pipeline.root)
    with pytest.raises(PipelineError, match=r"wrote into data/x\.bin"), rerun(changed, changed.find_stages(["draw"])):
        pass


def test_a_missing_dependency_is_one_error(pipeline: LockedPipeline) -> None:
    (pipeline.root / "params.yaml").unlink()
    with (
        pytest.raises(PipelineError, match=r"params\.yaml does not exist"),
        rerun(pipeline, pipeline.find_stages(RERUN)),
    ):
        pass
