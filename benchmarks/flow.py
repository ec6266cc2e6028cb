"""Many images through a Ray cluster on this machine: whether memory stays what it was with a tenth of them.

Each is drawn as it is needed, decoded, resized to 224 px and averaged in a grid, which stands in for the frozen layers.
"""

import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.processes import Usage, watching
from fusionseq.engines import run_work
from fusionseq.preprocessing import Preprocessed, preprocess_images
from fusionseq.shard_files import writing_shard
from fusionseq.shards import SHARD_SIZE, Shard, name_shard

ROOT = Path(__file__).parent.parent
# Ten times as many; all processes have long started with the fewer.
NUM_IMAGES, NUM_IMAGES_QUICK = (10_000, 100_000), (960, 4800)
IMAGE_SIZE = 224
# Width and height of an encoded image, and of the noise that it is a smooth enlargement of.
RAW_SIZE = (320, 240)
NOISE_SIZE = (20, 15)
# Cells of the grid in height and width, and images that are averaged at a time, as many as pass the frozen layers.
GRID = 8
BATCH_SIZE = 48
SAMPLING_S = 0.2
# How often in a run the object store is asked: asking takes a connection each time, which must not grow with it.
NUM_LOOKS = 10
# Roles of the process that asks for shards, and of those that compute them, as Ray Data calls itself.
DRIVER, WORKER = "benchmarks.flow", "MapWorker"


@dataclass(frozen=True)
class DrawnShards:
    """Draw the images of one shard after the other and pass them on; see `fusionseq.engines.Work`."""

    folder: Path
    num_cpus: int = 1
    uses_gpu: bool = False

    def is_done(self, shard: Shard) -> bool:
        """Whether a shard need not be computed again."""
        return (self.folder / f"{shard.name}.npy").exists()

    def open(self, folder: Path, cores: int | None) -> Callable[[Shard], Iterator[None]]:
        """Give the function that computes a shard."""
        return partial(self._compute, folder, cores)

    def _compute(self, folder: Path, cores: int | None, shard: Shard) -> Iterator[None]:
        first = int(shard.name) * SHARD_SIZE
        with writing_shard(folder / f"{shard.name}.npy", (GRID, GRID, 3), np.float32) as append:
            for start in range(0, shard.num_images, BATCH_SIZE):
                numbers = range(first + start, first + min(start + BATCH_SIZE, shard.num_images))
                decoded = preprocess_images(map(draw_image, numbers), map(str, numbers), IMAGE_SIZE, cores)
                pixels = [image.pixels for image in decoded if isinstance(image, Preprocessed)]
                append(average(np.stack(pixels)))
                yield from (None for _ in numbers)


def draw_image(number: int) -> bytes:
    """Draw the JPEG image of this number, always the same."""
    noise = np.random.default_rng(number).integers(0, 256, (*reversed(NOISE_SIZE), 3), dtype=np.uint8)
    content = BytesIO()
    Image.fromarray(noise).resize(RAW_SIZE, Image.Resampling.BICUBIC).save(content, format="JPEG")
    return content.getvalue()


def average(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Average a batch of images over the cells of a grid: float32 of shape (batch, GRID, GRID, 3)."""
    cell = IMAGE_SIZE // GRID
    means: NDArray[np.float32] = images.reshape(-1, GRID, cell, GRID, cell, 3).mean((2, 4), dtype=np.float32)
    return means


def list_shards(num_images: int) -> list[Shard]:
    """Divide images into shards."""
    starts = [*range(0, num_images, SHARD_SIZE), num_images]
    return [Shard(name_shard(number), end - start) for number, (start, end) in enumerate(pairwise(starts))]


def measure_flow(quick: bool) -> dict[str, Any]:
    """Measure the same flow with few and with many images, each in processes of its own.

    Returns
    -------
    dict[str, Any]
        Of each number of images the rate and what the object store held and spilled at most; the peak memory of each
        role, which is that of its largest process; and the largest ratio of two peaks of one role.
    """
    few, many = NUM_IMAGES_QUICK if quick else NUM_IMAGES
    results: dict[str, Any] = {}
    memory = {}
    for num_images in (few, many):
        with tempfile.TemporaryDirectory(prefix="flow-") as name, watching(SAMPLING_S) as usages:
            measured = _run(num_images, Path(name))
        memory[num_images] = find_peaks(usages)
        results |= {f"{key}_at_{num_images}": value for key, value in measured.items()}
        results[f"peak_memory_mib_at_{num_images}"] = memory[num_images]
    of_many = {key: results[f"{key}_at_{many}"] for key in ("images_per_s", "store_mib", "spilled_mib")}
    return results | {"images": many} | of_many | compare_peaks(memory[few], memory[many])


def find_peaks(usages: Sequence[Usage]) -> dict[str, float]:
    """Find the peak memory of the largest process of each role."""
    peaks: dict[str, float] = defaultdict(float)
    for usage in usages:
        peaks[usage.role] = max(peaks[usage.role], usage.peak_memory)
    return dict(peaks)


def compare_peaks(few: Mapping[str, float], many: Mapping[str, float]) -> dict[str, Any]:
    """Divide the peaks of many images by those of few, for each role that was seen with both."""
    ratios = {role: many[role] / few[role] for role in few if few[role] and role in many}
    worst = max(ratios, key=lambda role: ratios[role])
    return {
        "peak_memory_ratios": ratios,
        "worker_memory_ratio": ratios[WORKER],
        "driver_memory_ratio": ratios[DRIVER],
        "peak_memory_role": worst,
        "peak_memory_ratio": ratios[worst],
        "peak_memory_growth_mib": many[worst] - few[worst],
        "largest_process_mib": max(many.values()),
    }


def _run(num_images: int, folder: Path) -> dict[str, float]:
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    command = [sys.executable, "-m", "benchmarks.flow", str(num_images), str(folder)]
    done = subprocess.run(command, cwd=ROOT, env=environment, check=False, capture_output=True, encoding="utf-8")
    if done.returncode:
        raise RuntimeError(f"the flow of {num_images} images ended with status {done.returncode}:\n{done.stderr}")
    measured: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return measured


def run_flow(num_images: int, folder: Path) -> dict[str, float]:
    """Send images through a cluster of this process."""
    shards = list_shards(num_images)
    looks = {round(look * num_images / NUM_LOOKS) for look in range(1, NUM_LOOKS + 1)}
    start, store, spilled = math.nan, 0, 0
    for done, _ in enumerate(run_work(DrawnShards(folder), shards, "ray", None), start=1):
        # From the first shard on: before it, the cluster starts.
        if done == SHARD_SIZE:
            start = time.perf_counter()
        # The last image is handed on before the cluster stops.
        if done in looks:
            used, spilled = read_store()
            store = max(store, used)
    return {
        "images_per_s": (num_images - SHARD_SIZE) / (time.perf_counter() - start),
        "store_mib": store / 2**20,
        "spilled_mib": spilled / 2**20,
    }


def read_store() -> tuple[int, int]:
    """Ask the only machine of a cluster how many bytes its object store holds, and how many it has spilled so far."""
    import ray
    from ray._private.internal_api import node_stats

    node = ray.nodes()[0]
    stats = node_stats(node["NodeManagerAddress"], node["NodeManagerPort"], include_memory_info=False).store_stats
    return stats.object_store_bytes_used, stats.spilled_bytes_total


if __name__ == "__main__":
    print(json.dumps(run_flow(int(sys.argv[1]), Path(sys.argv[2]))))
