"""Weights of ImageNet, end to end: files of the true architectures and layouts, from a real server on loopback.

The published files themselves cannot be had without a network. Stand-ins differ from them in their numbers alone.
"""

import dataclasses
import hashlib
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import h5py
import keras
import numpy as np
import pytest
from file_server import FileServer, serving, use_proxy
from numpy.typing import NDArray
from safetensors.numpy import save

from fusionseq.artifacts import read_json, write_json
from fusionseq.catalog import BACKBONES
from fusionseq.checksums import Checksums
from fusionseq.errors import PipelineError
from fusionseq.models.weights import build_untrained
from fusionseq.params import Params, read_params
from fusionseq.paths import Paths
from fusionseq.pretrained import Pretrained, open_pretrained
from fusionseq.sections import EmbeddedWeights, ImageNetWeights
from fusionseq.stages.backbones import backbones
from fusionseq.weight_files import read_weights

ROOT = Path(__file__).parent.parent
FOLDER = "keras-applications"
EMBEDDED = [name for name, backbone in BACKBONES.items() if backbone.is_embedded]
OTHERS = [name for name in BACKBONES if name not in EMBEDDED]

# Keras counts up what it names itself.
AUTOMATIC_NAME = re.compile(r"layer_normalization(_\d+)?")


def build_application(name: str, seed: int) -> keras.Model:
    """Build a backbone as `keras.applications` does, at a size of its own, with numbers that no two layers share."""
    build = getattr(keras.applications, BACKBONES[name].application)
    model = build(include_top=False, weights=None, input_shape=(96, 64, 3))
    generator = np.random.default_rng(seed)
    model.set_weights([generator.random(weight.shape, np.float32) for weight in model.weights])
    return model


def write_published(path: Path, model: keras.Model) -> None:
    """Write weights as the published files hold them: at the top, under names that the layers no longer have."""
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [f"old_{number}".encode() for number, _ in enumerate(model.layers)]
        file.attrs["backend"], file.attrs["keras_version"] = b"tensorflow", b"2.0.6"
        for number, layer in enumerate(model.layers):
            group = file.create_group(f"old_{number}")
            names = [f"old_{number}/{weight.name}:0".encode() for weight in layer.weights]
            group.attrs["weight_names"] = names
            for weight_name, weight in zip(names, layer.weights, strict=True):
                group[weight_name.decode()] = np.asarray(weight)


@pytest.fixture(scope="module")
def applications() -> dict[str, keras.Model]:
    """Models whose weights stand in for those of ImageNet."""
    return {name: build_application(name, seed) for seed, name in enumerate(EMBEDDED)}


