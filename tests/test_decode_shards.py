import os
import pickle
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from PIL import Image
from sharded import run_all

from fusionseq import decode_shards, processed_images, raw_images
from fusionseq.artifacts import read_table
from fusionseq.datasets import Dataset, EncodedImage
from fusionseq.decode_shards import DecodeShards
from fusionseq.engines import run_work
from fusionseq.errors import BadImageError, PipelineError
from fusionseq.preprocessing import Preprocessed, preprocess_images
from fusionseq.processed_images import ProcessedImages
from fusionseq.raw_images import read_raw_images, write_raw_images
from fusionseq.shard_files import ShardedArray, move_shards
from fusionseq.shards import SHARD_SIZE

ROOT = Path(__file__).parent.parent
SIZE = 8
# So that a few images make several shards.
FEW = 4
BAD = (0, 4, 5, 6, 7, 9)


class Killed(BaseException):
    """Nothing that the code under test may catch."""


@pytest.fixture
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(raw_images, "SHARD_SIZE", FEW)


def draw_image(row: int) -> bytes:
    content = BytesIO()
    pixels = np.random.default_rng(row).integers(0, 256, (12, 12, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(content, "PNG")
    return content.getvalue()


def draw_large_image() -> bytes:
    content = BytesIO()
    Image.new("RGB", (1000, 1000), "teal").save(content, "JPEG")
    return content.getvalue()


def write_raw(folder: Path, num_images: int, bad: tuple[int, ...] = (), slow: range = range(0)) -> Path:
    """Write images, of which some take long to decode."""
    other = dict.fromkeys(bad, b"no image") | dict.fromkeys(slow, draw_large_image() if slow else b"")
    images = [
        EncodedImage(f"{row}.png", row % 2, other[row] if row in other else draw_image(row), "")
        for row in range(num_images)
    ]
    write_raw_images(folder, Dataset(("a", "b"), num_images, images, {}), images, "error")
    return folder


def make(raw: Path, scratch: Path, on_bad_image: Literal["error", "skip"] = "skip", size: int = SIZE) -> DecodeShards:
    return DecodeShards(raw, scratch, size, on_bad_image)


def start(work: DecodeShards, num_images: int) -> None:
    """Begin, and end once some images are decoded."""
    images = run_work(work, work.list_shards(), "local", None)
    assert isinstance(images, Iterator)
    for _ in islice(images, num_images):
        pass


def finish(work: DecodeShards, target: Path) -> tuple[list[str], int]:
    """Go on to the end: names of the shards that were done before, and the number of images that were left out."""
    done = [shard.name for shard in work.list_shards() if work.is_done(shard)]
    run_all(work, work.list_shards())
    return done, work.finish(target)


def read_folder(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.usefixtures("small_shards")
@pytest.mark.parametrize(("stop", "num_done"), [(0, 0), (1, 0), (5, 1), (9, 2), (10, 2)])
def test_killed_work_goes_on_with_its_finished_shards_to_the_same_bytes(
    tmp_path: Path, stop: int, num_done: int
) -> None:
    raw = write_raw(tmp_path / "raw", 11, BAD)
    assert finish(make(raw, tmp_path / "other"), tmp_path / "straight") == ([], 6)
    start(make(raw, tmp_path / "scratch"), stop)
    assert not (tmp_path / "done").exists()
    # What the system leaves of a process that it kills.
    folder = make(raw, tmp_path / "scratch").folder
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ".host.17.000001.npy").write_bytes(b"half")
    done, skipped = finish(make(raw, tmp_path / "scratch"), tmp_path / "done")
    assert (done, skipped) == (["000000", "000001", "000002"][:num_done], 6)
    assert read_folder(tmp_path / "done") == read_folder(tmp_path / "straight")
    assert list((tmp_path / "scratch").iterdir()) == []


@pytest.mark.usefixtures("small_shards")
def test_pixels_and_table_are_of_the_images_that_could_be_decoded(tmp_path: Path) -> None:
    raw = write_raw(tmp_path / "raw", 11, BAD)
    finish(make(raw, tmp_path / "scratch"), tmp_path / "done")
    pixels = ShardedArray(tmp_path / "done" / "images")
    assert (pixels.names, pixels.lengths) == (["000000", "000002"], [3, 2]), "no image of the shard between is left"
    encoded = list(read_raw_images(raw))
    decoded = preprocess_images([one.content for one in encoded], [one.name for one in encoded], SIZE)
    expected = [image for image in decoded if isinstance(image, Preprocessed)]
    np.testing.assert_array_equal(pixels[:], np.stack([image.pixels for image in expected]))
    images = ProcessedImages.read(tmp_path / "done")
    assert images.class_names == ("a", "b")
    assert images.names == ("1.png", "2.png", "3.png", "8.png", "10.png")
    assert images.labels.tolist() == [1, 0, 1, 0, 0]
    assert images.digests == tuple(encoded[row].digest for row in (1, 2, 3, 8, 10))
    assert images.perceptual_hashes == tuple(image.perceptual_hash for image in expected)
    skipped = [{"image": f"{row}.png", "reason": "unknown format"} for row in BAD]
    assert read_table(tmp_path / "done" / "skipped.csv") == skipped


@pytest.mark.usefixtures("small_shards")
def test_bytes_do_not_depend_on_the_cores_or_the_order(tmp_path: Path) -> None:
    raw = write_raw(tmp_path / "raw", 11, BAD)
    found = []
    for cores in (None, 1, 3):
        # Another process is sent the work before it has loaded anything, and writes where it is told.
        work = make(raw, tmp_path / f"of {cores}")
        compute = pickle.loads(pickle.dumps(work)).open(work.folder, cores)  # noqa: S301
        for shard in reversed(work.list_shards()):
            assert sum(1 for _ in compute(shard)) == shard.num_images
        work.finish(tmp_path / "done")
        found.append(read_folder(tmp_path / "done"))
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("cores", [None, 3])
def test_a_worker_takes_the_cores_that_it_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cores: int | None
) -> None:
    def preprocess(
        contents: Iterable[bytes], names: Iterable[str], image_size: int, given: int | None
    ) -> Iterator[Preprocessed | BadImageError]:
        taken.append(given)
        return preprocess_images(contents, names, image_size, 1)

    taken: list[int | None] = []
    monkeypatch.setattr(decode_shards, "preprocess_images", preprocess)
    work = make(write_raw(tmp_path / "raw", 2), tmp_path / "scratch")
    assert sum(1 for _ in work.open(work.folder, cores)(work.list_shards()[0])) == 2
    assert taken == [cores]


@pytest.mark.usefixtures("small_shards")
@pytest.mark.parametrize("lost", ["000001.npy", "000001.csv"])
def test_shard_of_which_a_part_is_lost_is_done_again(tmp_path: Path, lost: str) -> None:
    raw = write_raw(tmp_path / "raw", 11, (0, 4))
    finish(make(raw, tmp_path / "other"), tmp_path / "straight")
    start(make(raw, tmp_path / "scratch"), 11)
    (make(raw, tmp_path / "scratch").folder / lost).unlink()
    assert finish(make(raw, tmp_path / "scratch"), tmp_path / "done") == (["000000"], 2)
    assert read_folder(tmp_path / "done") == read_folder(tmp_path / "straight")


@pytest.mark.usefixtures("small_shards")
@pytest.mark.parametrize("num_moved", [0, 1, 2, 3])
def test_work_killed_as_it_is_put_into_its_place_ends_in_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, num_moved: int
) -> None:
    def kill(files: list[Path], folder: Path) -> None:
        move_shards(files[:num_moved], folder)
        raise Killed

    raw = write_raw(tmp_path / "raw", 11, (0, 4))
    finish(make(raw, tmp_path / "other"), tmp_path / "straight")
    monkeypatch.setattr(processed_images, "move_shards", kill)
    with pytest.raises(Killed):
        finish(make(raw, tmp_path / "scratch"), tmp_path / "done")
    monkeypatch.undo()
    monkeypatch.setattr(raw_images, "SHARD_SIZE", FEW)
    # As DVC does where the stage starts again.
    shutil.rmtree(tmp_path / "done")
    assert finish(make(raw, tmp_path / "scratch"), tmp_path / "done")[1] == 2
    assert read_folder(tmp_path / "done") == read_folder(tmp_path / "straight")


