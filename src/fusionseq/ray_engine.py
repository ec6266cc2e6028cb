"""Shards computed by the machines of a Ray cluster, as a pipeline of Ray Data.

What travels through Ray is the name of a shard and whether it is done. Images and features go from and to the disk that
all machines share, so the object store stays nearly empty, and whatever is killed finds the shards that are finished.
"""

import dataclasses
import logging
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from numpy.typing import NDArray

from fusionseq.console import logger
from fusionseq.engines import Work
from fusionseq.errors import PipelineError
from fusionseq.ray_cluster import Cluster, connecting
from fusionseq.shards import Shard

# Parts that each worker is handed one after the other: so few that Ray, which keeps some kilobytes of each, does not
# grow with the images, and so many that all workers end at nearly the same time.
_PARTS = 10
# How often a worker is started again: enough for machines that come and go, and an end for a shard that kills whatever
# takes it up.
_MAX_RESTARTS = 20
# Seconds between two looks at whether the head is still there.
_INTERVAL = 2.0


class _Worker:
    """One process with all that shards need; Ray starts it again where it dies, and has its shard done again."""

    def __init__(self, work: Work, folder: Path) -> None:
        self._work = work
        self._folder = folder
        self._compute: Callable[[Shard], Iterator[None]] | None = None

    def __call__(self, batch: dict[str, NDArray[Any]]) -> dict[str, list[str]]:
        """Compute a batch of one shard; what a person can mend is handed back, since Ray would wrap an exception."""
        shard = Shard(str(batch["name"][0]), int(batch["num_images"][0]), int(batch["position"][0]))
        try:
            if self._compute is None:
                self._compute = self._work.open(self._folder, self._work.num_cpus)
            for _ in self._compute(shard):
                pass
        except PipelineError as error:
            return {"name": [shard.name], "error": [str(error)]}
        return {"name": [shard.name], "error": [""]}


def run_on_ray(work: Work, shards: Sequence[Shard], address: str | None) -> Iterator[Shard]:
    """Compute shards on a cluster, each by one worker: as many as it has GPUs, or as its cores allow.

    Parameters
    ----------
    work
        What is to be done.
    shards
        Those that are not done yet.
    address
        Of the head of a running cluster; None starts one on this machine.

    Yields
    ------
    Shard
        Each of them once it is done, in their order.

    Raises
    ------
    PipelineError
        The first in order that a shard raises; or the cluster cannot do it, or its head is gone.
    """
    folder = work.folder
    with connecting(address, folder, work.num_cpus) as cluster:
        dataset = _plan(dataclasses.replace(work), folder, shards, cluster)  # type: ignore[type-var]
        done = _read_while(cluster, dataset)
        for shard, row in zip(shards, done, strict=True):
            if row["error"]:
                raise PipelineError(row["error"])
            yield shard


def _plan(work: Work, folder: Path, shards: Sequence[Shard], cluster: Cluster) -> Any:
    """Plan the pipeline; `work` is a copy that has loaded nothing."""
    import ray.data

    logging.getLogger("ray.data").setLevel(logging.ERROR)
    num_gpus = cluster.num_gpus if work.uses_gpu else 0
    num_workers = num_gpus or cluster.count_slots(work.num_cpus)
    if not num_workers:
        raise PipelineError(
            f"no machine of the Ray cluster has {work.num_cpus} cores, which runtime.threads asks of one; start them "
            "with more, or set fewer threads in params.yaml."
        )
    context = ray.data.DataContext.get_current()
    # So that the error that is raised does not depend on who is faster.
    context.execution_options.preserve_order = True
    context.enable_progress_bars = False
    num_workers = min(num_workers, len(shards))
    rows = ray.data.from_items(
        [dataclasses.asdict(shard) for shard in shards],
        override_num_blocks=min(_PARTS * num_workers, len(shards)),
    )
    pool = ray.data.ActorPoolStrategy(size=num_workers, max_tasks_in_flight_per_actor=1)
    machines = "this machine" if cluster.address is None else f"{len(cluster.cores)} machines of {cluster.address}"
    logger.info("ray: %d workers on %s", num_workers, machines)
    with warnings.catch_warnings():
        # It means the last two, for which there is no other place yet.
        warnings.filterwarnings("ignore", message="`ray_remote_args` is deprecated")
        return rows.map_batches(
            _Worker,
            fn_constructor_args=(work, folder),
            batch_size=1,
            compute=pool,
            num_cpus=0 if num_gpus else work.num_cpus,
            num_gpus=1 if num_gpus else 0,
            max_restarts=_MAX_RESTARTS,
            max_task_retries=_MAX_RESTARTS,
        )


def _read_while(cluster: Cluster, dataset: Any) -> Iterator[Mapping[str, Any]]:
    """Read rows as they come, as long as the head answers: Ray would wait for it, and then end this process."""
    import ray.exceptions

    queue: SimpleQueue[Mapping[str, Any] | Exception | None] = SimpleQueue()

    def read() -> None:
        try:
            for row in dataset.iter_rows():
                queue.put(row)
            queue.put(None)
        # Handed on, whatever it is.
        except Exception as error:
            queue.put(error)

    threading.Thread(target=read, daemon=True).start()
    while True:
        try:
            row = queue.get(timeout=_INTERVAL)
        except Empty:
            cluster.check_head()
            continue
        if row is None:
            return
        if isinstance(row, Exception):
            cluster.check_head()
            if isinstance(row, ray.exceptions.RayActorError):
                raise PipelineError(
                    f"a worker of the Ray cluster died {_MAX_RESTARTS} times over; its machine may lack memory. "
                    "Finished shards are kept: fewer cores for `ray start --num-cpus` make fewer workers."
                ) from row
            raise row
        yield row
