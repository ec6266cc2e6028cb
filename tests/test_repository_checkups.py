import pytest

from fusionseq.findings import Mark
from fusionseq.repository_checkups import (
    Remote,
    choose_link,
    find_secrets,
    judge_downloads,
    judge_git,
    judge_link,
    judge_remotes,
    judge_stages,
)


def test_git_is_told_of() -> None:
    assert [finding.found for finding in judge_git([], has_author=True)] == ["clean"]
    changes, author = judge_git(["a"], has_author=False)
    assert changes.found == "1 file differs from the last commit"
    assert author.mark is Mark.WARNING
    assert "user.email" in author.mend


def test_waiting_stages_are_told_of() -> None:
    assert judge_stages([], []).found == "up to date, `make reproduce` has nothing to do"
    assert "`dvc pull` fetches it, or fetch, split run again" in judge_stages(["fetch", "split"], []).found
    assert (
        judge_stages(list("abcdef"), list("abcdef")).found == "a, b, c, d and 2 more must run again, and what follows"
    )


@pytest.mark.parametrize(
    ("configured", "supported", "link"),
    [
        (["reflink", "copy"], ["reflink", "hardlink", "symlink"], "reflink"),
        (["reflink", "copy"], ["hardlink", "symlink"], "copy"),
        (["reflink", "hardlink", "copy"], ["hardlink"], "hardlink"),
        (["symlink"], [], "copy"),
    ],
)
def test_the_first_link_that_works_is_taken(configured: list[str], supported: list[str], link: str) -> None:
    assert choose_link(configured, supported) == link


def test_a_hard_link_protects_nothing_from_root() -> None:
    assert judge_link("hardlink", is_root=False).mark is Mark.OK
    assert judge_link("hardlink", is_root=True).mark is Mark.WARNING
    assert judge_link("symlink", is_root=True).mark is Mark.WARNING
    assert judge_link("reflink", is_root=True).found == "reflinks, which take no further room"
    assert "twice" in judge_link("copy", is_root=True).found


TEAM = Remote("team", "ssh://host/folder", is_verified=True, secrets=[], failure="")


def test_a_good_remote_is_one_line() -> None:
    assert [finding.found for finding in judge_remotes([TEAM])] == ["ssh://host/folder answers"]
    assert [finding.mark for finding in judge_remotes([])] == [Mark.OK]


def test_each_fault_of_a_remote_is_told_with_its_mend() -> None:
    remote = Remote("team", "ssh://host/folder", is_verified=False, secrets=["password"], failure="is away")
    findings = list(judge_remotes([remote]))
    assert {finding.mark for finding in findings} == {Mark.WARNING}
    assert [finding.found.partition(",")[0] for finding in findings] == [
        "ssh://host/folder is away",
        "ssh://host/folder is not verified: a damaged object would be pulled without a word",
        "password in .dvc/config",
    ]
    assert "`dvc remote modify team verify true`" in findings[1].mend


def test_downloads_are_needed_once() -> None:
    assert judge_downloads("hub", None, is_here=False).found == "nothing to download"
    assert judge_downloads("hub", "away; wait.", is_here=True).mark is Mark.OK
    assert judge_downloads("hub", "", is_here=False).found == "can be downloaded"
    finding = judge_downloads("hub", "the hub is away; wait for it.", is_here=False)
    assert (finding.mark, finding.found, finding.mend) == (Mark.PROBLEM, "the hub is away", "wait for it")
    assert judge_downloads("hub", "does not answer", is_here=False).mend


def test_secrets_are_found_by_their_names() -> None:
    settings = {"url": "s3://bucket", "verify": True, "access_key_id": "A", "secret_access_key": "S", "profile": "p"}
    assert find_secrets(settings) == ["access_key_id", "secret_access_key"]
    assert find_secrets({"url": "ssh://me:word@host/folder", "ask_password": True}) == ["a password in url"]
    assert find_secrets({"url": "ssh://me@host/a:b@c", "keyfile": "~/.ssh/key", "password": ""}) == []
