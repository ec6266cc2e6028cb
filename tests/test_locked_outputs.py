import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from small_repository import SmallRepository, copy_repository, flip_byte, make_repository

from fusionseq.errors import PipelineError
from fusionseq.locked_outputs import Damage, Where, find_damage
from fusionseq.locked_stages import read_pipeline


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> SmallRepository:
    return make_repository(tmp_path_factory.mktemp("original") / "repository")


@pytest.fixture
def repository(original: SmallRepository, tmp_path: Path) -> SmallRepository:
    return copy_repository(original, tmp_path / "repository")


def find_all(repository: SmallRepository) -> list[Damage]:
    pipeline = read_pipeline(repository.root)
    return [damage for output in pipeline.outputs for damage in find_damage(output, pipeline)]


def truncate(path: Path) -> None:
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-1])


HARM: list[Callable[[Path], None]] = [flip_byte, truncate, Path.unlink]


def test_what_dvc_has_made_is_intact(repository: SmallRepository) -> None:
    before = repository.read_all()
    assert find_all(repository) == []
    assert repository.read_all() == before


@pytest.mark.parametrize("harm", HARM)
@pytest.mark.parametrize(
    ("name", "member"),
    [
        ("data/raw", "/deep/2.txt"),
        ("data/raw", "/1.txt"),
        ("data/x.bin", ""),
        ("figure.png", ""),
        ("reports/table", "/a.csv"),
    ],
)
def test_harm_in_the_workspace_is_named(
    repository: SmallRepository, harm: Callable[[Path], None], name: str, member: str
) -> None:
    harm(repository.root / f"{name}{member}")
    (damage,) = find_all(repository)
    is_gone = harm is Path.unlink and not member
    assert damage.where is (Where.ABSENT if is_gone else Where.WORKSPACE)
    assert (damage.path, damage.name) == (repository.root / name, f"{name}{member}")
    assert "make reproduce" in damage.reason
    assert ("git checkout" in damage.reason) == (not name.startswith("data"))


@pytest.mark.parametrize("name", ["data/raw", "reports/table"])
def test_a_further_file_is_named(repository: SmallRepository, name: str) -> None:
    (repository.root / name / "0").mkdir()
    (repository.root / name / "0" / "new").touch()
    (damage,) = find_all(repository)
    assert (damage.where, damage.name) == (Where.WORKSPACE, f"{name}/0/new")


@pytest.mark.parametrize("name", ["data/raw", "reports/table"])
def test_a_name_of_other_bytes_than_utf_8_can_be_printed(repository: SmallRepository, name: str) -> None:
    Path(os.fsdecode(bytes(repository.root / name) + b"/caf\xe9.txt")).touch()
    (damage,) = find_all(repository)
    assert (damage.where, damage.name) == (Where.WORKSPACE, f"{name}/caf\ufffd.txt")


def test_files_that_dvc_ignores_do_no_harm(repository: SmallRepository) -> None:
    (repository.root / ".dvcignore").write_text("*.pyc\n")
    (repository.root / "data" / "raw" / "a.pyc").touch()
    assert find_all(repository) == []


@pytest.mark.parametrize("harm", HARM)
@pytest.mark.parametrize(
    ("content", "name"), [("two", "data/raw/deep/2.txt"), ("x", "data/x.bin"), ("relpath", "data/raw")]
)
def test_harm_in_the_cache_is_named(
    repository: SmallRepository, harm: Callable[[Path], None], content: str, name: str
) -> None:
    path = repository.find_object(content)
    harm(path)
    (damage,) = find_all(repository)
    if harm is Path.unlink:
        assert (damage.where, damage.name) == (Where.UNCACHED, f"the cached {name}")
    else:
        assert (damage.where, damage.name) == (Where.CACHE, f"{path}, the cached {name},")
        assert "holds other bytes" in damage.reason


def test_dvc_does_not_see_the_same_harm(repository: SmallRepository) -> None:
    # If it does one day, this module may go.
    flip_byte(repository.find_object("two"))
    repository.run("dvc", "status")
    flip_byte(repository.root / "data" / "x.bin")
    assert "up to date" in repository.run("dvc", "status")
    assert [damage.where for damage in find_all(repository)] == [Where.CACHE, Where.WORKSPACE]


