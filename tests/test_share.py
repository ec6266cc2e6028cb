import os
import re
import shutil
from pathlib import Path

import pytest
from sharing_cases import Clone, copy_original, find_list, find_object, make_original
from small_repository import flip_byte


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    return make_original(tmp_path_factory.mktemp("original") / "of")


@pytest.fixture
def sender(original: Clone, tmp_path: Path) -> Clone:
    return copy_original(original, tmp_path / "sender")


def share(sender: Clone, *arguments: str) -> str:
    done = sender.run("fusionseq.share", *arguments)
    assert done.status == 0, done.output
    return done.output


def fail(sender: Clone, *arguments: str) -> str:
    """Share in vain: one line comes back, and nothing has changed."""
    before = sender.configuration
    done = sender.run("fusionseq.share", *arguments)
    assert done.status == 1, done.output
    assert sender.configuration == before
    assert re.fullmatch("error: .*\n", done.output), done.output
    return done.output.removeprefix("error: ").removesuffix("\n")


def test_a_relative_folder_is_made_where_the_person_meant(sender: Clone) -> None:
    output = share(sender, "../a team's folder")
    folder = sender.folder / "a team's folder"
    assert f"url = {folder}\n" in sender.configuration
    assert "remote = team\n" in sender.configuration
    assert (folder / find_list(sender)).exists()
    assert "next: commit .dvc/config, then `git push`; a clone has only what is committed" in output
    sender.commit("Share")
    assert "next:" not in share(sender, "../a team's folder")


@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_whoever_is_in_the_group_adds_to_the_folder(sender: Clone, umask: int) -> None:
    sender.umask = umask
    share(sender, "../remote")
    folder = sender.folder / "remote"
    runs = list(folder.glob("runs/**/"))
    assert len(runs) > 1
    assert all(path.stat().st_mode & 0o2070 == 0o2070 for path in (folder, *folder.glob("files/*/*")))
    assert all(path.stat().st_mode & 0o070 == 0o070 for path in runs)
    assert all(path.stat().st_mode & 0o040 for path in folder.rglob("*") if path.is_file())


def test_only_what_is_new_is_sent_and_another_address_is_told(sender: Clone) -> None:
    first, second = (str(sender.folder / name) for name in ("first", "second"))
    share(sender, first)
    (sender.root / "single").write_text("another")
    sender.dvc("repro", "--quiet")
    output = share(sender, first)
    assert f"{first} holds all 7 objects" in output
    assert "next: commit .dvc/config and 3 more" in output
    output = share(sender, second)
    assert f"share: the remote team was {first}; from now on it is {second}\n" in output
    assert f"url = {second}\n" in sender.configuration
    assert first not in sender.configuration


@pytest.mark.parametrize("place", ["", "shared", "; touch hacked", "$(touch hacked)", "-rf", ".dvc/cache", "../link/x"])
def test_a_folder_in_the_repository_is_refused(sender: Clone, place: str) -> None:
    (sender.folder / "link").symlink_to(sender.root)
    path = f"./{place}" if place.startswith("-") else place or "."
    assert "lies in the repository; name a folder elsewhere" in fail(sender, path)
    assert sender.git("status", "--short") == ""


def test_a_cache_elsewhere_is_no_remote(sender: Clone) -> None:
    cache = sender.folder / "cache"
    (sender.root / ".dvc" / "cache").rename(cache)
    (sender.root / ".dvc" / "config.local").write_text(f"[cache]\n    dir = {cache}\n")
    assert f"{cache} lies in DVC's cache" in fail(sender, str(cache))


def test_a_folder_that_cannot_be_made_is_refused(sender: Clone) -> None:
    (sender.folder / "file").touch()
    assert fail(sender, str(sender.folder / "file")) == (
        f"{sender.folder}/file cannot be made: File exists. The folder around it must be there, and yours to write in."
    )
    assert "cannot be made: No such file or directory." in fail(sender, str(sender.folder / "missing" / "folder"))


def test_results_that_were_never_made_are_told(sender: Clone) -> None:
    (sender.root / "dvc.lock").unlink()
    assert fail(sender, "../remote") == (
        "the results are not complete: data/parts has no digest in dvc.lock; `git checkout dvc.lock` or "
        "`make reproduce` mends it."
    )
    assert not (sender.folder / "remote").exists()


