from pathlib import Path
from types import SimpleNamespace
from typing import Literal

import keras
import numpy as np
import pytest
from numpy.typing import NDArray
from sharded import make_work, run_all, write_images, write_shards

from fusionseq.errors import PipelineError
from fusionseq.feature_files import choose_mode, estimate_size, read_inputs, write_modes
from fusionseq.features import extract_features
from fusionseq.shard_files import ShardedArray

Mode = Literal["auto", "cached", "streaming"]

pytestmark = pytest.mark.usefixtures("runtime")


@pytest.fixture(scope="module")
def frozen() -> keras.Model:
    image = keras.Input((4, 4, 3), dtype="uint8")
    cut = keras.layers.Rescaling(2.0)(image)
    return keras.Model(image, {"vgg16/cut": cut, "vgg16/pooled": keras.layers.GlobalAveragePooling2D()(cut)})


def draw(num_images: int) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (num_images, 4, 4, 3)).astype(np.uint8)


def store(root: Path, frozen: keras.Model, images: NDArray[np.uint8], dtype: str, *ends: int) -> Path:
    """Compute and store features as the stage does, from images in shards."""
    work = make_work(root, root, write_images(root, images, *ends), ["vgg16"], dtype, frozen=[frozen])
    run_all(work, work.list_shards())
    work.finish(root / "features")
    return root / "features"


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_features_survive_the_disk(frozen: keras.Model, tmp_path: Path, dtype: str) -> None:
    images = draw(9)
    rows = list(extract_features(frozen, images))
    folder = store(tmp_path, frozen, images, dtype, 4, 5)
    write_modes(folder, "cached", ["vgg16"])
    inputs = read_inputs(folder, tmp_path / "images", ["vgg16/cut", "vgg16/pooled"])
    assert isinstance(inputs, dict)
    assert isinstance(inputs["vgg16/cut"], ShardedArray)
    assert all(isinstance(shard, np.memmap) for shard in inputs["vgg16/cut"].shards())
    for name, shape in (("vgg16/cut", (9, 4, 4, 3)), ("vgg16/pooled", (9, 3))):
        assert (str(inputs[name].dtype), inputs[name].shape) == (dtype, shape)
        np.testing.assert_array_equal(inputs[name][:], np.array([row[name] for row in rows], dtype))


def test_estimate_is_what_is_written(frozen: keras.Model, tmp_path: Path) -> None:
    folder = store(tmp_path, frozen, draw(500) // 16, "float16", 480)
    written = sum(path.stat().st_size for path in folder.rglob("*.npy"))
    estimate = estimate_size([frozen], 500, "float16")
    assert 0 <= written - estimate <= 4 * 128, "but for the headers"
    assert estimate_size([frozen, frozen], 500, "float32") == 4 * estimate


def test_streaming_reads_the_images(tmp_path: Path) -> None:
    write_modes(tmp_path, "streaming", ["vgg16"])
    assert [path.name for path in (tmp_path / "vgg16").iterdir()] == ["mode.json"]
    images = draw(5)
    inputs = read_inputs(tmp_path, write_shards(tmp_path / "images", images, 2), ["vgg16/cut", "vgg16/pooled"])
    assert isinstance(inputs, ShardedArray)
    np.testing.assert_array_equal(inputs[:], images)


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


def test_missing_features_are_one_error(tmp_path: Path) -> None:
    names = ["vgg16/cut", "vgg16/pooled"]
    with pytest.raises(PipelineError, match=r"mode\.json does not exist"):
        read_inputs(tmp_path, tmp_path / "images", names)
    write_modes(tmp_path, "cached", ["vgg16"])
    write_shards(tmp_path / "vgg16" / "cut", np.zeros((2, 3)))
    with pytest.raises(PipelineError, match=r"vgg16/pooled holds no array\. Run `dvc repro` to make it\.$"):
        read_inputs(tmp_path, tmp_path / "images", names)


def test_each_model_finds_its_own_in_a_folder_of_its_own(tmp_path: Path) -> None:
    image = keras.Input((4, 4, 3), dtype="uint8")
    cut = keras.layers.Rescaling(2.0)(image)
    frozen = keras.Model(image, {"vgg16/cut": cut, "stacked/cut": keras.layers.Rescaling(0.5)(cut)})
    images = draw(3)
    folder = store(tmp_path, frozen, images, "float32", 2)
    write_modes(folder, "cached", ["vgg16", "stacked", "wide_head"])
    assert sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.*")) == [
        "stacked/cut/000000.npy",
        "stacked/cut/000001.npy",
        "stacked/mode.json",
        "vgg16/cut/000000.npy",
        "vgg16/cut/000001.npy",
        "vgg16/mode.json",
        "wide_head/mode.json",
    ]
    inputs = read_inputs(folder, tmp_path, ["stacked/cut"])
    assert isinstance(inputs, dict)
    np.testing.assert_array_equal(inputs["stacked/cut"][:], images)
