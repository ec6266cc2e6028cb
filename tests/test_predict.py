import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import CLASS_NAMES, Experiment, Trained
from PIL import Image

from fusionseq.errors import PipelineError
from fusionseq.model_files import write_model
from fusionseq.predict import main, predict


@pytest.fixture(scope="module")
def folder(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained model on disk."""
    folder = tmp_path_factory.mktemp("model")
    write_model(folder, trained.card, trained.model, trained.history)
    return folder


@pytest.fixture(scope="module")
def files(experiment: Experiment, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three images as PNG."""
    folder = tmp_path_factory.mktemp("images")
    paths = [folder / f"{row}.png" for row in range(3)]
    for path, pixels in zip(paths, experiment.images, strict=False):
        Image.fromarray(pixels).save(path)
    return paths


def run_main(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> None:
    monkeypatch.setattr(sys, "argv", ["predict", *map(str, arguments)])
    main()


def test_probabilities_are_those_of_the_model_that_was_trained(
    experiment: Experiment, trained: Trained, folder: Path, files: list[Path]
) -> None:
    class_names, probabilities = predict(folder, files)
    assert class_names == list(CLASS_NAMES)
    expected = np.asarray(trained.model(experiment.images[:3], training=False))
    np.testing.assert_allclose(probabilities, expected, rtol=1e-4, atol=1e-6)


def test_class_and_probability_of_each_image_are_printed(
    experiment: Experiment,
    trained: Trained,
    folder: Path,
    files: list[Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run_main(monkeypatch, folder, *files)
    output = capsys.readouterr()
    probabilities = np.asarray(trained.model(experiment.images[:3], training=False))
    lines = output.out.splitlines()
    assert len(lines) == 3
    for line, file, of_image in zip(lines, files, probabilities, strict=True):
        path, name, probability = line.rsplit(" ", 2)
        assert path == f"{file}:"
        assert name == CLASS_NAMES[of_image.argmax()]
        assert float(probability) == pytest.approx(of_image.max(), abs=1.1e-4)
    assert output.err == ""


def read_error(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> str:
    with pytest.raises(SystemExit) as caught:
        run_main(monkeypatch, *arguments)
    message = str(caught.value.code)
    assert message.startswith("error: ")
    assert "\n" not in message
    return message


def test_missing_image_is_one_line(folder: Path, files: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    message = read_error(monkeypatch, folder, files[0], files[0].with_name("missing.png"))
    assert "missing.png: cannot be read (No such file or directory)" in message
    # An image of one's own is nothing that the pipeline would make.
    assert "dvc repro" not in message


def test_folder_as_image_is_one_line(folder: Path, files: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    assert str(files[0].parent) in read_error(monkeypatch, folder, files[0].parent)


def test_file_that_is_no_image_is_one_line(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "notes.txt").write_text("not an image", encoding="utf-8")
    assert "notes.txt: is not an image" in read_error(monkeypatch, folder, tmp_path / "notes.txt")


def test_folder_without_model_is_one_line(files: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "model.json does not exist" in read_error(monkeypatch, tmp_path, files[0])


def test_file_as_model_is_one_line(files: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    assert str(files[1]) in read_error(monkeypatch, files[1], files[0])


def test_damaged_weights_are_one_line(
    folder: Path, files: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "model.json").write_bytes((folder / "model.json").read_bytes())
    (tmp_path / "model.weights.h5").write_bytes((folder / "model.weights.h5").read_bytes()[:5000])
    assert "model.weights.h5 does not fit sequential, or is damaged" in read_error(monkeypatch, tmp_path, files[0])


@pytest.mark.parametrize("num_arguments", [0, 1])
def test_model_and_image_must_be_named(folder: Path, monkeypatch: pytest.MonkeyPatch, num_arguments: int) -> None:
    with pytest.raises(SystemExit) as caught:
        run_main(monkeypatch, *[folder][:num_arguments])
    assert caught.value.code == 2


def test_images_are_looked_at_before_the_model_is_built(tmp_path: Path, folder: Path) -> None:
    (tmp_path / "model.json").write_bytes((folder / "model.json").read_bytes())
    with pytest.raises(PipelineError, match=r"missing\.png"):
        predict(tmp_path, [tmp_path / "missing.png"])
