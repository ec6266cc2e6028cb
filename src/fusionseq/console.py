"""What every command shares: one-line errors, log lines, progress, and validated parameters before anything else."""

import argparse
import inspect
import logging
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn
from rich.progress import track as track_with_bar

from fusionseq.errors import PipelineError
from fusionseq.params import read_params
from fusionseq.paths import Paths

Item = TypeVar("Item")

logger = logging.getLogger("fusionseq")

# Seconds between two lines where there is no terminal.
_PLAIN_INTERVAL = 5.0


def run_checked(function: Callable[[], object]) -> None:
    """Call a function; what a person can mend becomes one line on standard error and exit status 1."""
    logging.basicConfig(format="%(message)s", level=logging.INFO, stream=sys.stdout)
    try:
        function()
    except PipelineError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("error: interrupted.")


def run_stage(stage: Callable[..., None]) -> None:
    """Run a stage as a command, in the folder of params.yaml.

    The stage takes validated parameters and paths; each further argument it takes is an option of its type.
    """
    parser = argparse.ArgumentParser(description=stage.__doc__)
    for name, parameter in list(inspect.signature(stage).parameters.items())[2:]:
        parser.add_argument(f"--{name}", type=parameter.annotation, required=True)
    options = vars(parser.parse_args())

    def run() -> None:
        paths = Paths(Path.cwd())
        stage(read_params(paths.params), paths, **options)

    run_checked(run)


def is_terminal() -> bool:
    """Whether a person watches standard output."""
    return sys.stdout.isatty()


def choose_verbosity() -> int:
    """Verbosity of Keras: 1, a bar for each epoch, in a terminal, and 2, a line for each, elsewhere."""
    return 1 if is_terminal() else 2


def track(items: Iterable[Item], description: str, total: int) -> Iterator[Item]:
    """Pass items on, and show how many of `total` are done: a bar in a terminal, plain lines elsewhere."""
    if is_terminal():
        yield from track_with_bar(items, description, total, console=Console())
        return
    shown = time.monotonic()
    for done, item in enumerate(items, start=1):
        yield item
        if time.monotonic() - shown >= _PLAIN_INTERVAL:
            shown = time.monotonic()
            logger.info("%s: %d of %d", description, done, total)


def track_bytes(chunks: Iterable[bytes], description: str, done: int, total: int | None) -> Iterator[bytes]:
    """Pass pieces of a file on, and show how much of it is there: a bar in a terminal, plain lines elsewhere.

    Parameters
    ----------
    chunks
        The pieces.
    description
        What the file is called.
    done, total
        Bytes that were there before, and of the whole; None where that is not known.
    """
    if is_terminal():
        text = TextColumn("{task.description}")
        with Progress(
            text, BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn(), console=Console()
        ) as bar:
            task = bar.add_task(description, total=total, completed=done)
            for chunk in chunks:
                yield chunk
                bar.advance(task, len(chunk))
        return
    whole = "" if total is None else f" of {total / 1e6:.1f}"
    shown = time.monotonic()
    for chunk in chunks:
        yield chunk
        done += len(chunk)
        if time.monotonic() - shown >= _PLAIN_INTERVAL:
            shown = time.monotonic()
            logger.info("%s: %.1f%s MB", description, done / 1e6, whole)