@pytest.mark.usefixtures("small_shards")
def test_other_images_or_another_choice_begin_anew(tmp_path: Path) -> None:
    raw, scratch = write_raw(tmp_path / "raw", 6), tmp_path / "scratch"

    def count_done(work: DecodeShards) -> int:
        return sum(map(work.is_done, work.list_shards()))

    start(make(raw, scratch), 6)
    assert count_done(make(raw, scratch)) == 1
    assert count_done(make(raw, scratch, size=SIZE + 1)) == 0
    assert count_done(make(raw, scratch, "error")) == 0
    assert count_done(make(write_raw(tmp_path / "more", 7), scratch)) == 0
    assert count_done(make(write_raw(tmp_path / "other", 6, bad=(0,)), scratch)) == 0


@pytest.mark.usefixtures("small_shards")
def test_first_bad_image_stops_the_run_where_none_is_to_be_left_out(tmp_path: Path) -> None:
    work = make(write_raw(tmp_path / "raw", 11, bad=(5, 6, 9)), tmp_path / "scratch", "error")
    with pytest.raises(BadImageError, match=r"^5\.png: is not an image"):
        finish(work, tmp_path / "done")
    assert not (tmp_path / "done").exists()
    # Of the shard that it is in, nothing is left.
    assert sorted(path.name for path in work.folder.iterdir()) == ["000000.csv", "000000.npy"]


@pytest.mark.usefixtures("small_shards")
def test_no_image_at_all_is_one_error(tmp_path: Path) -> None:
    work = make(write_raw(tmp_path / "raw", 5, bad=(0, 1, 2, 3, 4)), tmp_path / "scratch")
    with pytest.raises(PipelineError, match="no image of the dataset can be decoded"):
        finish(work, tmp_path / "done")
    assert not (tmp_path / "done").exists()


def test_a_stage_killed_by_the_system_goes_on(tmp_path: Path) -> None:
    num_images = 2 * SHARD_SIZE + 1
    raw = write_raw(tmp_path / "data" / "raw", num_images, slow=range(SHARD_SIZE + 10, SHARD_SIZE + 70))
    shutil.copy(ROOT / "params.yaml", tmp_path / "params.yaml")
    command = [sys.executable, "-m", "fusionseq.stages.preprocess"]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    process = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    # Until a shard is done, and long before all of them are.
    while time.monotonic() < deadline and not list(tmp_path.glob(".scratch/*/000000.csv")):
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "data" / "processed").exists()
    done = subprocess.run(command, cwd=tmp_path, env=environment, check=True, capture_output=True, text=True)
    before = int(done.stdout.partition(f"{num_images} images, ")[2].partition(" ")[0])
    assert before == SHARD_SIZE
    size = int(ShardedArray(tmp_path / "data" / "processed" / "images").shape[1])
    finish(make(raw, tmp_path / "scratch", "error", size), tmp_path / "straight")
    assert read_folder(tmp_path / "data" / "processed") == read_folder(tmp_path / "straight")