def test_results_of_other_inputs_are_told(sender: Clone) -> None:
    (sender.root / "single").write_text("another")
    assert fail(sender, "../remote") == (
        "the results are not those of this code and params.yaml: make would run again; run `make reproduce` before."
    )


def test_a_pipeline_elsewhere_is_not_asked(sender: Clone) -> None:
    (sender.root / "apart").mkdir()
    (sender.root / "apart" / "dvc.yaml").write_text(
        "stages:\n  other:\n    cmd: cp of to\n    deps: [of]\n    outs: [to]\n"
    )
    (sender.root / "apart" / "of").write_text("one")
    sender.dvc("repro", "--quiet", "apart/dvc.yaml")
    (sender.root / "apart" / "of").write_text("two")
    assert "changed deps" in sender.dvc("status")
    assert "holds all 8 objects" in share(sender, "../remote")


def test_a_command_of_dvc_at_work_is_told(sender: Clone) -> None:
    from dvc.repo import Repo

    with Repo(str(sender.root)) as repo, repo.lock:
        assert fail(sender, "../remote") == "another command of DVC is at work in this folder; wait for its end."


def test_a_damaged_cache_is_never_shared(sender: Clone) -> None:
    flip_byte(sender.root / ".dvc" / "cache" / find_object(sender, "single"))
    assert "the cached data/single, holds other bytes" in fail(sender, "../remote")
    assert not (sender.folder / "remote").exists()


def test_a_cache_thrown_away_is_told(sender: Clone) -> None:
    shutil.rmtree(sender.root / ".dvc" / "cache")
    assert "the results are not complete: the cached data/parts is missing; run `dvc pull`" in fail(sender, "../remote")


def test_settings_of_ones_own_that_lead_elsewhere_are_told(sender: Clone) -> None:
    sender.configure({"url": str(sender.folder / "mine")})
    assert fail(sender, "../remote").endswith("take that out with `dvc remote modify --local --unset team url`.")


def test_a_password_is_never_shown(sender: Clone) -> None:
    sender.configure({"url": "ssh://me:hunter2@host/mine"})
    assert "make the remote team ssh://me@host/mine; take that out" in fail(sender, "../remote")
    (sender.root / ".dvc" / "config.local").unlink()
    with (sender.root / ".dvc" / "config").open("a") as file:
        file.write("['remote \"team\"']\n    url = ssh://me:hunter2@host/mine\n")
    assert "share: the remote team was ssh://me@host/mine; from now on" in share(sender, "../remote")


def test_a_name_of_other_bytes_than_utf_8_is_told(sender: Clone) -> None:
    share(sender, "../remote")
    sender.commit("Share")
    Path(os.fsdecode(bytes(sender.root) + b"/caf\xe9.txt")).touch()
    assert "next: commit caf\ufffd.txt, then" in share(sender, "../remote")


def test_a_failed_run_leaves_the_remote_before_in_place(sender: Clone) -> None:
    share(sender, "../first")
    before = sender.configuration
    # A file where a folder of objects must be.
    (sender.folder / "second").mkdir()
    (sender.folder / "second" / "files").touch()
    done = sender.run("fusionseq.share", "../second")
    assert done.status == 1
    assert done.last_line.startswith(f"error: not everything has arrived at {sender.folder}/second")
    assert sender.configuration == before


def test_without_git_there_is_nothing_to_share_through(sender: Clone) -> None:
    shutil.rmtree(sender.root / ".git")
    (sender.root / ".dvc" / "config.local").write_text("[core]\n    no_scm = true\n")
    assert "Git finds no repository here" in fail(sender, "../remote")


def test_a_secret_in_the_address_is_refused(sender: Clone) -> None:
    assert "holds a secret" in fail(sender, "ssh://me:hunter2@host/folder")


def test_usage(sender: Clone) -> None:
    for arguments in ((), ("-rf",)):
        done = sender.run("fusionseq.share", *arguments)
        assert done.status == 1
        assert done.output.startswith("usage: python -m fusionseq.share [-h] [--check] REMOTE\n")
        assert done.last_line.startswith("error: ")
    assert "lies in the repository" in fail(sender, "--", "-rf")


def test_elsewhere_than_in_a_repository_is_one_line(tmp_path: Path) -> None:
    clone = Clone(tmp_path / "of")
    clone.root.mkdir()
    done = clone.run("fusionseq.share", "../remote")
    assert done.status == 1
    assert done.output.startswith("error: DVC cannot read a pipeline here; run this in the folder of dvc.yaml")
    assert not any(clone.root.iterdir())
