"""Judgements of the doctor on the repository, its cache, its remotes and what it downloads: facts in, findings out."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fusionseq.findings import Finding, fail, note, warn

# Their data alone shows what they cost.
_MOST_STAGES = 4


def judge_git(changes: Sequence[str], has_author: bool) -> Iterator[Finding]:
    """Judge the working tree: the files that differ from the last commit, and whether Git knows who commits."""
    if changes:
        one = len(changes) == 1
        yield note("git", f"{len(changes)} file{'' if one else 's'} differ{'s' if one else ''} from the last commit")
    else:
        yield note("git", "clean")
    if not has_author:
        yield warn(
            "git",
            "nobody's name is set, and `dvc exp run` commits",
            "`git config --global user.name NAME` and `git config --global user.email ADDRESS`",
        )


def judge_stages(waiting: Sequence[str], changed: Sequence[str]) -> Finding:
    """Judge the results by the stages that would run, and by those of them that differ from dvc.lock."""
    if changed:
        return note("results", f"{_list(changed)} must run again, and what follows")
    if waiting:
        return note(
            "results", f"as in dvc.lock, without the data: `dvc pull` fetches it, or {_list(waiting)} run again"
        )
    return note("results", "up to date, `make reproduce` has nothing to do")


def _list(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_MOST_STAGES])
    return f"{shown} and {len(names) - _MOST_STAGES} more" if names[_MOST_STAGES:] else shown


def choose_link(configured: Sequence[str], supported: Sequence[str]) -> str:
    """Choose how DVC will link the workspace to its cache: the first way that it is told and the disk can do."""
    return next((link for link in configured if link == "copy" or link in supported), "copy")


def judge_link(link: str, is_root: bool) -> Finding:
    """Judge how the workspace is linked to DVC's cache."""
    if link in {"hardlink", "symlink"} and is_root:
        return warn(
            "cache",
            f"{link}s, whose protection does not hold for root: a careless write damages DVC's cache, which then "
            "trains on it",
            "`dvc config --local cache.type reflink,copy` and `dvc checkout --relink`, or work as another user",
        )
    if link == "copy":
        return note("cache", "copies, since this disk shares no blocks: data takes twice its size")
    return note("cache", f"{link}s, which take no further room")


@dataclass(frozen=True)
class Remote:
    """What is known of a DVC remote.

    Attributes
    ----------
    name
        In .dvc/config.
    address
        Without secrets.
    is_verified
        Whether what is pulled is hashed.
    secrets
        Names of settings that hold secrets in the committed .dvc/config.
    failure
        Why it cannot be reached; "" where it answers.
    """

    name: str
    address: str
    is_verified: bool
    secrets: Sequence[str]
    failure: str


def judge_remotes(remotes: Sequence[Remote]) -> Iterator[Finding]:
    """Judge the remotes; none of them is needed to reproduce."""
    if not remotes:
        yield note("remote", "none is configured; `make share REMOTE=…` names one")
    for remote in remotes:
        name = f"remote {remote.name}"
        if remote.failure:
            yield warn(
                name,
                f"{remote.address} {remote.failure}",
                f"look at the connection, the keys and `dvc remote modify --local {remote.name} …`",
            )
        elif remote.is_verified:
            yield note(name, f"{remote.address} answers")
        if not remote.is_verified:
            yield warn(
                name,
                f"{remote.address} is not verified: a damaged object would be pulled without a word",
                f"`dvc remote modify {remote.name} verify true`",
            )
        if remote.secrets:
            yield warn(
                name,
                f"{' and '.join(remote.secrets)} in .dvc/config, which Git keeps",
                f"change that secret, take it out, and set the new one by `dvc remote modify --local {remote.name} …`",
            )


def judge_downloads(subject: str, failure: str | None, is_here: bool) -> Finding:
    """Judge what params.yaml has downloaded.

    Parameters
    ----------
    subject
        The hub or the weights.
    failure
        Why it cannot be had, and the mend, in one line; "" where it can, None where nothing is to download.
    is_here
        Whether the stage that takes it has its results already.
    """
    if failure is None:
        return note(subject, "nothing to download")
    if is_here:
        return note(subject, "here already")
    if not failure:
        return note(subject, "can be downloaded")
    found, _, mend = failure.rstrip(".").partition("; ")
    return fail(subject, found, mend or "look at the connection and params.yaml")


def find_secrets(settings: Mapping[str, Any]) -> list[str]:
    """Name the settings of a remote that hold secrets: those that DVC documents for config.local."""
    secret = ("password", "secret", "token", "access_key_id", "account_key", "connection_string", "sas")
    names = [key for key, value in settings.items() if value and any(word in key for word in secret)]
    # `ask_password` has DVC ask, and holds none.
    names = [name for name in names if not name.startswith("ask_") and not name.endswith("_path")]
    return names + (["a password in url"] if _holds_password(str(settings.get("url", ""))) else [])


def _holds_password(url: str) -> bool:
    user, at, _ = url.partition("://")[2].partition("/")[0].rpartition("@")
    return bool(at) and ":" in user
