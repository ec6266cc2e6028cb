from pathlib import Path

import pytest
from paper_repository import commit_all, name_author
from small_repository import SmallRepository

from fusionseq.commits import archive_commit, list_changes, read_commit, read_committed
from fusionseq.errors import PipelineError
from fusionseq.packing import read_archive


@pytest.fixture
def repository(tmp_path: Path) -> SmallRepository:
    root = tmp_path / "two words"
    (root / "part").mkdir(parents=True)
    repository = SmallRepository(root)
    repository.run("git", "init", "--quiet")
    name_author(repository)
    (root / "part" / "a.txt").write_bytes(b"one\n")
    (root / "top.txt").write_bytes(b"top\n")
    commit_all(repository)
    return repository


def test_last_commit_is_read(repository: SmallRepository) -> None:
    (repository.root / "part" / "a.txt").write_bytes(b"two\n")
    name, seconds = read_commit(repository.root)
    assert name == repository.run("git", "rev-parse", "HEAD").strip()
    assert seconds == int(repository.run("git", "log", "-1", "--format=%ct"))
    assert read_committed(repository.root / "part", "a.txt") == b"one\n"
    with pytest.raises(PipelineError, match=r"^b\.txt is not in the last commit"):
        read_committed(repository.root, "b.txt")


def test_a_part_of_a_repository_is_packed_alone(repository: SmallRepository) -> None:
    repository.run("git", "config", "core.autocrlf", "true")
    assert read_archive(archive_commit(repository.root / "part", "p-1/"), "p-1/") == {"a.txt": b"one\n"}
    assert read_archive(archive_commit(repository.root, ""), "") == {"part/a.txt": b"one\n", "top.txt": b"top\n"}


def test_changes_are_listed_whatever_their_names(repository: SmallRepository) -> None:
    assert list_changes(repository.root) == []
    repository.run("git", "config", "status.showUntrackedFiles", "no")
    (repository.root / "ünd \n").touch()
    repository.run("git", "mv", "top.txt", "part/moved.txt")
    assert sorted(list_changes(repository.root)) == ["part/moved.txt", "top.txt", "ünd \n"]
    assert list_changes(repository.root / "part") == ["part/moved.txt"]


def test_what_git_says_comes_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(PipelineError, match=r"^git log fails here: fatal: not a git repository"):
        read_commit(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PipelineError, match=r"^git is not installed"):
        list_changes(tmp_path)
