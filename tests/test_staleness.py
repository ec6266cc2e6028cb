import shutil
from pathlib import Path

import pytest
from small_repository import SmallRepository, copy_repository, make_repository

from fusionseq.errors import PipelineError
from fusionseq.staleness import find_stale


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> SmallRepository:
    return make_repository(tmp_path_factory.mktemp("original") / "repository")


@pytest.fixture
def repository(original: SmallRepository, tmp_path: Path) -> SmallRepository:
    return copy_repository(original, tmp_path / "repository")


def test_nothing_waits_after_a_run(repository: SmallRepository) -> None:
    found = find_stale(repository.root)
    assert (found.waiting, found.changed) == ((), ())
    # Of the cache alone: three texts of three, three and one byte.
    assert found.sizes == {"fetch": 7, "score": 0, "draw": 0}


def test_data_that_nobody_has_pulled_changes_nothing(repository: SmallRepository) -> None:
    shutil.rmtree(repository.root / "data")
    shutil.rmtree(repository.root / ".dvc" / "cache")
    found = find_stale(repository.root)
    assert found.waiting == ("fetch", "score", "draw")
    assert found.changed == ()


@pytest.mark.parametrize(
    ("name", "content", "changed"),
    [
        ("params.yaml", "section: {of: 2}\nother: 2\n", ("score",)),
        ("params.yaml", "section: {of: 1}\nother: 3\n", ()),
        ("reports/score.json", "{}", ("score", "draw")),
        ("data/raw/1.txt", "other", ("fetch", "score")),
    ],
)
def test_a_change_is_seen(repository: SmallRepository, name: str, content: str, changed: tuple[str, ...]) -> None:
    (repository.root / name).unlink()
    (repository.root / name).write_text(content)
    found = find_stale(repository.root)
    assert found.changed == changed
    assert set(changed) <= set(found.waiting)


def test_another_pipeline_does_not_count(repository: SmallRepository) -> None:
    folder = repository.root / "apart"
    folder.mkdir()
    (folder / "dvc.yaml").write_text("stages:\n  never:\n    cmd: 'true'\n    outs: [x.txt]\n")
    assert find_stale(repository.root).waiting == ()


def test_what_cannot_be_read_is_told_in_one_line(repository: SmallRepository, tmp_path: Path) -> None:
    (repository.root / "dvc.lock").write_text("<<<<<<< HEAD\n")
    with pytest.raises(PipelineError, match=r"^DVC cannot read a pipeline here; .*dvc\.lock[^\n]*$"):
        find_stale(repository.root)
    with pytest.raises(PipelineError, match=r"^DVC cannot read a pipeline here"):
        find_stale(tmp_path)


def test_a_command_at_work_is_not_waited_for(repository: SmallRepository) -> None:
    from dvc.repo import Repo

    with Repo(str(repository.root)) as repo, repo.lock, pytest.raises(PipelineError, match="another command of DVC"):
        find_stale(repository.root)


def test_a_lock_that_cannot_be_written_is_told_in_one_line(repository: SmallRepository) -> None:
    lock = repository.root / ".dvc" / "tmp" / "lock"
    lock.unlink(missing_ok=True)
    # Unlike permissions, a folder in its place stops root, too.
    lock.mkdir()
    with pytest.raises(PipelineError) as caught:
        find_stale(repository.root)
    assert str(caught.value) == f"{lock} must be yours to write: DVC keeps its locks there. Got Is a directory."
