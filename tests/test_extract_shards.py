import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from conftest import CUTS, RUNTIME, Experiment
from numpy.typing import NDArray
from sharded import make_work, run_all, write_images

from fusionseq import extract_shards
from fusionseq.engines import run_work
from fusionseq.errors import PipelineError
from fusionseq.extract_shards import ExtractShards
from fusionseq.features import extract_features
from fusionseq.shard_files import ShardedArray, move_shards

NAMES = ("vgg16/cut", "vgg16/pooled")
IMAGES = np.random.default_rng(0).integers(0, 256, (11, 4, 4, 3)).astype(np.uint8)
ENDS = (4, 5)

pytestmark = pytest.mark.usefixtures("runtime")


class Killed(BaseException):
    """Nothing that the code under test may catch."""


@pytest.fixture(scope="module")
def frozen() -> keras.Model:
    image = keras.Input((4, 4, 3), dtype="uint8")
    cut = keras.layers.Rescaling(1 / 255)(image)
    return keras.Model(image, dict(zip(NAMES, (cut, keras.layers.GlobalAveragePooling2D()(cut)), strict=True)))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Images in shards of four, one and six, and something that stands for weights."""
    write_images(tmp_path, IMAGES, *ENDS)
    (tmp_path / "backbones").mkdir()
    (tmp_path / "backbones" / "vgg16.weights.h5").write_bytes(b"weights")
    return tmp_path


def make(root: Path, frozen: keras.Model, dtype: str = "float32", scratch: str = "scratch") -> ExtractShards:
    images = root / "processed" / "images"
    return make_work(root, root / "backbones", images, ["vgg16"], dtype, frozen=[frozen], scratch=scratch)


def finish(work: ExtractShards, target: Path) -> list[str]:
    """Go on to the end, and give the names of the shards that were done before."""
    done = [shard.name for shard in work.list_shards() if work.is_done(shard)]
    run_all(work, work.list_shards())
    work.finish(target)
    return done


def read_folder(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_features_of_shards_are_those_of_all_images_at_once(experiment: Experiment, tmp_path: Path) -> None:
    images = write_images(tmp_path, experiment.images, 7, 8)
    work = make_work(tmp_path, experiment.backbones, images, ["vgg16"], controls=["stacked"])
    shards = work.list_shards()
    assert [(shard.name, shard.num_images) for shard in shards] == [("000000", 7), ("000001", 1), ("000002", 12)]
    assert run_all(work, shards) == 20
    work.finish(tmp_path / "features")
    stored = {path.parent for path in (tmp_path / "features").rglob("*.npy")}
    names = {path.relative_to(tmp_path / "features").as_posix() for path in stored}
    assert names == {"stacked/cut", "vgg16/cut", "vgg16/pooled"}
    for name in names:
        array = ShardedArray(tmp_path / "features" / name)
        assert array.lengths == [7, 1, 12]
        np.testing.assert_array_equal(array[:], experiment.features[name])
    assert list((tmp_path / "scratch").iterdir()) == []


@pytest.mark.parametrize(("stop", "num_done"), [(0, 0), (3, 0), (5, 1), (6, 2), (11, 2)])
def test_killed_work_goes_on_with_its_finished_shards_to_the_same_bytes(
    root: Path, frozen: keras.Model, stop: int, num_done: int
) -> None:
    assert finish(make(root, frozen, scratch="other"), root / "straight") == []
    work = make(root, frozen)
    for _ in islice(run_work(work, work.list_shards(), "local", None), stop):
        pass
    # What the system leaves of a process that it kills.
    (work.folder / "vgg16" / "cut").mkdir(parents=True, exist_ok=True)
    (work.folder / "vgg16" / "cut" / ".host.17.000001.npy").write_bytes(b"half")
    assert finish(make(root, frozen), root / "features") == ["000000", "000001"][:num_done]
    assert read_folder(root / "features") == read_folder(root / "straight")
    assert list((root / "scratch").iterdir()) == []


@pytest.mark.parametrize("lost", ["vgg16/cut/000001.npy", "vgg16/pooled/000001.npy"])
def test_shard_of_which_a_part_is_lost_is_computed_again(root: Path, frozen: keras.Model, lost: str) -> None:
    finish(make(root, frozen, scratch="other"), root / "straight")
    work = make(root, frozen)
    run_all(work, work.list_shards())
    (work.folder / lost).unlink()
    assert finish(make(root, frozen), root / "features") == ["000000", "000002"]
    assert read_folder(root / "features") == read_folder(root / "straight")


@pytest.mark.parametrize("num_moved", [0, 1, 3, 4])
def test_work_killed_as_it_is_put_into_its_place_ends_in_the_same_bytes(
    root: Path, frozen: keras.Model, monkeypatch: pytest.MonkeyPatch, num_moved: int
) -> None:
    def kill(files: list[Path], folder: Path) -> None:
        # All of the first kind, and some of the second.
        allowed = num_moved - len(list((root / "features").rglob("*.npy")))
        move_shards(files[:allowed], folder)
        if len(files) > allowed:
            raise Killed

    finish(make(root, frozen, scratch="other"), root / "straight")
    with monkeypatch.context() as patch:
        patch.setattr(extract_shards, "move_shards", kill)
        with pytest.raises(Killed):
            finish(make(root, frozen), root / "features")
    # As DVC does where the stage starts again.
    shutil.rmtree(root / "features")
    finish(make(root, frozen), root / "features")
    assert read_folder(root / "features") == read_folder(root / "straight")


def test_feature_beyond_float16_is_an_error(root: Path) -> None:
    image = keras.Input((4, 4, 3), dtype="uint8")
    work = make(root, keras.Model(image, {"vgg16/cut": keras.layers.Rescaling(1e6)(image)}), "float16")
    with pytest.raises(PipelineError, match=r"features\.dtype: float32"):
        finish(work, root / "features")
    assert not [path for path in work.folder.rglob("*") if path.is_file()]
    assert not (root / "features").exists()


@pytest.mark.parametrize("failure", [ZeroDivisionError, KeyboardInterrupt, Killed])
def test_extraction_that_fails_leaves_no_file_of_its_shard(
    root: Path, frozen: keras.Model, monkeypatch: pytest.MonkeyPatch, failure: type[BaseException]
) -> None:
    def extract(model: keras.Model, images: NDArray[np.uint8]) -> Iterator[dict[str, NDArray[Any]]]:
        yield from islice(extract_features(model, images), 4)
        if len(images) > 4:
            raise failure

    monkeypatch.setattr(extract_shards, "extract_features", extract)
    work = make(root, frozen)
    with pytest.raises(failure):
        finish(work, root / "features")
    assert [shard.name for shard in work.list_shards() if work.is_done(shard)] == ["000000", "000001"]
    arrays = {path for path in read_folder(work.folder) if path.endswith(".npy")}
    assert arrays == {f"{name}/{shard}.npy" for name in NAMES for shard in ("000000", "000001")}


def test_what_decides_features_decides_whether_work_goes_on(root: Path, frozen: keras.Model) -> None:
    def find(**changes: object) -> str:
        return replace(make(root, frozen), **changes).folder.name  # type: ignore[arg-type]

    def of_runtime(**changes: object) -> str:
        return find(runtime=RUNTIME.model_copy(update=changes))

    before = find()
    same = {
        *(of_runtime(devices="all"), of_runtime(engine="ray"), of_runtime(ray_address="a:1")),
        *(of_runtime(jit_compile=True), find(scratch=root / "elsewhere")),
    }
    assert same == {before}
    others = [
        *(find(dtype="float16"), find(image_size=48), find(controls=("stacked",)), find(backbones=("mobilenetv2",))),
        find(first_trained_layer=CUTS | {"vgg16": "block5_conv2"}),
        *(of_runtime(threads=1), of_runtime(precision="mixed_float16"), of_runtime(deterministic=False)),
    ]
    (root / "backbones" / "vgg16.weights.h5").write_bytes(b"other weights")
    others.append(find())
    (root / "processed" / "images.csv").write_text("other images\n", encoding="utf-8")
    others.append(find())
    os.utime(root / "processed" / "images" / "000001.npy", ns=(1, 1))
    others.append(find())
    assert len({before, *others}) == 1 + len(others)


def test_what_leaves_the_work_to_others_leaves_them_the_gpus(
    root: Path, frozen: keras.Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[object] = []
    monkeypatch.setattr(extract_shards, "hide_gpus", lambda: calls.append("hidden"))
    monkeypatch.setattr(extract_shards, "configure_runtime", lambda *settings: calls.append(settings))
    monkeypatch.setattr(ExtractShards, "_build", lambda *_, **__: [frozen])
    settings = (RUNTIME.threads, "float32", True)
    work = make_work(root, root / "backbones", root / "processed" / "images", ["vgg16"])
    assert (work.frozen, calls) == ([frozen], [settings])
    joined = replace(work, runtime=RUNTIME.model_copy(update={"engine": "ray"}))
    assert (joined.frozen, calls[1:]) == ([frozen], ["hidden"])
    # A worker loads its own, computes, and writes where it is told.
    compute = replace(joined).open(root / "told", 2)
    assert calls[2:] == [settings]
    assert [sum(1 for _ in compute(shard)) for shard in joined.list_shards()] == [4, 1, 6]
    for name in NAMES:
        assert ShardedArray(root / "told" / name).lengths == [4, 1, 6]
    assert (joined.num_cpus, joined.uses_gpu) == (RUNTIME.threads, True)
