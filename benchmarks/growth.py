"""Time and memory of the stages that touch every image, as the number of images grows."""

import math
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
import yaml
from PIL import Image

from fusionseq.datasets import Dataset, EncodedImage
from fusionseq.raw_images import write_raw_images

ROOT = Path(__file__).parent.parent
STAGES = ("preprocess", "features")
# Trained end to end, from images that stream through the whole model.
STREAMED = ("train_sequential", "--seed", "0")
NUM_CLASSES = 10
IMAGE_SIZE = 48
# Width and height of a raw image, and of the noise that it is a smooth enlargement of.
RAW_SIZE = (480, 360)
NOISE_SIZE = (20, 15)
# A full batch and a ragged one: the graphs of both count as start-up.
NUM_START = 68
# What takes little time is run several times, since machines are shared.
REPEATS = 3
SAMPLING_S = 0.05


@dataclass(frozen=True)
class Cost:
    """What one process took.

    Attributes
    ----------
    seconds
        From its start to its end, the start of Python included.
    cpu_seconds
        Over all its threads.
    peak_memory
        Anonymous memory in MiB, sampled. Pages of mapped files are left out: the system takes them back when it likes.
    """

    seconds: float
    cpu_seconds: float
    peak_memory: float


def measure_growth(quick: bool) -> dict[str, float]:
    """Measure both stages, and training that streams images, at three numbers of images, in a temporary folder.

    Seconds for each 1,000 images are without start-up, which is what a few images take; memory is of the whole process.
    The ratios hold the largest number of images against the smallest, and are those of the worse stage.
    """
    numbers = (100, 200, 400) if quick else (1000, 4000, 16000)
    costs: dict[tuple[str, int], Cost] = {}
    with tempfile.TemporaryDirectory(prefix="growth-") as name:
        folder = Path(name)
        prepare_project(folder)
        for num_images in (NUM_START, *numbers):
            write_raw_images(folder / "data" / "raw", *draw_images(num_images), "error")
            repeats = REPEATS if num_images <= numbers[0] else 1
            for stage in STAGES:
                costs[stage, num_images] = _best([run_stage(folder, stage) for _ in range(repeats)])
            costs["streaming", num_images] = _train_streaming(folder)
            for written in ("raw", "splits", "processed", "features", "models"):
                shutil.rmtree(folder / "data" / written)
    return _summarize(costs, numbers)


def run_stage(folder: Path, stage: str, *arguments: str) -> Cost:
    """Run a stage as a command of its own, and watch it."""
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    command = [sys.executable, "-m", f"fusionseq.stages.{stage}", *arguments]
    with (folder / "log.txt").open("w+", encoding="utf-8") as log:
        start = time.perf_counter()
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=subprocess.STDOUT)
        samples = [0.0]
        ended = threading.Event()
        # Sampled aside, so that the end of the process is noticed at once.
        watcher = threading.Thread(target=_sample_memory, args=(process.pid, samples, ended))
        watcher.start()
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        ended.set()
        watcher.join()
        if process.returncode:
            log.seek(0)
            raise RuntimeError(f"{stage} ended with status {process.returncode}:\n{log.read()}")
    return Cost(seconds, usage.ru_utime + usage.ru_stime, max(samples))


def _sample_memory(pid: int, samples: list[float], ended: threading.Event) -> None:
    while not ended.wait(SAMPLING_S):
        try:
            status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
        except OSError:
            return
        # A process that has just ended still has a status, but no memory.
        if found := re.search(r"^RssAnon:\s*(\d+) kB$", status, re.MULTILINE):
            samples.append(int(found.group(1)) / 1024)


def _train_streaming(folder: Path) -> Cost:
    """Train the smaller model for an epoch in each phase, with no stored features."""
    _write_params(folder, "streaming")
    run_stage(folder, "split")
    run_stage(folder, "features")
    cost = run_stage(folder, *STREAMED)
    _write_params(folder, "cached")
    return cost


def _write_params(folder: Path, mode: str) -> None:
    """Give a folder the parameters of the project; a mode is named, since one that stores nothing takes no time."""
    content = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8")) | {"image_size": IMAGE_SIZE}
    content["features"]["mode"] = mode
    for phase in ("frozen", "fine_tuning"):
        content["training"][phase]["epochs"] = 1
    (folder / "params.yaml").write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")


def prepare_project(folder: Path) -> None:
    """Give a folder the parameters and the backbones of the project."""
    _write_params(folder, "cached")
    (folder / "pretraining").mkdir()
    for name in ("backbones.safetensors", "backbones.json"):
        shutil.copy(ROOT / "pretraining" / name, folder / "pretraining" / name)
    run_stage(folder, "backbones")


def draw_images(num_images: int) -> tuple[Dataset, Iterator[EncodedImage]]:
    """Draw JPEG images, one by one."""

    def draw() -> Iterator[EncodedImage]:
        rng = np.random.default_rng(0)
        for index in range(num_images):
            noise = rng.integers(0, 256, (*reversed(NOISE_SIZE), 3), dtype=np.uint8)
            content = BytesIO()
            Image.fromarray(noise).resize(RAW_SIZE, Image.Resampling.BICUBIC).save(content, format="JPEG")
            yield EncodedImage(f"image-{index:06d}.jpg", index % NUM_CLASSES, content.getvalue(), subset="")

    images = draw()
    return Dataset(tuple(map(str, range(NUM_CLASSES))), num_images, images, {"source": "noise"}), images


def _best(costs: list[Cost]) -> Cost:
    """Take the least time, which others on the machine disturbed least, but the most memory."""
    return Cost(
        seconds=min(cost.seconds for cost in costs),
        cpu_seconds=min(cost.cpu_seconds for cost in costs),
        peak_memory=max(cost.peak_memory for cost in costs),
    )


def _summarize(costs: dict[tuple[str, int], Cost], numbers: tuple[int, ...]) -> dict[str, float]:
    few, many = numbers[0], numbers[-1]
    results: dict[str, float] = {}
    # Nothing is negative but a quick look at a few images, whose time drowns in that of the start.
    time_ratio, cpu_ratio, memory_ratio = -math.inf, -math.inf, -math.inf
    for stage in STAGES:
        start = costs[stage, NUM_START]
        per_image: dict[int, tuple[float, float]] = {}
        results[f"{stage}_start_s"] = start.seconds
        for number in numbers:
            cost = costs[stage, number]
            added = number - NUM_START
            per_image[number] = (
                (cost.seconds - start.seconds) / added,
                (cost.cpu_seconds - start.cpu_seconds) / added,
            )
            results |= {
                f"{stage}_s_at_{number}": cost.seconds,
                f"{stage}_s_per_1000_images_at_{number}": 1000 * per_image[number][0],
                f"{stage}_peak_memory_mib_at_{number}": cost.peak_memory,
            }
        time_ratio = max(time_ratio, per_image[many][0] / per_image[few][0])
        cpu_ratio = max(cpu_ratio, per_image[many][1] / per_image[few][1])
        memory_ratio = max(memory_ratio, costs[stage, many].peak_memory / costs[stage, few].peak_memory)
    of_streaming = {number: costs["streaming", number].peak_memory for number in numbers}
    results |= {f"streaming_peak_memory_mib_at_{number}": memory for number, memory in of_streaming.items()}
    return results | {
        "streaming_peak_memory_ratio": of_streaming[many] / of_streaming[few],
        "time_per_image_ratio": time_ratio,
        # Less disturbed by whatever else the machine does.
        "cpu_per_image_ratio": cpu_ratio,
        "peak_memory_ratio": memory_ratio,
    }
