"""Whether this checkout holds what it says it computed: `python -m fusionseq.verify`."""

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from fusionseq.console import logger, run_checked, track
from fusionseq.errors import PipelineError
from fusionseq.locked_outputs import Damage, Where, find_damage
from fusionseq.locked_stages import LockedPipeline, LockedStage, read_pipeline
from fusionseq.rerunning import list_inputs, rerun
from fusionseq.tolerance import (
    ABSOLUTE_TOLERANCE,
    RELATIVE_TOLERANCE,
    Comparison,
    Verdict,
    compare_contents,
    holds_numbers,
)

# What takes minutes: the trained models are taken as they are.
RERUN = ("evaluate", "figures", "paper")

EXIT_STATUS = {Verdict.IDENTICAL: 0, Verdict.DIFFERENT: 1, Verdict.WITHIN_TOLERANCE: 2}

_COMMAND = "python -m fusionseq.verify"

_FOLLOWS = "follows from numbers within tolerance"

_EPILOG = f"""
exit status:
  0  identical: every output has the bytes of dvc.lock, and the stages made the same bytes again
  1  different, damaged or missing, or it could not be found out
  2  within tolerance: all numbers made again agree to a relative {RELATIVE_TOLERANCE:g} or an absolute
     {ABSOLUTE_TOLERANCE:g}, as on another processor; figures and the paper follow from them
"""


@dataclass(frozen=True)
class FileComparison:
    """A file of the workspace, compared with the same file made again.

    Attributes
    ----------
    name
        Its path from the root.
    comparison
        What comes of it.
    is_in_both
        Whether it was there before, and is there again.
    """

    name: str
    comparison: Comparison
    is_in_both: bool

    @property
    def may_follow(self) -> bool:
        """Whether numbers within tolerance explain that it differs: a figure or a typeset page."""
        return self.is_in_both and not holds_numbers(self.name)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """End with 1: argparse's own 2 means "within tolerance" here."""
        self.print_usage(sys.stderr)
        self.exit(1, f"error: {message}\n")


def verify(root: Path, stages: Sequence[str]) -> Verdict:
    """Hash all outputs of a DVC repository, run some stages again, and log what is found.

    Parameters
    ----------
    root
        Folder of dvc.yaml.
    stages
        Names of the stages to run again, in this order; may be none.

    Raises
    ------
    PipelineError
        DVC cannot read the repository, or is at work in it; or a stage cannot be run again.
    """
    with hold_outputs(read_pipeline(root)) as pipeline:
        return _verify(pipeline, pipeline.find_stages(stages))


@contextmanager
def hold_outputs(pipeline: LockedPipeline) -> Iterator[LockedPipeline]:
    """Have every DVC command refuse to write the outputs of a pipeline until the block ends.

    Yields
    ------
    LockedPipeline
        The pipeline, read anew when nothing could change it any more.

    Raises
    ------
    PipelineError
        A DVC command is at work there.
    """
    # They take a second to import.
    from dvc.exceptions import DvcException
    from dvc.repo import Repo
    from dvc.rwlock import rwlock

    outputs = [str(output.path) for output in pipeline.outputs]
    with ExitStack() as held:
        try:
            # The repository's own lock only until those of its outputs are taken: a `dvc repro` gives it away while a
            # stage runs, and fails at the end of the stage where it does not get it back.
            with Repo(str(pipeline.root)) as repo, repo.lock:
                hard_link = repo.config["core"].get("hardlink_lock", False)
                held.enter_context(rwlock(repo.tmp_dir, repo.fs, _COMMAND, outputs, [], hard_link))
        except DvcException as error:
            raise PipelineError(
                f"nothing is verified while another DVC command is at work here; wait until it has ended. DVC says: "
                f"{' '.join(str(error).split())}"
            ) from error
        except OSError as error:
            raise PipelineError(
                f"{pipeline.name(pipeline.scratch)} must be a folder that can be written: DVC keeps its locks there. "
                f"Got {error.strerror}."
            ) from error
        yield read_pipeline(pipeline.root)


def _verify(pipeline: LockedPipeline, chosen: Sequence[LockedStage]) -> Verdict:
    damages = _hash_all(pipeline)
    verdict = Verdict.DIFFERENT if damages else Verdict.IDENTICAL
    if chosen and (spoilt := _find_spoilt(damages, chosen)):
        logger.info("verify: nothing is run again before %s is mended", spoilt[0].name)
    elif chosen:
        with rerun(pipeline, chosen) as folder:
            verdict = max(verdict, _report(list(compare_outputs(pipeline, chosen, folder))))
    logger.info("verify: %s", verdict.title)
    return verdict