@pytest.fixture(scope="module")
def files(
    applications: dict[str, keras.Model], tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> dict[str, bytes]:
    """What the server has, in either layout of a legacy file."""
    layout: Literal["published", "saved"] = request.param
    folder = tmp_path_factory.mktemp(layout)
    logging.getLogger("absl").setLevel(logging.ERROR)
    for name, model in applications.items():
        if layout == "published":
            write_published(folder / f"{name}.h5", model)
        else:
            model.save(folder / f"{name}.h5")
    return {f"{FOLDER}/{BACKBONES[name].imagenet_file}": (folder / f"{name}.h5").read_bytes() for name in applications}


@pytest.fixture
def server(files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    """A mirror of `keras.applications`, whose VGG16 has the digest that the catalog knows."""
    use_proxy(monkeypatch, None)
    vgg16 = BACKBONES["vgg16"]
    md5 = hashlib.md5(files[f"{FOLDER}/{vgg16.imagenet_file}"], usedforsecurity=False).hexdigest()
    monkeypatch.setitem(BACKBONES, "vgg16", dataclasses.replace(vgg16, imagenet_md5=md5))
    with serving(files) as server:
        yield server


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    """A folder without the backbones that ship with the repository."""
    return Paths(tmp_path)


def make_params(address: str) -> Params:
    params = read_params(ROOT / "params.yaml")
    return params.model_copy(update={"weights": ImageNetWeights(source="imagenet", address=address)})


def run(server: FileServer, paths: Paths) -> None:
    backbones(make_params(server.url(FOLDER)), paths)


def expect_weights(backbone: keras.Model, application: keras.Model, prefix: str) -> None:
    """Hold the weights of each layer against those of the layer of the same name."""
    found, expected = (
        [layer for layer in model.layers if layer.weights and not AUTOMATIC_NAME.fullmatch(layer.name)]
        for model in (backbone, application)
    )
    assert [layer.name for layer in found] == [prefix + layer.name for layer in expected]
    assert len(backbone.weights) == len(application.weights)
    for layer, other in zip(found, expected, strict=True):
        for weight, original in zip(layer.weights, other.weights, strict=True):
            np.testing.assert_array_equal(np.asarray(weight), np.asarray(original), err_msg=weight.path)


@pytest.mark.parametrize("files", ["published", "saved"], indirect=True)
def test_weights_on_disk_are_those_on_the_server(
    server: FileServer, files: dict[str, bytes], applications: dict[str, keras.Model], paths: Paths
) -> None:
    run(server, paths)
    assert len(server.requests) == 2
    for name, application in applications.items():
        backbone = build_untrained(name)
        read_weights(paths.backbones / f"{name}.weights.h5", backbone)
        expect_weights(backbone, application, "")
    assert read_json(paths.backbone_record) == {
        "source": "imagenet",
        "files": {
            name: {
                "name": f"{FOLDER}/{BACKBONES[name].imagenet_file}",
                "size": len(files[f"{FOLDER}/{BACKBONES[name].imagenet_file}"]),
                "sha256": hashlib.sha256(files[f"{FOLDER}/{BACKBONES[name].imagenet_file}"]).hexdigest(),
            }
            for name in EMBEDDED
        },
    }


@pytest.mark.parametrize("files", ["published"], indirect=True)
def test_second_run_and_another_folder_give_the_same_bytes(server: FileServer, paths: Paths, tmp_path: Path) -> None:
    run(server, paths)
    first = {path.name: path.read_bytes() for path in paths.backbones.iterdir()}
    assert set(first) == {"mobilenetv2.weights.h5", "record.json", "vgg16.weights.h5"}
    # Nobody is there any more.
    backbones(make_params("http://127.0.0.1:1/elsewhere"), paths)
    assert {path.name: path.read_bytes() for path in paths.backbones.iterdir()} == first
    other = Paths(tmp_path / "other")
    run(server, other)
    assert {path.name: path.read_bytes() for path in other.backbones.iterdir()} == first
    assert other.checksums.read_bytes() == paths.checksums.read_bytes()
    assert len(server.requests) == 4


def open_imagenet(server: FileServer, paths: Paths, names: list[str]) -> Pretrained:
    weights = ImageNetWeights(source="imagenet", address=server.url(FOLDER))
    checksums = Checksums(paths.checksums)
    return open_pretrained(weights, names, paths.embedded_weights, paths.embedded_record, paths.downloads, checksums)


@pytest.mark.parametrize("name", OTHERS)
def test_published_weights_of_other_backbones_find_their_layers(
    broken: FileServer, paths: Paths, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    application = build_application(name, seed=0)
    write_published(paths.root / "x.h5", application)
    backbone = BACKBONES[name]
    content = (paths.root / "x.h5").read_bytes()
    if backbone.imagenet_md5 is not None:
        broken.files[f"{FOLDER}/{backbone.imagenet_file}"] = b"anything"
        with pytest.raises(PipelineError, match=f"publisher gives {backbone.imagenet_md5}"):
            open_imagenet(broken, paths, [name])
        md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
        monkeypatch.setitem(BACKBONES, name, dataclasses.replace(backbone, imagenet_md5=md5))
    broken.files[f"{FOLDER}/{backbone.imagenet_file}"] = content
    pretrained = open_imagenet(broken, paths, [name])
    assert list(pretrained.models) == list(pretrained.record["files"]) == [name]
    expect_weights(pretrained.models[name], application, backbone.layer_prefix)


@pytest.mark.parametrize("files", ["published"], indirect=True)
def test_only_what_is_named_is_fetched(server: FileServer, paths: Paths) -> None:
    pretrained = open_imagenet(server, paths, ["vgg16"])
    assert list(pretrained.models) == list(pretrained.record["files"]) == ["vgg16"]
    assert len(server.requests) == 1


def test_embedded_weights_of_another_backbone_are_refused_in_one_line(paths: Paths) -> None:
    weights = EmbeddedWeights(source="embedded", sha256="0" * 64)
    names = ["mobilenetv2", "resnet50", "densenet121"]
    expected = (
        "weights.source embedded holds mobilenetv2 and vgg16 alone; set weights.source: imagenet and its address, or "
        "name these in backbones and controls. Got resnet50, densenet121."
    )
    with pytest.raises(PipelineError) as caught:
        open_pretrained(
            weights,
            names,
            paths.embedded_weights,
            paths.embedded_record,
            paths.downloads,
            Checksums(paths.checksums),
        )
    assert str(caught.value) == expected


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    """A mirror that has nothing."""
    use_proxy(monkeypatch, None)
    with serving({}) as server:
        yield server


def expect_one_line(server: FileServer, paths: Paths, expected: str) -> None:
    with pytest.raises(PipelineError, match=expected) as caught:
        run(server, paths)
    assert "\n" not in str(caught.value)
    assert not paths.backbones.exists()


@pytest.mark.parametrize("content", ["other backbone", "narrower backbone", "half", "page", "nothing"])
def test_what_is_no_mobilenetv2_is_one_line_and_not_trusted(
    broken: FileServer, applications: dict[str, keras.Model], paths: Paths, tmp_path: Path, content: str
) -> None:
    if content == "narrower backbone":
        narrower = keras.applications.MobileNetV2(alpha=0.5, include_top=False, weights=None, input_shape=(32, 32, 3))
        write_published(tmp_path / "x.h5", narrower)
    else:
        write_published(tmp_path / "x.h5", applications["vgg16" if content == "other backbone" else "mobilenetv2"])
    whole = (tmp_path / "x.h5").read_bytes()
    served = {"half": whole[: len(whole) // 2], "page": b"<html>Log in!</html>", "nothing": b""}.get(content, whole)
    broken.files[f"{FOLDER}/{BACKBONES['mobilenetv2'].imagenet_file}"] = served
    expect_one_line(broken, paths, r"does not fit mobilenetv2, or is damaged: .* The file was removed")
    assert not paths.checksums.exists()
    assert [path for path in paths.downloads.rglob("*") if path.is_file()] == []


def test_recorded_file_that_fits_no_longer_is_one_line(broken: FileServer, paths: Paths) -> None:
    name = f"{FOLDER}/{BACKBONES['mobilenetv2'].imagenet_file}"
    broken.files[name] = b"right digest, wrong content"
    Checksums(paths.checksums).check(name, hashlib.sha256(broken.files[name]).hexdigest())
    expect_one_line(broken, paths, "does not fit mobilenetv2, or is damaged")


def test_address_that_leads_nowhere_names_its_parameter(broken: FileServer, paths: Paths) -> None:
    expect_one_line(broken, paths, r"404 Not Found; check weights\.address in params\.yaml\.$")


def test_vgg16_must_have_the_digest_that_keras_knows(
    broken: FileServer, applications: dict[str, keras.Model], paths: Paths, tmp_path: Path
) -> None:
    write_published(tmp_path / "x.h5", applications["mobilenetv2"])
    broken.files[f"{FOLDER}/{BACKBONES['mobilenetv2'].imagenet_file}"] = (tmp_path / "x.h5").read_bytes()
    broken.files[f"{FOLDER}/{BACKBONES['vgg16'].imagenet_file}"] = b"anything"
    expect_one_line(broken, paths, r"publisher gives 6d6bbae143d832006294945121d1f1fc")
    assert list(read_json(paths.checksums)) == [f"{FOLDER}/{BACKBONES['mobilenetv2'].imagenet_file}"]


def test_embedded_weights_need_no_network_and_keep_their_record(
    paths: Paths, embedded_weights: dict[str, NDArray[np.float16]], monkeypatch: pytest.MonkeyPatch
) -> None:
    use_proxy(monkeypatch, "http://127.0.0.1:1")
    paths.embedded_weights.parent.mkdir()
    paths.embedded_weights.write_bytes(save(embedded_weights))
    digest = hashlib.sha256(paths.embedded_weights.read_bytes()).hexdigest()
    record = {"sha256": digest, "num_classes": 52}
    write_json(paths.embedded_record, record)
    params = read_params(ROOT / "params.yaml")
    backbones(params.model_copy(update={"weights": EmbeddedWeights(source="embedded", sha256=digest)}), paths)
    assert read_json(paths.backbone_record) == record
    backbone = build_untrained("vgg16")
    read_weights(paths.backbones / "vgg16.weights.h5", backbone)
    for weight in backbone.weights:
        expected = embedded_weights[f"vgg16/{weight.path}"].astype(np.float32)
        np.testing.assert_array_equal(np.asarray(weight), expected, err_msg=weight.path)
    assert not paths.checksums.exists()
