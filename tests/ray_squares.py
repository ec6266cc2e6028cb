"""Work that takes next to nothing, for a Ray cluster to do: run as a program, so that no machine needs to import it."""

import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from fusionseq import ray_engine
from fusionseq.console import run_checked
from fusionseq.engines import run_work
from fusionseq.shard_files import writing_shard
from fusionseq.shards import Shard, name_shard

NUM_IMAGES = 10


@dataclass(frozen=True)
class Squares:
    """Write squares of numbers, and who did; on the way, do something to the shard of a given name.

    Attributes
    ----------
    folder
        Where the shards lie.
    seconds
        How long one takes.
    bad
        Name of a shard.
    how
        What befalls it: "full disk", "death" or "".
    """

    folder: Path
    seconds: float
    bad: str = ""
    how: str = ""
    num_cpus: int = int(os.environ.get("SQUARES_CPUS", "1"))
    uses_gpu: bool = False

    def is_done(self, shard: Shard) -> bool:
        """Whether it is there."""
        return (self.folder / f"{shard.name}.npy").exists()

    def open(self, folder: Path, cores: int | None) -> Callable[[Shard], Iterator[None]]:
        """Give the function that writes one."""
        return partial(self._compute, folder)

    def _compute(self, folder: Path, shard: Shard) -> Iterator[None]:
        path = folder / f"{shard.name}.npy"
        (folder / f"{shard.name}.{os.getpid()}.began").touch()
        if shard.name == self.bad and self.how == "full disk":
            (folder / f".{socket.gethostname()}.{os.getpid()}.{path.name}").symlink_to("/dev/full")
        if shard.name == self.bad and self.how == "death":
            os.kill(os.getpid(), signal.SIGKILL)
        with writing_shard(path, (), np.int64) as append:
            for number in range(NUM_IMAGES):
                time.sleep(self.seconds / NUM_IMAGES)
                append(np.array([(int(shard.name) * NUM_IMAGES + number) ** 2]))
                yield


def main() -> None:
    """Do it: FOLDER ADDRESS NUM_SHARDS SECONDS [BAD HOW]."""
    folder, address, num_shards, seconds, bad, how = (*sys.argv[1:], "", "")[:6]
    if how == "death":
        ray_engine._MAX_RESTARTS = 1
    work = Squares(Path(folder), float(seconds), bad, how)
    shards = [Shard(name_shard(number), NUM_IMAGES) for number in range(int(num_shards))]
    done = sum(1 for _ in run_work(work, shards, "ray", None if address == "own" else address))
    print(f"squares: {done}")


if __name__ == "__main__":
    run_checked(main)
