"""What computes the shards of a stage: this process, or the machines of a Ray cluster. The bytes are the same."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Literal, Protocol

from fusionseq.shards import Shard


class Work(Protocol):
    """What is to be done with each shard. It is sent to other processes, so it holds values and paths.

    Attributes
    ----------
    folder
        Where finished shards lie; all machines must see it.
    num_cpus
        Cores of one worker.
    uses_gpu
        Whether a worker takes a GPU where there are any.
    """

    @property
    def folder(self) -> Path: ...  # noqa: D102

    @property
    def num_cpus(self) -> int: ...  # noqa: D102

    @property
    def uses_gpu(self) -> bool: ...  # noqa: D102

    def is_done(self, shard: Shard) -> bool:
        """Whether a shard was finished by an earlier run."""
        ...

    def open(self, folder: Path, cores: int | None) -> Callable[[Shard], Iterator[None]]:
        """Load what all shards need, and give a function that writes one into `folder`.

        Parameters
        ----------
        folder
            That of this work, as the process knows it that hands it out.
        cores
            How many it may use; None where no other worker is on the machine.

        Returns
        -------
        Callable[[Shard], Iterator[None]]
            Yields once for each image; the shard is there once it has ended, or was there before. What a person can
            mend is raised as PipelineError.
        """
        ...


def run_work(
    work: Work, shards: Sequence[Shard], engine: Literal["local", "ray"], ray_address: str | None
) -> Iterator[None]:
    """Compute those shards that are not done yet, in order.

    Parameters
    ----------
    work
        What is to be done.
    shards
        All of them.
    engine, ray_address
        As in `fusionseq.sections.RuntimeParams`.

    Yields
    ------
    None
        Once for each image of all shards, also for those that were done before.

    Raises
    ------
    PipelineError
        The first in order that a shard raises; or the cluster cannot do it.
    """
    missing = []
    for shard in shards:
        if work.is_done(shard):
            yield from _count(shard)
        else:
            missing.append(shard)
    if engine == "ray" and missing:
        from fusionseq.ray_engine import run_on_ray

        for shard in run_on_ray(work, missing, ray_address):
            yield from _count(shard)
    elif missing:
        compute = work.open(work.folder, None)
        for shard in missing:
            yield from compute(shard)


def _count(shard: Shard) -> Iterator[None]:
    for _ in range(shard.num_images):
        yield
