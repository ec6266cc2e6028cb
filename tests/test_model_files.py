import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import CUTS, Experiment, Trained

from fusionseq.artifacts import write_json
from fusionseq.errors import PipelineError
from fusionseq.model_files import (
    build_model,
    read_card,
    read_contents,
    read_history,
    read_model_weights,
    write_model,
)
from fusionseq.models.description import count_parameters, describe_layers, describe_operations


@pytest.fixture(scope="module")
def folder(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained model on disk."""
    folder = tmp_path_factory.mktemp("model")
    write_model(folder, trained.card, trained.model, trained.history)
    return folder


def test_folder_is_all_that_is_needed(experiment: Experiment, trained: Trained, folder: Path) -> None:
    model = build_model(read_card(folder))
    read_model_weights(folder, model)
    expected = np.asarray(trained.model(experiment.images, training=False))
    np.testing.assert_array_equal(np.asarray(model(experiment.images, training=False)), expected)


def test_card_survives_the_disk(trained: Trained, folder: Path) -> None:
    card = read_card(folder)
    assert replace(card, class_names=tuple(card.class_names)) == trained.card


def test_contents_are_layers_parameters_and_operations(trained: Trained, folder: Path) -> None:
    contents = read_contents(folder)
    assert contents == {
        "layers": describe_layers(trained.model, CUTS),
        "parameters": count_parameters(trained.model, CUTS),
        "operations": describe_operations(trained.model, CUTS),
    }


def test_history_of_several_models_survives_exactly(trained: Trained, folder: Path, tmp_path: Path) -> None:
    write_model(tmp_path, replace(trained.card, seed=7), trained.model, trained.history[:1])
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
    write_model(tmp_path, trained.card, trained.model, trained.history)
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["history.csv", "model.json", "model.weights.h5"]
    for name in names:
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()


def test_folder_without_a_model_is_one_error(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match=r"model\.json does not exist"):
        read_card(tmp_path)


@pytest.mark.parametrize("field", ["architecture", "class_names", "first_trained_layer"])
def test_card_without_a_field_is_one_error(folder: Path, tmp_path: Path, field: str) -> None:
    content = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    del content[field]
    write_json(tmp_path / "model.json", content)
    with pytest.raises(PipelineError, match=rf"model\.json is no description of a model: '{field}' is missing"):
        read_card(tmp_path)


@pytest.mark.parametrize("content", [[], None, "fusion", 3])
def test_card_that_is_no_mapping_is_one_error(tmp_path: Path, content: object) -> None:
    write_json(tmp_path / "model.json", content)
    with pytest.raises(PipelineError, match=r"model\.json is no description of a model"):
        read_card(tmp_path)


def test_missing_weights_are_one_error(trained: Trained, tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match=r"model\.weights\.h5 does not exist"):
        read_model_weights(tmp_path, trained.model)
