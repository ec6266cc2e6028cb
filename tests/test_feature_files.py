from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Literal

import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from fusionseq.errors import PipelineError
from fusionseq.feature_files import choose_mode, estimate_size, read_inputs, write_features, write_modes
from fusionseq.features import extract_features

Mode = Literal["auto", "cached", "streaming"]

pytestmark = pytest.mark.usefixtures("runtime")


@pytest.fixture(scope="module")
def frozen() -> keras.Model:
    image = keras.Input((4, 4, 3), dtype="uint8")
    cut = keras.layers.Rescaling(2.0)(image)
    return keras.Model(image, {"vgg16/cut": cut, "vgg16/pooled": keras.layers.GlobalAveragePooling2D()(cut)})


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_features_survive_the_disk(frozen: keras.Model, tmp_path: Path, dtype: str) -> None:
    images = np.random.default_rng(0).integers(0, 256, (9, 4, 4, 3)).astype(np.uint8)
    rows = list(extract_features(frozen, images))
    write_features(tmp_path, "cached", frozen, len(images), iter(rows), dtype)
    write_modes(tmp_path, "cached", ["vgg16"])
    inputs = read_inputs(tmp_path, tmp_path / "images.npy", ["vgg16/cut", "vgg16/pooled"])
    assert isinstance(inputs, dict)
    assert isinstance(inputs["vgg16/cut"], np.memmap)
    for name, shape in (("vgg16/cut", (9, 4, 4, 3)), ("vgg16/pooled", (9, 3))):
        assert (str(inputs[name].dtype), inputs[name].shape) == (dtype, shape)
        np.testing.assert_array_equal(inputs[name], np.array([row[name] for row in rows], dtype))


def test_estimate_is_what_is_written(frozen: keras.Model, tmp_path: Path) -> None:
    rows = [{"vgg16/cut": np.zeros((4, 4, 3), np.float32), "vgg16/pooled": np.zeros(3, np.float32)}] * 500
    write_features(tmp_path, "cached", frozen, len(rows), iter(rows), "float16")
    written = sum(path.stat().st_size for path in (tmp_path / "vgg16").glob("*.npy"))
    estimate = estimate_size([frozen], len(rows), "float16")
    assert 0 <= written - estimate <= 2 * 128, "but for the headers"
    assert estimate_size([frozen, frozen], len(rows), "float32") == 4 * estimate


def test_streaming_stores_nothing_and_reads_the_images(frozen: keras.Model, tmp_path: Path) -> None:
    def extract() -> Iterator[dict[str, NDArray[np.float32]]]:
        yield {"vgg16/cut": np.zeros(0, np.float32)}
        raise AssertionError("nothing is computed")

    write_features(tmp_path, "streaming", frozen, 2, extract(), "float32")
    assert list(tmp_path.iterdir()) == []
    write_modes(tmp_path, "streaming", ["vgg16"])
    assert [path.name for path in (tmp_path / "vgg16").iterdir()] == ["mode.json"]
    images = np.arange(24, dtype=np.uint8).reshape(2, 2, 2, 3)
    np.save(tmp_path / "images.npy", images)
    inputs = read_inputs(tmp_path, tmp_path / "images.npy", ["vgg16/cut", "vgg16/pooled"])
    np.testing.assert_array_equal(np.asarray(inputs), images)


@pytest.mark.parametrize(
    ("mode", "augmented", "free", "expected"),
    [
        ("auto", False, 2000, "cached"),
        ("auto", False, 1999, "streaming"),
        ("auto", True, 9999, "streaming"),
        ("cached", False, 2000, "cached"),
        ("streaming", False, 9999, "streaming"),
    ],
)
def test_mode_follows_the_free_disk(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, mode: Mode, augmented: bool, free: int, expected: str
) -> None:
    give_disk(monkeypatch, free)
    assert choose_mode(mode, augmented, 1000, tmp_path / "not" / "yet" / "there") == expected


def test_disk_too_small_is_one_clear_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    give_disk(monkeypatch, 3 * 2**30)
    with pytest.raises(PipelineError, match=r"2 times 2\.00 GiB.*3\.00 GiB are free; .*features\.mode: streaming"):
        choose_mode("cached", False, 2 * 2**30, tmp_path)


def give_disk(monkeypatch: pytest.MonkeyPatch, free: int) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=free) if path.exists() else None)


def test_feature_beyond_float16_is_an_error(frozen: keras.Model, tmp_path: Path) -> None:
    rows = [{"vgg16/cut": np.full((4, 4, 3), 1e6, np.float32), "vgg16/pooled": np.zeros(3, np.float32)}]
    with pytest.raises(PipelineError, match=r"features\.dtype: float32"):
        write_features(tmp_path, "cached", frozen, 1, iter(rows), "float16")


def test_extraction_that_fails_leaves_no_file(frozen: keras.Model, tmp_path: Path) -> None:
    def extract() -> Iterator[dict[str, NDArray[np.float32]]]:
        yield {"vgg16/cut": np.zeros((4, 4, 3), np.float32), "vgg16/pooled": np.zeros(3, np.float32)}
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_features(tmp_path, "cached", frozen, 2, extract(), "float32")
    assert list((tmp_path / "vgg16").iterdir()) == []


def test_missing_features_are_one_error(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match=r"mode\.json does not exist"):
        read_inputs(tmp_path, tmp_path / "images.npy", ["vgg16/cut", "vgg16/pooled"])


def test_each_model_finds_its_own_in_a_folder_of_its_own(tmp_path: Path) -> None:
    image = keras.Input((2, 2, 3), dtype="uint8")
    cut = keras.layers.Rescaling(2.0)(image)
    frozen = keras.Model(image, {"vgg16/cut": cut, "stacked/cut": keras.layers.Rescaling(0.5)(cut)})
    images = np.arange(24, dtype=np.uint8).reshape(2, 2, 2, 3)
    write_features(tmp_path, "cached", frozen, 2, extract_features(frozen, images), "float32")
    write_modes(tmp_path, "cached", ["vgg16", "stacked", "wide_head"])
    assert sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.*")) == [
        "stacked/cut.npy",
        "stacked/mode.json",
        "vgg16/cut.npy",
        "vgg16/mode.json",
        "wide_head/mode.json",
    ]
    inputs = read_inputs(tmp_path, tmp_path, ["stacked/cut"])
    assert isinstance(inputs, dict)
    np.testing.assert_array_equal(inputs["stacked/cut"], images)
