"""Images to arrays: decoding and resizing JPEGs, against plain Pillow and against `tf.data`."""

import math
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO

import numpy as np
import tensorflow as tf
from PIL import Image

from fusionseq.preprocessing import resize_images

IMAGE_SIZE = 224
ROUNDS = 3
# Cells across a picture and how strongly they show, from its large shapes to its grain.
_LAYERS = ((4, 60), (16, 40), (64, 25), (200, 10))


def measure_input(quick: bool) -> dict[str, float]:
    """Measure the images per second from JPEGs of about 500 by 375 pixels to arrays of 224 by 224.

    All of them use every core, in alternate rounds of which the best counts. What is compared:

    - `ours`: `resize_images`, which hands uint8 arrays on in order, as prediction uses it; the stage `preprocess` also
      computes a perceptual hash of each image;
    - `pillow`: the same decoder and filter in plain loops, one for each core with a share of the images, in threads,
      which take no more processor time than the single loop of `pillow_per_s_per_core`: processes could gain nothing;
    - `tensorflow_bicubic`: `tf.io.decode_jpeg` and `tf.image.resize` with the same filter in `tf.data`, parallel as it
      tunes itself or with one call for each core, whichever is faster; its floats are not rounded to bytes;
    - `tensorflow_bilinear`: the same with the default filter, which reads four pixels for each one that it makes, even
      where it shrinks, and so does less: it does not count for `vs_best`.
    """
    contents = draw_jpegs(64 if quick else 256)
    cores = len(os.sched_getaffinity(0))
    sides: dict[str, Callable[[], object]] = {
        "ours": lambda: _decode_ours(contents),
        "pillow": lambda: _decode_side_by_side(contents, cores),
        "pillow_one_core": lambda: _decode_in_a_loop(contents),
    }
    for method, antialias in (("bicubic", True), ("bilinear", False)):
        for calls in (tf.data.AUTOTUNE, cores):
            dataset = _make_dataset(contents, method, antialias, calls)
            sides[f"tensorflow_{method}_{calls}"] = lambda dataset=dataset: _exhaust(dataset)  # type: ignore[misc]
    seconds = dict.fromkeys(sides, math.inf)
    for run in sides.values():
        run()
    for _ in range(1 if quick else ROUNDS):
        for side, run in sides.items():
            start = time.perf_counter()
            run()
            seconds[side] = min(seconds[side], time.perf_counter() - start)

    def rate(prefix: str) -> float:
        return len(contents) / min(taken for side, taken in seconds.items() if side.startswith(prefix))

    ours, pillow, bicubic = rate("ours"), len(contents) / seconds["pillow"], rate("tensorflow_bicubic")
    return {
        "images": len(contents),
        "ours_per_s": ours,
        "ours_per_s_per_core": ours / cores,
        "pillow_per_s": pillow,
        "pillow_per_s_per_core": len(contents) / seconds["pillow_one_core"],
        "tensorflow_bicubic_per_s": bicubic,
        "tensorflow_bilinear_per_s": rate("tensorflow_bilinear"),
        "vs_best": ours / max(pillow, bicubic),
    }


def draw_jpegs(num_images: int) -> list[bytes]:
    """Draw smooth random pictures with some grain: they take as many bytes as photographs do."""
    rng = np.random.default_rng(0)
    contents = []
    for _ in range(num_images):
        width, height = int(rng.integers(440, 561)), int(rng.integers(320, 431))
        pixels = np.full((height, width, 3), 128.0)
        for cells, strength in _LAYERS:
            shape = (max(2, height * cells // width), cells, 3)
            cell = Image.fromarray(rng.integers(0, 256, shape, dtype=np.uint8))
            layer = np.asarray(cell.resize((width, height), Image.Resampling.BICUBIC))
            pixels += strength * (layer / 127.5 - 1)
        content = BytesIO()
        Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(content, "JPEG", quality=90)
        contents.append(content.getvalue())
    return contents


def _decode_ours(contents: Sequence[bytes]) -> None:
    for _ in resize_images(contents, [""] * len(contents), IMAGE_SIZE):
        pass


def _decode_in_a_loop(contents: Sequence[bytes]) -> None:
    for content in contents:
        image = Image.open(BytesIO(content)).convert("RGB")
        np.asarray(image.resize((IMAGE_SIZE, IMAGE_SIZE), Image.Resampling.BICUBIC))


def _decode_side_by_side(contents: Sequence[bytes], cores: int) -> None:
    with ThreadPoolExecutor(cores) as pool:
        list(pool.map(_decode_in_a_loop, [contents[first::cores] for first in range(cores)]))


def _make_dataset(contents: Sequence[bytes], method: str, antialias: bool, calls: int) -> tf.data.Dataset:
    def decode(content: tf.Tensor) -> tf.Tensor:
        image = tf.io.decode_jpeg(content, channels=3)
        return tf.image.resize(image, (IMAGE_SIZE, IMAGE_SIZE), method=method, antialias=antialias)

    dataset = tf.data.Dataset.from_tensor_slices(list(contents))
    dataset = dataset.map(decode, num_parallel_calls=calls).prefetch(tf.data.AUTOTUNE)
    options = tf.data.Options()
    # The threads of the runtime are set for training.
    options.threading.private_threadpool_size = len(os.sched_getaffinity(0))
    return dataset.with_options(options)


def _exhaust(dataset: tf.data.Dataset) -> None:
    for _ in dataset:
        pass
