"""The stage `features` on a Ray cluster of this machine: what Ray itself takes, and what a second worker brings."""

import os
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

from benchmarks.growth import NUM_START, draw_images, prepare_project, run_stage
from benchmarks.processes import watching
from fusionseq.provenance import compute_digest
from fusionseq.raw_images import write_raw_images
from fusionseq.shards import SHARD_SIZE

NUM_IMAGES, NUM_IMAGES_QUICK = 16_000, 4 * SHARD_SIZE
ROUNDS = 1
SAMPLING_S = 2.0


@dataclass(frozen=True)
class Side:
    """How the stage runs, always with workers of one thread.

    Attributes
    ----------
    engine
        As in params.yaml.
    cores
        Of this machine that the command and all that it starts may use. A cluster of its own has as many workers.
    """

    engine: str
    cores: int


# One worker has what `local` has, one core for everything: Ray's own processes, too, take their time from it.
SIDES = {"local": Side("local", 1), "one_worker": Side("ray", 1), "two_workers": Side("ray", 2)}


def measure_workers(quick: bool) -> dict[str, float]:
    """Measure the stage as a command of its own, with its start, in alternate rounds of which the least counts.

    Returns
    -------
    dict[str, float]
        See `summarize`.

    Raises
    ------
    RuntimeError
        There is one core alone, or the sides did not write the same bytes.
    """
    if len(os.sched_getaffinity(0)) < 2:
        raise RuntimeError("two workers are measured on two cores, and this process may use one.")
    num_images = NUM_IMAGES_QUICK if quick else NUM_IMAGES
    seconds: dict[tuple[str, int], list[float]] = defaultdict(list)
    cpu_seconds: dict[tuple[str, int], list[float]] = defaultdict(list)
    with tempfile.TemporaryDirectory(prefix="cluster-") as name:
        folder = Path(name)
        prepare_project(folder)
        for number in (NUM_START, num_images):
            write_raw_images(folder / "data" / "raw", *draw_images(number), "error")
            run_stage(folder, "preprocess")
            digests = set()
            for _ in range(ROUNDS):
                for side, how in SIDES.items():
                    taken = _run(folder, how)
                    written = folder / "data" / "features"
                    seconds[side, number].append(taken[0])
                    cpu_seconds[side, number].append(taken[1])
                    digests.add(compute_digest(written, [written]))
                    shutil.rmtree(written)
            if len(digests) > 1:
                raise RuntimeError(f"the features of {number} images differ between local, one worker and two workers.")
            for read in ("raw", "processed"):
                shutil.rmtree(folder / "data" / read)
    least, least_cpu = ({key: min(values) for key, values in of.items()} for of in (seconds, cpu_seconds))
    return summarize(least, least_cpu, num_images)


def summarize(
    seconds: Mapping[tuple[str, int], float], cpu_seconds: Mapping[tuple[str, int], float], num_images: int
) -> dict[str, float]:
    """Compare the sides.

    Parameters
    ----------
    seconds, cpu_seconds
        Of each side with `NUM_START` images and with all.
    num_images
        All of them.

    Returns
    -------
    dict[str, float]
        Seconds and processor time of each side, and its seconds with few images, which are its start; the seconds of
        one worker over those of `local`, and over those of two workers.
    """
    results: dict[str, float] = {"images": num_images}
    for side in SIDES:
        results |= {
            f"{side}_s": seconds[side, num_images],
            f"{side}_cpu_s": cpu_seconds[side, num_images],
            f"{side}_start_s": seconds[side, NUM_START],
        }
    return results | {
        "ray_over_local": results["one_worker_s"] / results["local_s"],
        "two_workers_speedup": results["one_worker_s"] / results["two_workers_s"],
    }


def _run(folder: Path, side: Side) -> tuple[float, float]:
    path = folder / "params.yaml"
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    content["runtime"] |= {"threads": 1, "engine": side.engine, "ray_address": None}
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    # Watched from outside the cores that the command may use.
    with watching(SAMPLING_S) as usages, using_cores(side.cores):
        cost = run_stage(folder, "features")
    return cost.seconds, sum(usage.cpu_seconds for usage in usages)


@contextmanager
def using_cores(number: int) -> Iterator[None]:
    """Keep what this thread does and starts to some of the cores that it may use, the first of them."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(before)[:number])
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
