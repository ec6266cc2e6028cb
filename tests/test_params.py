import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from fusionseq.errors import PipelineError
from fusionseq.params import Params, read_params, validate_params

ROOT = Path(__file__).parents[1]


def change(content: dict[str, Any], location: str, value: object) -> None:
    *sections, key = location.split(".")
    for section in sections:
        content = content[section]
    content[key] = value


def remove(content: dict[str, Any], location: str) -> None:
    *sections, key = location.split(".")
    for section in sections:
        content = content[section]
    del content[key]


def read_error(content: object) -> str:
    with pytest.raises(PipelineError) as caught:
        validate_params(content, "params.yaml")
    message = str(caught.value)
    assert message.startswith("params.yaml: ")
    assert "\n" not in message
    return message


def read_text_error(tmp_path: Path, text: str | bytes) -> str:
    path = tmp_path / "params.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(PipelineError) as caught:
        read_params(path)
    message = str(caught.value)
    assert message.startswith("params.yaml: ")
    assert "\n" not in message
    return message


def run_module(folder: Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    command = [sys.executable, "-m", "fusionseq.params"]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_committed_parameters_are_valid() -> None:
    assert isinstance(read_params(ROOT / "params.yaml"), Params)


def test_values_arrive_where_they_belong(params_content: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump(params_content), encoding="utf-8")
    assert read_params(path).model_dump() == params_content


@pytest.mark.parametrize(
    ("location", "value", "expected"),
    [
        ("imagesize", 48, "imagesize is not a parameter"),
        ("head.unit", 48, "head.unit is not a parameter"),
        ("data.source", "cats", "data.source must be one of digits, imagefolder, huggingface. Got 'cats'."),
        ("data.num_classes", 1, "data.num_classes: "),
        ("data.num_classes", 11, "data.num_classes: "),
        ("data.images_per_class", 0, "data.images_per_class: "),
        ("split.train", 0.7, "split.train + split.validation + split.test must be 1. Got 1.1."),
        ("split.train", True, "split.train: a number was expected. Got true."),
        ("split.test", 0, "split.test: "),
        ("split.test", "a fifth", "split.test: "),
        ("split.seed", -1, "split.seed: "),
        ("split.seed", 2**32, "split.seed: "),
        ("split", [0.6, 0.2, 0.2], "split must be a section with keys of its own"),
        ("head", None, "head must be a section with keys of its own"),
        ("image_size", 31, "image_size must be at least 32. Got 31."),
        ("image_size", 1025, "image_size: "),
        ("image_size", "48", "image_size: "),
        ("image_size", 48.0, "image_size: "),
        ("weights", "imagenet", "weights must be a section with keys of its own"),
        ("weights.source", "imagenet", "weights.sha256 is not a parameter; remove it or mend its name. (1 more)"),
        ("weights.source", "torchvision", "weights.source must be one of embedded, imagenet. Got 'torchvision'."),
        ("data.path", "elsewhere.txt", "data.path: "),
        ("data.on_bad_image", "ignore", "data.on_bad_image: "),
        ("split.use", "theirs", "split.use: "),
        ("split.use", "source", "split.use must be ours, since data.source digits comes without subsets. Got source."),
        ("split.near_duplicates", -1, "split.near_duplicates: "),
        ("split.near_duplicates", 17, "split.near_duplicates: "),
        ("split.near_duplicates", 2.5, "split.near_duplicates: "),
        ("weights.sha256", "0" * 63, "weights.sha256: "),
        ("weights.sha256", "0" * 64 + "\n", "weights.sha256: "),
        ("weights.sha256", 5, "weights.sha256: "),
        ("first_trained_layer.vgg16", "block6_conv1", "first_trained_layer.vgg16 must be one of block1_conv2, "),
        # A layer of MobileNetV2, but the sum around its block would be cut in two.
        ("first_trained_layer.mobilenetv2", "block_14_depthwise", "first_trained_layer.mobilenetv2 must be one of "),
        ("first_trained_layer.mobilenetv2", 13, "first_trained_layer.mobilenetv2: "),
        (
            "first_trained_layer.alexnet",
            "conv4",
            "first_trained_layer must name a layer of mobilenetv2 and vgg16; others it may name are mobilenetv2, ",
        ),
        ("first_trained_layer", {}, "Got none."),
        ("backbones", ["mobilenetv2"], "backbones: "),
        ("backbones", ["mobilenetv2", "alexnet"], "backbones must be two different ones of mobilenetv2, "),
        ("backbones", ["vgg16", "vgg16"], "Got 'vgg16'."),
        (
            "backbones",
            ["mobilenetv2", "resnet50"],
            "weights.source must be imagenet, since the embedded weights have no resnet50",
        ),
        ("controls", ["alexnet"], "controls must be of stacked, wide_head, vgg16. Got 'alexnet'."),
        ("controls", ["fusion"], "controls must be of stacked, wide_head, vgg16. Got 'fusion'."),
        ("controls", ["mobilenetv2"], "vgg16; mobilenetv2 alone is the sequential model here. Got 'mobilenetv2'."),
        (
            "first_trained_layer.mobilenetv2",
            "block_5_expand",
            "first_trained_layer.mobilenetv2 must be block_6_expand or a later one where controls has stacked",
        ),
        ("image_size", 50, "image_size must be a multiple of 8 where controls has stacked. Got 50."),
        ("controls", [], "add others to controls, or set ensemble: []. Got 'vgg16'."),
        ("controls", ["vgg16", "vgg16"], "controls must not repeat. Got vgg16 more than once."),
        ("controls", "vgg16", "controls: "),
        ("ensemble", ["sequential", "alexnet"], "ensemble must be of fusion, sequential, vgg16, stacked, wide_head, "),
        (
            "ensemble",
            ["sequential", "sequential"],
            "each once; add others to controls, or set ensemble: []. Got 'sequential'.",
        ),
        ("ensemble", ["sequential"], "ensemble must be empty, or name two models or more. Got 'sequential' alone."),
        ("head.units", 0, "head.units: "),
        ("head.units", True, "head.units: "),
        ("head.dropout", 1.0, "head.dropout: "),
        ("head.dropout", False, "head.dropout: a number was expected. Got false."),
        ("training.batch_size", 32.5, "training.batch_size: "),
        ("training.frozen.epochs", 0, "training.frozen.epochs: "),
        ("training.frozen.learning_rate", float("nan"), "training.frozen.learning_rate: "),
        ("training.frozen.learning_rate", float("inf"), "training.frozen.learning_rate: "),
        ("training.frozen.learning_rate", "nan", "training.frozen.learning_rate: "),
        ("training.frozen.learning_rate", -1e-3, "training.frozen.learning_rate: "),
        ("training.fine_tuning.learning_rate", 1e-2, "training.fine_tuning.learning_rate must not exceed "),
        ("seeds", [], "seeds: "),
        ("seeds", [0, 1, 0], "seeds must not repeat. Got 0 more than once."),
        ("seeds", [0, True], "seeds.1: "),
        ("seeds", 3, "seeds: "),
        ("statistics.confidence", 95, "statistics.confidence: "),
        ("statistics.confidence", 0.05, "statistics.confidence: "),
        ("statistics.resamples", 10, "statistics.resamples: "),
        ("runtime.threads", 0, "runtime.threads: "),
        ("runtime.jit_compile", "yes", "runtime.jit_compile: "),
        ("runtime.jit_compile", 1, "runtime.jit_compile: "),
        ("runtime.precision", "float16", "runtime.precision: "),
        ("runtime.deterministic", "no", "runtime.deterministic: "),
        ("runtime.devices", 2, "runtime.devices: "),
        ("runtime.engine", "spark", "runtime.engine: "),
        ("runtime.engine", None, "runtime.engine: "),
        ("runtime.ray_address", "", "runtime.ray_address: "),
        ("runtime.ray_address", 6379, "runtime.ray_address: "),
        ("runtime.ray_address", "head", "runtime.ray_address: "),
        ("runtime.ray_address", "head:", "runtime.ray_address: "),
        ("runtime.ray_address", ":6379", "runtime.ray_address: "),
        ("runtime.ray_address", "head:123456", "runtime.ray_address: "),
        ("runtime.ray_address", "head:6379\n", "runtime.ray_address: "),
        ("runtime.ray_address", "ray://head:10001", "runtime.ray_address: "),
        ("runtime.ray_address", "me@head:6379", "runtime.ray_address: "),
        ("features.mode", "cashed", "features.mode: "),
        ("features.dtype", "bfloat16", "features.dtype: "),
        ("training.augmentation.rotation", 181, "training.augmentation.rotation: "),
        ("training.augmentation.translation", 1, "training.augmentation.translation: "),
        ("training.augmentation.horizontal_flip", 1, "training.augmentation.horizontal_flip: "),
    ],
)
def test_bad_value_is_named(params_content: dict[str, Any], location: str, value: object, expected: str) -> None:
    change(params_content, location, value)
    assert expected in read_error(params_content)


@pytest.mark.parametrize(
    "location",
    [
        *("data.images_per_class", "split.seed", "weights.sha256", "training.frozen.epochs", "seeds"),
        *("runtime.jit_compile", "runtime.engine", "runtime.ray_address"),
    ],
)
def test_nothing_has_a_default(params_content: dict[str, Any], location: str) -> None:
    remove(params_content, location)
    assert read_error(params_content) == f"params.yaml: {location} is missing."


@pytest.mark.parametrize("address", [None, "head:6379", "10.0.0.1:1", "head.example.org:65535"])
def test_a_cluster_is_started_here_or_named_by_its_head(params_content: dict[str, Any], address: str | None) -> None:
    change(params_content, "runtime.engine", "ray")
    change(params_content, "runtime.ray_address", address)
    runtime = validate_params(params_content, "params.yaml").runtime
    assert (runtime.engine, runtime.ray_address) == ("ray", address)


def test_first_of_several_errors_is_named_and_the_others_counted(params_content: dict[str, Any]) -> None:
    change(params_content, "head.units", 0)
    change(params_content, "runtime.threads", 0)
    message = read_error(params_content)
    assert "head.units" in message
    assert message.endswith("(1 more)")


def test_a_mistyped_key_is_named_rather_than_the_one_that_it_leaves_missing(params_content: dict[str, Any]) -> None:
    params_content["head"]["unitz"] = params_content["head"].pop("units")
    assert "head.unitz is not a parameter; remove it or mend its name. (1 more)" in read_error(params_content)


def test_key_with_a_line_break_stays_in_one_line(params_content: dict[str, Any]) -> None:
    change(params_content, "two\nlines", 1)
    read_error(params_content)


@pytest.mark.parametrize(("text", "number"), [("1e-05", 1e-5), ("0.00001", 1e-5), ("1.0e-05", 1e-5)])
def test_learning_rate_as_dvc_writes_it(
    params_content: dict[str, Any], tmp_path: Path, text: str, number: float
) -> None:
    change(params_content, "training.fine_tuning.learning_rate", "LEARNING_RATE")
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump(params_content).replace("LEARNING_RATE", text), encoding="utf-8")
    assert read_params(path).training.fine_tuning.learning_rate == number


