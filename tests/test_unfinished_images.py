import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fusionseq.artifacts import read_array, read_table
from fusionseq.datasets import Dataset, EncodedImage
from fusionseq.errors import BadImageError, PipelineError
from fusionseq.preprocessing import Preprocessed, preprocess_images
from fusionseq.processed_images import ProcessedImages
from fusionseq.raw_images import RawImages, write_raw_images
from fusionseq.unfinished_images import UnfinishedImages

ROOT = Path(__file__).parent.parent
SIZE = 8


class Killed(BaseException):
    """Nothing that the code under test may catch."""


def draw_image(row: int) -> bytes:
    content = BytesIO()
    pixels = np.random.default_rng(row).integers(0, 256, (12, 12, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(content, "PNG")
    return content.getvalue()


def write_raw(folder: Path, num_images: int, bad: tuple[int, ...] = ()) -> RawImages:
    images = [
        EncodedImage(f"{row}.png", row % 2, b"no image" if row in bad else draw_image(row), "")
        for row in range(num_images)
    ]
    write_raw_images(folder, Dataset(("a", "b"), num_images, images, {}), images, "error")
    return RawImages.read(folder)


def preprocess(raw: RawImages, start: int, stop: int | None = None) -> Iterator[Preprocessed | BadImageError]:
    for row, image in enumerate(preprocess_images(raw.contents(start), raw.names[start:], SIZE), start=start):
        if row == stop:
            raise Killed
        yield image


def finish(scratch: Path, raw: RawImages, folder: Path) -> tuple[int, list[str]]:
    unfinished = UnfinishedImages(scratch, raw, SIZE)
    done = unfinished.num_done
    return done, unfinished.write(preprocess(raw, done), folder, "skip")


def read_folder(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("stop", [0, 1, 9, 10])
def test_killed_work_goes_on_where_it_was_to_the_same_bytes(tmp_path: Path, stop: int) -> None:
    raw = write_raw(tmp_path / "raw", 11, bad=(0, 4, 8))
    assert finish(tmp_path / "other", raw, tmp_path / "straight") == (0, ["0.png", "4.png", "8.png"])
    with pytest.raises(Killed):
        UnfinishedImages(tmp_path / "scratch", raw, SIZE).write(preprocess(raw, 0, stop), tmp_path / "done", "skip")
    assert not (tmp_path / "done").exists()
    assert finish(tmp_path / "scratch", raw, tmp_path / "done") == (stop, ["0.png", "4.png", "8.png"])
    assert read_folder(tmp_path / "done") == read_folder(tmp_path / "straight")
    assert list((tmp_path / "scratch").iterdir()) == []


def test_pixels_and_table_are_of_the_images_that_could_be_decoded(tmp_path: Path) -> None:
    raw = write_raw(tmp_path / "raw", 5, bad=(1,))
    finish(tmp_path / "scratch", raw, tmp_path / "done")
    pixels = read_array(tmp_path / "done" / "images.npy")
    expected = [image for image in preprocess(raw, 0) if isinstance(image, Preprocessed)]
    np.testing.assert_array_equal(pixels, np.stack([image.pixels for image in expected]))
    images = ProcessedImages.read(tmp_path / "done")
    assert images.names == ("0.png", "2.png", "3.png", "4.png")
    assert images.labels.tolist() == [0, 0, 1, 0]
    assert images.perceptual_hashes == tuple(image.perceptual_hash for image in expected)
    assert read_table(tmp_path / "done" / "skipped.csv") == [{"image": "1.png", "reason": "unknown format"}]


def test_a_line_that_was_cut_off_is_done_again(tmp_path: Path) -> None:
    raw = write_raw(tmp_path / "raw", 6)
    with pytest.raises(Killed):
        UnfinishedImages(tmp_path / "scratch", raw, SIZE).write(preprocess(raw, 0, 4), tmp_path / "done", "skip")
    (rows,) = (tmp_path / "scratch").glob("*/rows.jsonl")
    rows.write_bytes(rows.read_bytes()[:-3])
    assert finish(tmp_path / "scratch", raw, tmp_path / "done") == (3, [])
    finish(tmp_path / "other", raw, tmp_path / "straight")
    assert read_folder(tmp_path / "done") == read_folder(tmp_path / "straight")


@pytest.mark.parametrize("lost", ["images.npy", "rows.jsonl"])
def test_work_of_which_a_part_is_lost_begins_anew(tmp_path: Path, lost: str) -> None:
    raw = write_raw(tmp_path / "raw", 6)
    with pytest.raises(Killed):
        UnfinishedImages(tmp_path / "scratch", raw, SIZE).write(preprocess(raw, 0, 4), tmp_path / "done", "skip")
    (path,) = (tmp_path / "scratch").glob(f"*/{lost}")
    path.unlink()
    assert finish(tmp_path / "scratch", raw, tmp_path / "done") == (0, [])


def test_other_images_or_another_size_begin_anew(tmp_path: Path) -> None:
    raw = write_raw(tmp_path / "raw", 6)
    with pytest.raises(Killed):
        UnfinishedImages(tmp_path / "scratch", raw, SIZE).write(preprocess(raw, 0, 4), tmp_path / "done", "skip")
    assert UnfinishedImages(tmp_path / "scratch", raw, SIZE).num_done == 4
    assert UnfinishedImages(tmp_path / "scratch", raw, SIZE + 1).num_done == 0
    assert UnfinishedImages(tmp_path / "scratch", write_raw(tmp_path / "more", 7), SIZE).num_done == 0


def test_a_bad_image_stops_the_run_where_none_is_to_be_left_out(tmp_path: Path) -> None:
    raw = write_raw(tmp_path / "raw", 6, bad=(3,))
    unfinished = UnfinishedImages(tmp_path / "scratch", raw, SIZE)
    with pytest.raises(BadImageError, match=r"^3\.png: is not an image"):
        unfinished.write(preprocess(raw, 0), tmp_path / "done", "error")
    assert not (tmp_path / "done").exists()


def test_no_image_at_all_is_one_error(tmp_path: Path) -> None:
    raw = write_raw(tmp_path / "raw", 2, bad=(0, 1))
    with pytest.raises(PipelineError, match="no image of the dataset can be decoded"):
        finish(tmp_path / "scratch", raw, tmp_path / "done")


def test_a_stage_killed_by_the_system_goes_on(tmp_path: Path) -> None:
    content = BytesIO()
    Image.new("RGB", (1000, 1000), "teal").save(content, "JPEG")
    images = [EncodedImage(f"{row}.jpg", row % 2, content.getvalue(), "") for row in range(400)]
    write_raw_images(tmp_path / "data" / "raw", Dataset(("a", "b"), 400, images, {}), images, "error")
    text = (ROOT / "params.yaml").read_text(encoding="utf-8")
    (tmp_path / "params.yaml").write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "fusionseq.stages.preprocess"]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    process = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    # Until a few images are done, and long before all of them are.
    while time.monotonic() < deadline:
        rows = list(tmp_path.glob(".scratch/*/rows.jsonl"))
        if rows and rows[0].read_bytes().count(b"\n") > 20:
            break
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "data" / "processed").exists()
    done = subprocess.run(command, cwd=tmp_path, env=environment, check=True, capture_output=True, text=True)
    before = int(done.stdout.partition("400 images, ")[2].partition(" ")[0])
    assert 20 < before < 400
    assert len(ProcessedImages.read(tmp_path / "data" / "processed").names) == 400
