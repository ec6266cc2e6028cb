import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import CUTS, Experiment, Trained

from fusionseq.artifacts import write_json
from fusionseq.errors import PipelineError
from fusionseq.features import Inputs
from fusionseq.model_files import (
    Conditions,
    build_model,
    read_card,
    read_conditions,
    read_contents,
    read_history,
    read_model_weights,
    write_model,
)
from fusionseq.models.description import count_parameters, describe_layers, describe_operations
from fusionseq.sections import RuntimeParams

CONDITIONS = Conditions(threads=2, precision="float32", deterministic=True, cut_dtype="float32")


@pytest.fixture(scope="module")
def folder(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained model on disk."""
    folder = tmp_path_factory.mktemp("model")
    write_model(folder, trained.card, CONDITIONS, trained.model, trained.history)
    return folder


def test_folder_is_all_that_is_needed(experiment: Experiment, trained: Trained, folder: Path) -> None:
    model = build_model(read_card(folder))
    read_model_weights(folder, model)
    expected = np.asarray(trained.model(experiment.images, training=False))
    np.testing.assert_array_equal(np.asarray(model(experiment.images, training=False)), expected)


def test_card_survives_the_disk(trained: Trained, folder: Path) -> None:
    assert read_card(folder) == trained.card


@pytest.mark.parametrize("expected", [(1, "mixed_bfloat16", False), (7, "float32", True)])
@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_conditions_are_those_of_the_training(
    trained: Trained, tmp_path: Path, expected: tuple[int, str, bool], dtype: str
) -> None:
    threads, precision, deterministic = expected
    params = RuntimeParams.model_validate(
        {
            "threads": threads,
            "precision": precision,
            "deterministic": deterministic,
            "jit_compile": False,
            "devices": "one",
            "engine": "local",
            "ray_address": None,
        }
    )
    values = np.zeros((1, 1), dtype)
    conditions = Conditions.of_training(params, {"mobilenetv2/cut": values})
    write_model(tmp_path, trained.card, conditions, trained.model, trained.history)
    read = read_conditions(tmp_path)
    assert read == conditions
    assert (read.threads, read.precision, read.deterministic, read.cut_dtype) == (*expected, dtype)
    # Where the images pass the frozen layers in training, nothing is rounded.
    images: Inputs = np.zeros((1, 32, 32, 3), np.uint8)
    assert Conditions.of_training(params, images).cut_dtype == "float32"


def test_contents_are_layers_parameters_and_operations(trained: Trained, folder: Path) -> None:
    contents = read_contents(folder)
    assert contents == {
        "layers": describe_layers(trained.model, CUTS),
        "parameters": count_parameters(trained.model, CUTS),
        "operations": describe_operations(trained.model, CUTS),
    }


def test_history_of_several_models_survives_exactly(trained: Trained, folder: Path, tmp_path: Path) -> None:
    write_model(tmp_path, replace(trained.card, seed=7), CONDITIONS, trained.model, trained.history[:1])
    columns, rows = read_history([folder, tmp_path])
    names = ["seed", "phase", "epoch", "loss", "accuracy", "validation_loss", "validation_accuracy"]
    assert list(columns) == names
    assert [row[0] for row in rows] == ["0", "0", "0", "0", "7"]
    for row, epoch in zip(rows, [*trained.history, trained.history[0]], strict=True):
        assert (row[1], int(row[2])) == (epoch.phase, epoch.epoch)
        assert [float(cell) for cell in row[3:]] == [
            epoch.loss,
            epoch.accuracy,
            epoch.validation_loss,
            epoch.validation_accuracy,
        ]


def test_same_model_gives_the_same_bytes(trained: Trained, folder: Path, tmp_path: Path) -> None:
    write_model(tmp_path, trained.card, CONDITIONS, trained.model, trained.history)
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["history.csv", "model.json", "model.weights.h5"]
    for name in names:
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()


def test_folder_without_a_model_is_one_error(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match=r"model\.json does not exist"):
        read_card(tmp_path)


def write_changed(folder: Path, changed: Path, change: dict[str, Any]) -> None:
    content = json.loads((folder / "model.json").read_text(encoding="utf-8")) | change
    write_json(changed / "model.json", {key: value for key, value in content.items() if value is not None})


@pytest.mark.parametrize("field", ["architecture", "class_names", "first_trained_layer"])
def test_card_without_a_field_is_one_error(folder: Path, tmp_path: Path, field: str) -> None:
    write_changed(folder, tmp_path, {field: None})
    with pytest.raises(PipelineError, match=rf"model\.json is no description of a model: {field}: Field required"):
        read_card(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"architecture": "parallel"}, "architecture must be one of fusion, sequential, .* Got 'parallel'"),
        ({"backbones": ["mobilenetv2", "alexnet"]}, "a backbone must be one of mobilenetv2, .* Got 'alexnet'"),
        ({"backbones": ["vgg16"]}, "backbones: Tuple should have at least 2 items"),
        (
            {"first_trained_layer": {"mobilenetv2": "Conv_2"}},
            "first_trained_layer of mobilenetv2 must be one of block_1_",
        ),
        ({"first_trained_layer": {"alexnet": "conv1"}}, "a backbone must be one of mobilenetv2, .* Got 'alexnet'"),
        ({"dropout": 2.0}, "dropout: Input should be less than 1"),
        ({"class_names": []}, "class_names: Tuple should have at least 2 items"),
        ({"image_size": 8}, "image_size must be at least 32. Got 8."),
        ({"image_size": "large"}, "image_size: Input should be a valid integer"),
        ({"image_size": 0}, "image_size: Input should be greater than"),
        ({"class_names": "cat"}, "class_names: Input should be a valid tuple"),
        ({"class_names": ["cat", 3]}, "class_names: 1: Input should be a valid string"),
    ],
)
def test_card_with_another_value_is_one_error(
    folder: Path, tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    write_changed(folder, tmp_path, change)
    with pytest.raises(PipelineError, match=message) as caught:
        read_card(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("conditions", [None, {}, "fast", {**vars(CONDITIONS), "precision": "float64"}])
def test_wrong_conditions_are_one_error(folder: Path, tmp_path: Path, conditions: object) -> None:
    write_changed(folder, tmp_path, {"conditions": conditions})
    with pytest.raises(PipelineError, match=r"model\.json is no description of a model") as caught:
        read_conditions(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [[], None, "fusion", 3])
def test_card_that_is_no_mapping_is_one_error(tmp_path: Path, content: object) -> None:
    write_json(tmp_path / "model.json", content)
    for read in (read_card, read_conditions):
        with pytest.raises(PipelineError, match=r"model\.json is no description of a model"):
            read(tmp_path)


def test_missing_weights_are_one_error(trained: Trained, tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match=r"model\.weights\.h5 does not exist"):
        read_model_weights(tmp_path, trained.model)


def test_card_without_the_cut_of_a_backbone_is_one_error(folder: Path, tmp_path: Path) -> None:
    write_changed(folder, tmp_path, {"first_trained_layer": {}})
    with pytest.raises(PipelineError, match=r"needs a first trained layer of mobilenetv2; train it anew\."):
        build_model(read_card(tmp_path))


@pytest.mark.parametrize("section", ["layers", "parameters", "operations"])
def test_card_without_its_contents_is_one_error(folder: Path, tmp_path: Path, section: str) -> None:
    content = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    del content[section]
    (tmp_path / "model.json").write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(PipelineError, match=f"no description of a model: {section}: Field required"):
        read_contents(tmp_path)