def test_fractions_may_be_rounded(params_content: dict[str, Any]) -> None:
    content = params_content
    content["split"] |= {"train": 0.3333333, "validation": 0.3333333, "test": 0.3333334}
    assert validate_params(content, "params.yaml").split.test == 0.3333334
    change(content, "split.test", 0.3334)
    assert "must be 1" in read_error(content)


def test_largest_values_are_accepted(params_content: dict[str, Any]) -> None:
    change(params_content, "seeds", [2**32 - 1])
    change(params_content, "image_size", 1024)
    change(params_content, "head.dropout", 0)
    params = validate_params(params_content, "params.yaml")
    assert (params.seeds, params.image_size, params.head.dropout) == ([2**32 - 1], 1024, 0.0)


def test_parameters_cannot_be_changed(params_content: dict[str, Any]) -> None:
    params = validate_params(params_content, "params.yaml")
    with pytest.raises(ValidationError):
        params.head.units = 3  # type: ignore[misc]
    assert params.head.units == 256


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "must be a mapping of sections. Got NoneType."),
        ("# nothing but a comment\n", "must be a mapping of sections. Got NoneType."),
        ("- head\n- split\n", "must be a mapping of sections. Got list."),
        ("fast", "must be a mapping of sections. Got str."),
        ("head: [1\n", "is not valid YAML"),
        ("head: 1\n\ttraining: 2\n", "is not valid YAML"),
        ("head: 1\n---\nhead: 2\n", "is not valid YAML"),
        ("head: !!python/object/apply:os.getcwd []\n", "is not valid YAML"),
        ("? [head]\n: 1\n", "is not valid YAML"),
        (b"\xff\xfehead: 1\n", "cannot be read as UTF-8 text"),
        ("head: caf\u00e9\n".encode("latin-1"), "cannot be read as UTF-8 text"),
        (b"head: \x00\n", "is not valid YAML"),
        # YAML takes it for a date, and fails to make one.
        ("head: 2020-99-99\n", "is not valid YAML"),
        ("head: !!int many\n", "is not valid YAML"),
        ("image_size: " + "9" * 5000, "is not valid YAML"),
    ],
)
def test_unreadable_file_is_one_error(tmp_path: Path, text: str | bytes, expected: str) -> None:
    assert expected in read_text_error(tmp_path, text)