def test_the_mends_that_are_named_mend(repository: SmallRepository) -> None:
    path = repository.find_object("two")
    flip_byte(path)
    path.unlink()
    repository.run("dvc", "commit", "--force")
    assert find_all(repository) == []
    flip_byte(repository.root / "data" / "x.bin")
    (repository.root / "data" / "x.bin").unlink()
    repository.run("dvc", "checkout", "data/x.bin")
    (repository.root / "reports" / "table" / "a.csv").unlink()
    repository.run("git", "checkout", "--", "reports/table")
    assert find_all(repository) == []


def test_harm_on_both_sides_is_told_of_both(repository: SmallRepository) -> None:
    flip_byte(repository.root / "data" / "raw" / "deep" / "2.txt")
    flip_byte(repository.find_object("two"))
    found = find_all(repository)
    assert [damage.where for damage in found] == [Where.WORKSPACE, Where.CACHE]
    assert found[0].name == "data/raw/deep/2.txt"


def test_without_its_list_a_folder_is_named_as_a_whole(repository: SmallRepository) -> None:
    flip_byte(repository.root / "data" / "raw" / "1.txt")
    flip_byte(repository.find_object("relpath"))
    assert [damage.name for damage in find_all(repository) if damage.where is Where.WORKSPACE] == ["data/raw"]


def test_what_was_never_pulled_is_absent_and_no_more(repository: SmallRepository) -> None:
    shutil.rmtree(repository.root / ".dvc" / "cache")
    shutil.rmtree(repository.root / "data")
    found = find_all(repository)
    assert [(damage.where, damage.name) for damage in found] == [
        (Where.ABSENT, "data/raw"),
        (Where.ABSENT, "data/x.bin"),
    ]
    assert "`dvc pull` or `make reproduce`" in found[0].reason


def test_harm_in_the_cache_counts_before_a_checkout_too(repository: SmallRepository) -> None:
    shutil.rmtree(repository.root / "data")
    flip_byte(repository.find_object("two"))
    assert [damage.where for damage in find_all(repository)] == [Where.ABSENT, Where.CACHE, Where.ABSENT]


def test_another_digest_in_the_lock_is_a_difference(repository: SmallRepository) -> None:
    lock = repository.root / "dvc.lock"
    lock.write_text(lock.read_text().replace("9dd4e461268c8034f5c8564e155c67a6", "8dd4e461268c8034f5c8564e155c67a6"))
    found = [(damage.where, damage.path.name) for damage in find_all(repository)]
    assert found == [(Where.WORKSPACE, "x.bin"), (Where.UNCACHED, "x.bin")]


def test_an_output_that_the_lock_lacks_is_a_difference(repository: SmallRepository) -> None:
    (repository.root / "dvc.lock").unlink()
    found = find_all(repository)
    assert len(found) == 5
    assert {damage.where for damage in found} == {Where.LOCK}


def test_a_lock_cut_short_is_a_difference(repository: SmallRepository) -> None:
    lock = repository.root / "dvc.lock"
    whole = lock.read_text()
    for length in range(0, len(whole) - 1, len(whole) // 20):
        lock.write_text(whole[:length])
        try:
            found = find_all(repository)
        except PipelineError:
            continue  # DVC does not understand it
        assert found, whole[:length]


def test_what_the_disk_does_not_give_is_one_error(repository: SmallRepository) -> None:
    path = repository.find_object("two")
    path.unlink()
    path.mkdir()
    with pytest.raises(PipelineError, match=f"{path.name} cannot be read: Is a directory"):
        find_all(repository)


def test_a_file_in_place_of_a_folder_is_a_difference(repository: SmallRepository) -> None:
    shutil.rmtree(repository.root / "data" / "raw")
    (repository.root / "data" / "raw").write_text("one")
    (damage,) = find_all(repository)
    assert (damage.where, damage.path.name) == (Where.WORKSPACE, "raw")
