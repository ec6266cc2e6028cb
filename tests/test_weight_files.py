import hashlib
import time
from pathlib import Path

import keras
import numpy as np
import pytest
from conftest import Experiment, Trained
from safetensors.numpy import save

from fusionseq.artifacts import write_json
from fusionseq.errors import PipelineError
from fusionseq.models.cutting import get_backbone, list_backbones
from fusionseq.models.head import Head, build_head
from fusionseq.weight_files import read_backbones, read_embedded, read_weights, write_weights

pytestmark = pytest.mark.usefixtures("runtime")


def build(seed: int = 0, units: int = 4) -> keras.Model:
    features = keras.Input((6,), name="features")
    return keras.Model(features, build_head(features, Head(3, units, 0.5, seed)), name="small")


def test_same_seed_gives_the_same_bytes_at_another_time(tmp_path: Path) -> None:
    write_weights(tmp_path / "one.weights.h5", build())
    # HDF5 keeps times in whole seconds, where it keeps them.
    time.sleep(1.1)
    write_weights(tmp_path / "two.weights.h5", build())
    write_weights(tmp_path / "other.weights.h5", build(seed=1))
    one, two, other = ((tmp_path / f"{name}.weights.h5").read_bytes() for name in ("one", "two", "other"))
    assert one == two
    assert one != other


def test_trained_weights_survive_the_disk(experiment: Experiment, trained: Trained, tmp_path: Path) -> None:
    write_weights(tmp_path / "model.weights.h5", trained.model)
    assert [path.name for path in tmp_path.iterdir()] == ["model.weights.h5"]
    model = experiment.build("sequential", seed=1)
    read_weights(tmp_path / "model.weights.h5", model)
    for weight, expected in zip(model.weights, trained.model.weights, strict=True):
        np.testing.assert_array_equal(np.array(weight), np.array(expected), err_msg=weight.path)


def test_writing_anew_gives_the_same_bytes_for_a_trained_model(trained: Trained, tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_weights(tmp_path / f"{name}.weights.h5", trained.model)
    assert (tmp_path / "one.weights.h5").read_bytes() == (tmp_path / "two.weights.h5").read_bytes()


def test_missing_weights_are_one_error(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match=r"model\.weights\.h5 does not exist\. Run `dvc repro`"):
        read_weights(tmp_path / "model.weights.h5", build())


@pytest.mark.parametrize("damage", ["truncated", "empty", "text", "within"])
def test_damaged_weights_are_one_error(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "model.weights.h5"
    write_weights(path, build())
    content = path.read_bytes()
    # The names of what is inside lie in heaps.
    within = content.replace(b"HEAP", b"heap")
    halved = content[: len(content) // 2]
    path.write_bytes({"truncated": halved, "empty": b"", "text": b"weights", "within": within}[damage])
    with pytest.raises(PipelineError, match="does not fit small, or is damaged") as caught:
        read_weights(path, build())
    assert "\n" not in str(caught.value)


def test_weights_of_another_architecture_are_one_error(tmp_path: Path) -> None:
    path = tmp_path / "model.weights.h5"
    write_weights(path, build(units=4))
    with pytest.raises(PipelineError, match="does not fit small, or is damaged") as caught:
        read_weights(path, build(units=5))
    assert "\n" not in str(caught.value)


def test_every_backbone_gets_its_own_weights(experiment: Experiment, tmp_path: Path, fusion: keras.Model) -> None:
    for name in list_backbones(fusion):
        write_weights(tmp_path / f"{name}.weights.h5", get_backbone(fusion, name))
    sequential = experiment.build("sequential")
    kernels = [np.array(variable) for variable in get_backbone(sequential, "mobilenetv2").weights]
    for variable in get_backbone(sequential, "mobilenetv2").weights:
        variable.assign(np.zeros(variable.shape))
    read_backbones(tmp_path, sequential)
    for variable, expected in zip(get_backbone(sequential, "mobilenetv2").weights, kernels, strict=True):
        np.testing.assert_array_equal(np.array(variable), expected, err_msg=variable.path)


def test_backbones_of_both_models_are_the_same(fusion: keras.Model, sequential: keras.Model) -> None:
    first, second = (get_backbone(model, "mobilenetv2").weights for model in (fusion, sequential))
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(np.array(one), np.array(other), err_msg=one.path)


def test_missing_backbone_is_one_error(sequential: keras.Model, tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match=r"mobilenetv2\.weights\.h5 does not exist"):
        read_backbones(tmp_path, sequential)


def test_embedded_weights_come_with_their_record(tmp_path: Path) -> None:
    weights, record = tmp_path / "backbones.safetensors", tmp_path / "backbones.json"
    weights.write_bytes(save({"vgg16/a": np.arange(3, dtype=np.float16)}))
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    write_json(record, {"sha256": digest, "num_classes": 52})
    arrays, made = read_embedded(weights, record, digest)
    assert arrays["vgg16/a"].tolist() == [0, 1, 2]
    assert made == {"sha256": digest, "num_classes": 52}


@pytest.mark.parametrize("stale", ["weights", "record"])
def test_embedded_weights_and_record_must_both_be_those_of_the_digest(tmp_path: Path, stale: str) -> None:
    weights, record = tmp_path / "backbones.safetensors", tmp_path / "backbones.json"
    weights.write_bytes(save({"vgg16/a": np.arange(3, dtype=np.float16)}))
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    write_json(record, {"sha256": "0" * 64 if stale == "record" else digest})
    if stale == "weights":
        weights.write_bytes(save({"vgg16/a": np.zeros(3, np.float16)}))
    name = {"weights": "backbones.safetensors", "record": "backbones.json"}[stale]
    with pytest.raises(PipelineError, match=rf"^{name} .*{digest}"):
        read_embedded(weights, record, digest)