def test_key_twice_is_refused_with_its_section(tmp_path: Path, params_content: dict[str, Any]) -> None:
    text = "head:\n  units: 1\n  dropout: 0.5\n  units: 2\n"
    assert "the key 'units' stands twice in the section that begins on line 2" in read_text_error(tmp_path, text)
    assert "the key 'seeds' stands twice" in read_text_error(tmp_path, yaml.safe_dump(params_content) + "seeds: [4]\n")


def test_missing_file_is_one_error(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match=r"^params\.yaml: cannot be read"):
        read_params(tmp_path / "params.yaml")


def test_command_accepts_valid_parameters(tmp_path: Path, params_content: dict[str, Any]) -> None:
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params_content), encoding="utf-8")
    done = run_module(tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "params.yaml: valid, 3 seeds.\n", "")


@pytest.mark.parametrize("text", [None, b"\xff", b"head: [", b"head: 1\nhead: 2\n", b"seeds: 2020-99-99\n"])
def test_command_ends_with_one_line_and_status_1(tmp_path: Path, text: bytes | None) -> None:
    if text is not None:
        (tmp_path / "params.yaml").write_bytes(text)
    done = run_module(tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: params.yaml: ")


def test_stored_features_of_changed_images_are_refused(params_content: dict[str, Any]) -> None:
    params_content["features"]["mode"] = "cached"
    params_content["training"]["augmentation"]["horizontal_flip"] = True
    assert "features.mode must be auto or streaming where training.augmentation is on" in read_error(params_content)


FOLDER = {"source": "imagefolder", "path": "/home/me/my photos", "labels": None, "on_bad_image": "skip"}
HUB = {
    "source": "huggingface",
    "path": "requirements.txt",
    "on_bad_image": "error",
    "name": "Bingsu/Cat_and_Dog",
    "revision": "0123456789abcdef" * 2 + "01234567",
    "config": None,
    "image_column": None,
    "label_column": "labels",
}
IMAGENET = {"source": "imagenet", "address": "https://example.org/keras-applications"}


@pytest.mark.parametrize("data", [FOLDER, FOLDER | {"labels": "a b.csv"}, HUB])
@pytest.mark.parametrize("use", ["ours", "source"])
def test_every_source_is_checked_by_its_own_fields(params_content: dict[str, Any], data: object, use: str) -> None:
    params_content |= {"data": data, "weights": IMAGENET}
    params_content["split"] |= {"use": use, "near_duplicates": 4}
    if use == "source" and data is not HUB:
        assert "split.use must be ours, since data.source imagefolder comes without" in read_error(params_content)
    else:
        assert validate_params(params_content, "params.yaml").model_dump() == params_content


@pytest.mark.parametrize(
    ("section", "content", "expected"),
    [
        ("data", FOLDER | {"path": "photos"}, "data.path must be the absolute path of a folder"),
        ("data", FOLDER | {"path": "/photos/../etc"}, "data.path must be the absolute path of a folder"),
        ("data", FOLDER | {"path": "~/photos"}, "data.path must be the absolute path of a folder"),
        ("data", FOLDER | {"path": ""}, "data.path must be the absolute path of a folder"),
        ("data", FOLDER | {"labels": ""}, "data.labels: "),
        ("data", FOLDER | {"num_classes": 3}, "data.num_classes is not a parameter"),
        ("data", HUB | {"revision": "main"}, "data.revision: "),
        ("data", HUB | {"revision": "0" * 39}, "data.revision: "),
        ("data", HUB | {"name": "Cat_and_Dog"}, "data.name: "),
        ("data", HUB | {"name": "../a/b"}, "data.name: "),
        ("data", HUB | {"token": "hf_secret"}, "data.token is not a parameter"),
        ("data", {"path": "requirements.txt"}, "data.source is missing."),
        ("weights", IMAGENET | {"address": "ftp://example.org/x"}, "weights.address: "),
        ("weights", IMAGENET | {"address": "https://user:secret@example.org/x"}, "weights.address: "),
        ("weights", IMAGENET | {"address": "https://example.org/x/"}, "weights.address: "),
        ("weights", IMAGENET | {"sha256": "0" * 64}, "weights.sha256 is not a parameter"),
    ],
)
def test_bad_sources_are_named(params_content: dict[str, Any], section: str, content: object, expected: str) -> None:
    assert expected in read_error(params_content | {section: content})
