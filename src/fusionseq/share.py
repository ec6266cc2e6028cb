"""Send all results to a DVC remote that a team shares: `python -m fusionseq.share REMOTE [--check]`."""

import argparse
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from fusionseq.artifacts import write_text
from fusionseq.commits import list_changes
from fusionseq.console import logger, run_checked, track
from fusionseq.dvc_command import run_dvc
from fusionseq.errors import PipelineError
from fusionseq.locked_outputs import Where, find_damage
from fusionseq.locked_stages import LockedPipeline, read_pipeline
from fusionseq.remote_objects import list_objects, open_remote
from fusionseq.remotes import TEAM, Address, add_remote, hide_password, parse_address, read_url
from fusionseq.staleness import find_stale


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(1, f"error: {message}\n")


def share(folder: Path, text: str, is_thorough: bool) -> None:
    """Name a remote in .dvc/config, and send it everything that dvc.lock names and the run cache.

    .dvc/config stays as it was unless all of that has arrived.

    Parameters
    ----------
    folder
        Within the repository; a relative remote is below it.
    text
        The remote, as a person calls it.
    is_thorough
        Whether to read back all that the remote holds.

    Raises
    ------
    PipelineError
        The remote is none, cannot be reached or refuses, or the results are not complete.
    """
    pipeline = read_pipeline(folder)
    address = parse_address(text, str(folder), os.environ)
    config = pipeline.root / ".dvc" / "config"
    before = _read_config(config)
    after = add_remote(before, address)
    _list_uncommitted(pipeline.root)
    if address.is_folder:
        _check_folder(Path(address.url), pipeline)
    _check_results(pipeline)
    if address.is_folder:
        _make_folder(Path(address.url))
    with open_remote(pipeline.root, TEAM, address) as (_, remote):
        remote.check_writable()
    if (url := read_url(before)) not in (None, address.url):
        logger.info("share: the remote %s was %s; from now on it is %s", TEAM, hide_password(url), address.url)
    with _restoring(config, before), _letting_group_write():
        if after != before:
            write_text(config, after)
        _push(pipeline, address)
        _compare(pipeline, is_thorough)
    if uncommitted := _list_uncommitted(pipeline.root):
        others = f" and {len(uncommitted) - 1} more" if uncommitted[1:] else ""
        logger.info("next: commit %s%s, then `git push`; a clone has only what is committed", uncommitted[0], others)
    logger.info("a colleague: `git clone`, `make pull`; `dvc repro` then has nothing to do")


def _read_config(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PipelineError(f"{path.name} cannot be read; bring it back with `git checkout .dvc/config`.") from error


def _list_uncommitted(root: Path) -> list[str]:
    """Name the files that differ from the last commit, as they can be printed."""
    try:
        changes = sorted(list_changes(root))
    except PipelineError as error:
        raise PipelineError("a team shares results through Git and DVC, and Git finds no repository here.") from error
    return [name.encode(errors="surrogateescape").decode(errors="replace") for name in changes]


def _check_results(pipeline: LockedPipeline) -> None:
    if not pipeline.stages:
        raise PipelineError("dvc.yaml has no stages, so that there are no results to share.")
    for output in track(pipeline.outputs, "share: hashed outputs", len(pipeline.outputs)):
        for damage in find_damage(output, pipeline):
            missing = "is missing; " if damage.where in {Where.ABSENT, Where.UNCACHED} else ""
            raise PipelineError(f"the results are not complete: {damage.name} {missing}{damage.reason}.")
    if waiting := find_stale(pipeline.root).waiting:
        raise PipelineError(
            f"the results are not those of this code and params.yaml: {waiting[0]} would run again; run "
            f"`make reproduce` before."
        )


def _check_folder(folder: Path, pipeline: LockedPipeline) -> None:
    for what, taken in (("the repository", pipeline.root), ("DVC's cache", pipeline.cache.parents[1])):
        if folder.resolve().is_relative_to(taken.resolve()):
            raise PipelineError(f"{folder} lies in {what}; name a folder elsewhere, which others can reach.")


def _make_folder(folder: Path) -> None:
    if folder.is_dir():
        return
    try:
        folder.mkdir()
        # What the team puts there belongs to the group of the folder.
        folder.chmod(0o2775)
    except OSError as error:
        raise PipelineError(
            f"{folder} cannot be made: {error.strerror}. The folder around it must be there, and yours to write in."
        ) from error


@contextmanager
def _restoring(path: Path, content: str) -> Iterator[None]:
    """Put a file's content back where the block fails."""
    try:
        yield
    except BaseException:
        if path.read_text(encoding="utf-8") != content:
            write_text(path, content)
        raise


@contextmanager
def _letting_group_write() -> Iterator[None]:
    """Make folders that others of the group can enter and write into; DVC does so for all but the run cache's."""
    before = os.umask(0)
    os.umask(before & ~0o070)
    try:
        yield
    finally:
        os.umask(before)


def _push(pipeline: LockedPipeline, address: Address) -> None:
    from dvc.config import Config

    # Unchecked: where they name another kind of remote, DVC would complain of the settings that are for this one.
    used = Config(str(pipeline.root / ".dvc"), validate=False)["remote"][TEAM]["url"]
    if used != address.url:
        raise PipelineError(
            f"your own settings make the remote {TEAM} {hide_password(used)}; take that out with "
            f"`dvc remote modify --local --unset {TEAM} url`."
        )
    if not run_dvc(pipeline.root, "push", "--run-cache", "--remote", TEAM):
        raise PipelineError(
            f"not everything has arrived at {address.url}; DVC's own message stands above. .dvc/config is as before, "
            f"and the same command goes on where this one stopped."
        )


def _compare(pipeline: LockedPipeline, is_thorough: bool) -> None:
    objects = list_objects(pipeline)
    with open_remote(pipeline.root) as (_, remote):
        faults = remote.find_faults(objects, is_thorough)
        for fault in faults:
            logger.info("share: %s %s there; it is sent again", fault.name, fault.reason)
        remote.replace(faults, objects)
        if left := remote.find_faults({fault.name: objects[fault.name] for fault in faults}, is_thorough=True):
            raise PipelineError(f"{remote.url} does not keep what it is sent: {left[0].name} {left[0].reason}.")
    size = sum(path.stat().st_size for path in objects.values())
    logger.info("share: %s holds all %d objects, %.1f MB", remote.url, len(objects), size / 1e6)


def main() -> None:
    """Share the results of the repository around the current folder."""
    parser = _Parser(
        prog="python -m fusionseq.share",
        description="Send all results to a DVC remote, and name it in .dvc/config for every clone.",
    )
    parser.add_argument("remote", metavar="REMOTE", help="/shared/folder, ssh://host/folder or s3://bucket/folder")
    parser.add_argument(
        "--check", action="store_true", help="read back all that the remote holds, and mend what is damaged there"
    )
    arguments = parser.parse_args()
    run_checked(lambda: share(Path.cwd(), arguments.remote, arguments.check))


if __name__ == "__main__":
    main()
