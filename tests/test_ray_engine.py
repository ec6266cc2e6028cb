"""The stages on a real cluster of two machines on loopback, which are killed while they work."""

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image
from ray_nodes import RayNodes, kill_process, needs_ray
from ray_squares import NUM_IMAGES

from fusionseq.params import Params, read_params
from fusionseq.paths import Paths
from fusionseq.stages.backbones import backbones
from fusionseq.stages.features import features
from fusionseq.stages.fetch import fetch
from fusionseq.stages.preprocess import preprocess

pytestmark = needs_ray()

ROOT = Path(__file__).parent.parent
PATIENCE_S = 120.0


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture(scope="module")
def two_nodes() -> Iterator[RayNodes]:
    nodes = RayNodes()
    try:
        nodes.start_head()
        nodes.start_worker("127.0.0.3")
        nodes.wait(2)
        yield nodes
    finally:
        nodes.stop()


@pytest.fixture
def nodes() -> Iterator[RayNodes]:
    nodes = RayNodes()
    try:
        nodes.start_head()
        yield nodes
    finally:
        nodes.stop()


def draw_photographs(folder: Path) -> None:
    """Two classes of 250 JPEGs, and one file that is none."""
    for row in range(500):
        noise = np.random.default_rng(row).integers(0, 256, (6, 8, 3), dtype=np.uint8)
        content = BytesIO()
        Image.fromarray(noise).resize((80, 60), Image.Resampling.BICUBIC).save(content, "JPEG")
        path = folder / ("even", "odd")[row % 2] / f"{row:03d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.getvalue())
    (folder / "odd" / "damaged.jpg").write_bytes(b"\xff\xd8\xff")