def _hash_all(pipeline: LockedPipeline) -> list[Damage]:
    outputs = pipeline.outputs
    damages = [
        damage
        for output in track(outputs, "verify: hashed outputs", len(outputs))
        for damage in find_damage(output, pipeline)
    ]
    for where in Where:
        of_kind = [damage for damage in damages if damage.where is where]
        if of_kind and where in {Where.ABSENT, Where.UNCACHED}:
            # Mostly nothing was pulled, or the cache was thrown away: one line for all of it.
            others = f" and {len(of_kind) - 1} more" if of_kind[1:] else ""
            logger.info("missing: %s%s; %s", of_kind[0].name, others, of_kind[0].reason)
            continue
        for damage in of_kind:
            title = "damaged" if where is Where.CACHE else "different"
            logger.info("%s: %s %s", title, damage.name, damage.reason)
    if not damages:
        logger.info("identical: %d outputs with dvc.lock, in the workspace and in DVC's cache", len(outputs))
    return damages


def _find_spoilt(damages: Sequence[Damage], stages: Sequence[LockedStage]) -> list[Damage]:
    """Find what is missing or damaged among what some stages read, or cannot be compared with."""
    inputs = set(list_inputs(stages))
    return [
        damage
        for damage in damages
        if damage.where is Where.ABSENT
        or (damage.where is Where.WORKSPACE and any(_overlap(damage.path, path) for path in inputs))
    ]


def _overlap(one: Path, other: Path) -> bool:
    return one.is_relative_to(other) or other.is_relative_to(one)


def compare_outputs(pipeline: LockedPipeline, stages: Sequence[LockedStage], folder: Path) -> Iterator[FileComparison]:
    """Compare each file that stages made in the workspace with what they made in another folder."""
    for output in (output for stage in stages for output in stage.outputs):
        remade = folder / pipeline.name(output.path)
        files = {path.relative_to(output.path) for path in pipeline.list_files(output.path)}
        files |= {path.relative_to(remade) for path in _list_remade(remade)}
        for file in sorted(files):
            before, after = output.path / file, remade / file
            is_in_both = before.is_file() and after.is_file()
            yield FileComparison(pipeline.name(before), _compare(before, after), is_in_both)


def _list_remade(path: Path) -> list[Path]:
    return [file for file in path.rglob("*") if file.is_file()] if path.is_dir() else [path]


def _compare(before: Path, after: Path) -> Comparison:
    if not after.is_file():
        return Comparison(Verdict.DIFFERENT, "is not made any more")
    if not before.is_file():
        return Comparison(Verdict.DIFFERENT, "is made in addition")
    return compare_contents(before.name, before.read_bytes(), after.read_bytes())


def _report(files: Sequence[FileComparison]) -> Verdict:
    """Log the verdict on each file; the worst one comes back."""
    of_numbers = max((file.comparison.verdict for file in files if holds_numbers(file.name)), default=Verdict.IDENTICAL)
    worst = Verdict.IDENTICAL
    for file in files:
        verdict, place = file.comparison.verdict, file.comparison.place
        if verdict is Verdict.DIFFERENT and of_numbers is Verdict.WITHIN_TOLERANCE and file.may_follow:
            verdict, place = Verdict.WITHIN_TOLERANCE, _FOLLOWS
        worst = max(worst, verdict)
        if verdict is not Verdict.IDENTICAL:
            logger.info("%s: %s, %s", verdict.title, file.name, place)
    num_identical = sum(file.comparison.verdict is Verdict.IDENTICAL for file in files)
    logger.info("identical: %d of %d files that were made again", num_identical, len(files))
    return worst


def main() -> None:
    """Verify the repository of the current folder."""
    parser = _Parser(
        prog=_COMMAND,
        description="Hash every output and its copy in DVC's cache against dvc.lock,\n"
        f"run {', '.join(RERUN)} again in a temporary copy, and compare what they make.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--no-rerun", action="store_true", help="hash only, which takes seconds")
    arguments = parser.parse_args()

    def run() -> None:
        sys.exit(EXIT_STATUS[verify(Path.cwd(), () if arguments.no_rerun else RERUN)])

    run_checked(run)


if __name__ == "__main__":
    main()