def make_project(root: Path, data: dict[str, object], engine: str, address: str | None) -> Params:
    """A folder with parameters and backbones; the two shards of its images fit one machine each."""
    (root / "pretraining").mkdir(parents=True)
    for name in ("backbones.safetensors", "backbones.json"):
        (root / "pretraining" / name).symlink_to(ROOT / "pretraining" / name)
    shutil.copy(ROOT / "requirements.txt", root)
    content = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    content |= {"data": data, "image_size": 32}
    content["runtime"] |= {"engine": engine, "ray_address": address}
    (root / "params.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    return read_params(root / "params.yaml")


def start_stage(root: Path, stage: str, nodes: RayNodes) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", f"fusionseq.stages.{stage}"],
        cwd=root,
        env=os.environ | nodes.environment | {"PYTHONPATH": str(ROOT / "src")},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def read_results(root: Path) -> dict[str, bytes]:
    folders = (root / "data" / "processed", root / "data" / "features")
    files = (path for folder in folders for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in files}


DIGITS = {
    "source": "digits",
    "path": "requirements.txt",
    "on_bad_image": "error",
    "num_classes": 10,
    "images_per_class": 50,
}


@pytest.mark.parametrize("data", ["digits", "photographs"])
def test_a_cluster_gives_the_bytes_of_one_process_even_if_a_worker_is_killed(
    two_nodes: RayNodes, tmp_path: Path, data: str
) -> None:
    chosen: dict[str, object] = DIGITS
    if data == "photographs":
        draw_photographs(tmp_path / "images")
        path = str(tmp_path / "images")
        chosen = {"source": "imagefolder", "path": path, "on_bad_image": "skip", "labels": None}
    alone, shared = tmp_path / "alone", tmp_path / "shared"
    params = make_project(alone, chosen, "local", None)
    for stage in (fetch, backbones, preprocess, features):
        stage(params, Paths(alone))
    make_project(shared, chosen, "ray", two_nodes.address)
    for name in ("raw", "backbones"):
        shutil.copytree(alone / "data" / name, shared / "data" / name)
    done = start_stage(shared, "preprocess", two_nodes)
    output, _ = done.communicate(timeout=PATIENCE_S)
    assert done.returncode == 0, output
    stage_process = start_stage(shared, "features", two_nodes)
    if data == "photographs":
        # Once it computes: what it has not finished has no mark.
        wait_until(lambda: any(shared.glob(".scratch/features-*/*/cut/.*.npy")))
        (killed, *others) = two_nodes.list_workers()
        assert others, "both machines work"
        kill_process(killed)
    output, _ = stage_process.communicate(timeout=PATIENCE_S)
    assert stage_process.returncode == 0, output
    results = read_results(alone)
    assert "data/features/vgg16/cut/000001.npy" in results
    assert read_results(shared) == results
    assert list((shared / ".scratch").iterdir()) == []


def start_squares(nodes: RayNodes, folder: Path, num_shards: int, *more: str) -> subprocess.Popen[str]:
    folder.mkdir(exist_ok=True)
    program = Path(__file__).with_name("ray_squares.py")
    return subprocess.Popen(
        [sys.executable, str(program), str(folder), nodes.address, str(num_shards), "1", *more],
        env=os.environ | nodes.environment | {"PYTHONPATH": str(ROOT / "src")},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def hold_squares(folder: Path, num_shards: int) -> None:
    for shard in range(num_shards):
        numbers = np.arange(shard * NUM_IMAGES, (shard + 1) * NUM_IMAGES)
        assert np.load(folder / f"{shard:06d}.npy").tolist() == (numbers**2).tolist()


def find_began(folder: Path) -> list[Path]:
    return list(folder.glob("*.began"))


def test_a_machine_that_fails_is_done_without(nodes: RayNodes, tmp_path: Path) -> None:
    nodes.start_worker("127.0.0.3")
    nodes.wait(2)
    folder = tmp_path / "squares"
    squares = start_squares(nodes, folder, 12)

    def has_begun_there() -> bool:
        there = map(str, nodes.list_processes("127.0.0.3"))
        return bool({path.name.split(".")[1] for path in find_began(folder)} & set(there))

    wait_until(has_begun_there)
    nodes.kill("127.0.0.3")
    output, _ = squares.communicate(timeout=PATIENCE_S)
    assert squares.returncode == 0, output
    assert f"squares: {12 * NUM_IMAGES}" in output
    hold_squares(folder, 12)
    assert len(find_began(folder)) > 12, "what it had begun was begun again"


def test_a_run_goes_on_from_its_shards_once_the_head_is_back(nodes: RayNodes, tmp_path: Path) -> None:
    nodes.wait(1)
    folder = tmp_path / "squares"
    squares = start_squares(nodes, folder, 6)
    wait_until((folder / "000001.npy").exists)
    nodes.kill("127.0.0.2")
    killed = time.monotonic()
    output, _ = squares.communicate(timeout=PATIENCE_S)
    assert time.monotonic() - killed < 30, "Ray itself waits for a minute"
    assert squares.returncode == 1
    assert output.splitlines()[-1] == (
        f"error: the head of the Ray cluster at {nodes.address} is gone; start it and run this again: finished shards "
        "are kept."
    )
    wait_until(lambda: nodes.list_processes() == [])
    finished = {path: path.stat().st_mtime_ns for path in folder.glob("*.npy") if not path.name.startswith(".")}
    assert 2 <= len(finished) < 6
    nodes.start_head()
    nodes.wait(1)
    again = start_squares(nodes, folder, 6)
    output, _ = again.communicate(timeout=PATIENCE_S)
    assert again.returncode == 0, output
    hold_squares(folder, 6)
    assert {path: path.stat().st_mtime_ns for path in finished} == finished


@pytest.mark.parametrize("how", ["ends", "is killed"])
def test_a_cluster_of_ones_own_leaves_no_process_behind(tmp_path: Path, how: str) -> None:
    own = RayNodes()
    own.address = "own"
    own.environment |= own.marker
    squares = start_squares(own, tmp_path / "squares", 3 if how == "ends" else 60)
    try:
        wait_until(lambda: bool(find_began(tmp_path / "squares")))
        assert len(own.list_processes()) > 3
        if how == "is killed":
            squares.kill()
        output, _ = squares.communicate(timeout=PATIENCE_S)
        assert how == "is killed" or "squares: 30" in output
        wait_until(lambda: own.list_processes() == [])
    finally:
        own.stop()


@pytest.mark.parametrize(
    ("how", "ending"),
    [
        (
            "full disk",
            r"error: .*000001\.npy cannot be written on .+: No space left on device; make room there, and run it "
            r"again: what is done is kept\.",
        ),
        (
            "death",
            r"error: a worker of the Ray cluster died 1 times over; its machine may lack memory\. Finished shards are "
            r"kept: fewer cores for `ray start --num-cpus` make fewer workers\.",
        ),
    ],
)
def test_a_shard_that_fails_whoever_computes_it_is_one_line(
    two_nodes: RayNodes, tmp_path: Path, how: str, ending: str
) -> None:
    folder = tmp_path / "squares"
    squares = start_squares(two_nodes, folder, 3, "000001", how)
    output, _ = squares.communicate(timeout=PATIENCE_S)
    assert squares.returncode == 1
    assert re.fullmatch(ending, output.splitlines()[-1]), output
    assert not (folder / "000001.npy").exists()
    assert len(find_began(folder)) == (3 if how == "full disk" else 4)
    wait_until(lambda: two_nodes.list_workers() == [])
