import csv
import io
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from conftest import CLASS_NAMES, THREADS, Experiment, Trained
from numpy.typing import NDArray
from PIL import Image
from sharded import make_work, run_all, write_images

from fusionseq.feature_files import read_inputs, write_modes
from fusionseq.model_files import Conditions, build_model, read_card, read_model_weights, write_model
from fusionseq.predict import main, predict
from fusionseq.prediction import CutModel
from fusionseq.shard_files import ShardedArray

Dtype = Literal["float32", "float16"]

ROOT = Path(__file__).parent.parent
NUM_IMAGES = 70
# What a table must quote, and what only UTF-8 can spell.
STRANGE_NAMES = ('cat, "wild"', "two\nlines", "Größe\r猫")
CONDITIONS = Conditions(THREADS, "float32", deterministic=True, cut_dtype="float32")


@dataclass(frozen=True)
class Predicted:
    """A trained model, images as files, and what the pipeline predicts for these images from what it stored."""

    folder: Path
    files: list[Path]
    probabilities: NDArray[np.float32]


def save_images(images: NDArray[np.uint8], folder: Path) -> list[Path]:
    """Write images as PNG, in folders within the folder, so that sorted names keep the order."""
    files = [folder / f"part {row // 30}" / f"{row:03d}.png" for row in range(len(images))]
    for file, pixels in zip(files, images, strict=True):
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(file)
    return files


def run_pipeline(root: Path, experiment: Experiment, trained: Trained, mode: str, dtype: Dtype) -> Predicted:
    """Do as the stages do, one after the other, with images that the model never saw."""
    blocks = np.random.default_rng(2).integers(0, 256, (NUM_IMAGES, 4, 4, 3))
    images = np.kron(blocks, np.ones((1, 8, 8, 1), dtype=np.int64)).astype(np.uint8)
    # A full batch and two ragged ones.
    work = make_work(root, experiment.backbones, write_images(root, images, 50), ("mobilenetv2",), dtype)
    if mode == "cached":
        run_all(work, work.list_shards())
        work.finish(root / "features")
    write_modes(root / "features", mode, ["mobilenetv2"])
    inputs = read_inputs(root / "features", work.images, ["mobilenetv2/cut"])
    assert isinstance(inputs, ShardedArray) is (mode == "streaming")

    conditions = replace(CONDITIONS, cut_dtype="float32" if mode == "streaming" else dtype)
    write_model(root / "model", trained.card, conditions, trained.model, trained.history)
    model = build_model(read_card(root / "model"))
    read_model_weights(root / "model", model)
    cut_model = CutModel(model, trained.card.first_trained_layer, conditions.cut_dtype)
    probabilities = cut_model.predict_rows(inputs, np.arange(NUM_IMAGES))
    assert np.ptp(probabilities, axis=0).max() > 0.01
    return Predicted(root / "model", save_images(images, root / "photos"), probabilities)


@pytest.fixture(scope="module")
def predicted(experiment: Experiment, trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Predicted:
    """What the pipeline predicts from features that are stored as they are."""
    return run_pipeline(tmp_path_factory.mktemp("pipeline"), experiment, trained, "cached", "float32")


def predict_files(folder: Path, files: Sequence[Path]) -> NDArray[np.float32]:
    class_names, predictions = predict(folder, files, "error")
    assert class_names == CLASS_NAMES
    paths, probabilities = zip(*predictions, strict=True)
    assert list(paths) == list(files)
    return np.stack(probabilities)


@pytest.mark.parametrize("order", [[69], [33, 2], list(range(NUM_IMAGES)), list(reversed(range(NUM_IMAGES)))])
def test_images_get_the_bits_that_the_pipeline_gives_them(predicted: Predicted, order: list[int]) -> None:
    of_files = predict_files(predicted.folder, [predicted.files[row] for row in order])
    np.testing.assert_array_equal(of_files, predicted.probabilities[order])


@pytest.mark.parametrize(("mode", "dtype"), [("cached", "float16"), ("streaming", "float16")])
def test_bits_are_the_same_however_the_features_are_kept(
    experiment: Experiment, trained: Trained, predicted: Predicted, tmp_path: Path, mode: str, dtype: Dtype
) -> None:
    other = run_pipeline(tmp_path, experiment, trained, mode, dtype)
    order = [*range(5, NUM_IMAGES), *range(5)]
    of_files = predict_files(other.folder, [other.files[row] for row in order])
    np.testing.assert_array_equal(of_files, other.probabilities[order])
    # float16 is another computation where it is stored, and none where the images are kept.
    assert (other.probabilities == predicted.probabilities).all() == (mode == "streaming")


def run_python(*arguments: object, **environment: str) -> subprocess.CompletedProcess[bytes]:
    folders = [ROOT / "src", ROOT / "tests", ROOT]
    variables = {"PYTHONPATH": ":".join(map(str, folders)), "TF_CPP_MIN_LOG_LEVEL": "3"} | environment
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(command, env=variables, cwd=ROOT, check=False, capture_output=True, timeout=120)


def parse(table: str) -> tuple[list[str], list[list[str]], NDArray[np.float32]]:
    """Read the header of a table, image and class of each row, and the probabilities."""
    header, *rows = csv.reader(io.StringIO(table, newline=""))
    return header, [row[:2] for row in rows], np.array([row[2:] for row in rows], dtype=np.float32)


def test_command_writes_the_table_alone_on_standard_output(
    predicted: Predicted, trained: Trained, tmp_path: Path
) -> None:
    # A process of its own: the number of threads belongs to a process.
    card = replace(trained.card, class_names=STRANGE_NAMES)
    write_model(tmp_path, card, CONDITIONS, trained.model, trained.history)
    photos = predicted.folder.parent / "photos"
    done = run_python("-m", "fusionseq.predict", tmp_path, photos, LC_ALL="C", PYTHONIOENCODING="ascii")
    assert done.returncode == 0, done.stderr
    header, rows, probabilities = parse(done.stdout.decode())
    assert header == ["image", "predicted", *STRANGE_NAMES]
    predicted_names = [STRANGE_NAMES[row.argmax()] for row in predicted.probabilities]
    assert rows == [[str(file), name] for file, name in zip(predicted.files, predicted_names, strict=True)]
    np.testing.assert_array_equal(probabilities, predicted.probabilities)
    assert b"predict: 70 images, 0 left out\n" in done.stderr


# With the backbones that ship with the repository, on one thread, in a precision in which the bits of an image depend
# on how many are in a batch even where there are more than two.
HALF_PRECISION = """
import sys
from pathlib import Path
import numpy as np
from safetensors.numpy import load_file
from test_predict import CONDITIONS, replace, save_images
from fusionseq.features import extract_features
from fusionseq.model_files import ModelCard, write_model
from fusionseq.models.cutting import get_backbone, get_frozen
from fusionseq.models.architectures import build_architecture
from fusionseq.models.head import Head
from fusionseq.models.weights import build_pretrained
from fusionseq.prediction import CutModel
from fusionseq.runtime import configure_runtime

configure_runtime(1, "mixed_float16", deterministic=True)
root = Path(sys.argv[1])
blocks = np.random.default_rng(3).integers(0, 256, (37, 6, 6, 3))
images = np.kron(blocks, np.ones((1, 8, 8, 1), dtype=np.int64)).astype(np.uint8)
save_images(images, root / "photos")
embedded = load_file("pretraining/backbones.safetensors")
cuts = {"mobilenetv2": "block_13_expand", "vgg16": "block5_conv1"}
model = build_architecture("fusion", list(cuts), 48, Head(3, 256, 0.5, 0))
features = {}
for name in cuts:
    get_backbone(model, name).set_weights(build_pretrained(name, embedded).get_weights())
    of_images = list(extract_features(get_frozen(model, cuts[name], name), images))
    for key in of_images[0]:
        features[key] = np.stack([of_image[key] for of_image in of_images]).astype(np.float32)
card = ModelCard("fusion", tuple(cuts), 0, 48, ("a", "b", "c"), 256, 0.5, cuts)
conditions = replace(CONDITIONS, threads=1, precision="mixed_float16")
write_model(root / "model", card, conditions, model, [])
probabilities = CutModel(model, cuts, "float32").predict_rows(features, np.arange(len(images)))
assert np.ptp(probabilities, axis=0).max() > 0.01
np.save(root / "probabilities.npy", probabilities)
"""


def test_command_computes_in_the_precision_of_the_training(tmp_path: Path) -> None:
    done = run_python("-c", HALF_PRECISION, tmp_path)
    assert done.returncode == 0, done.stderr.decode()
    expected = np.load(tmp_path / "probabilities.npy")
    # One of the last batch, which is ragged.
    image = sorted((tmp_path / "photos").rglob("*.png"))[35]
    done = run_python("-m", "fusionseq.predict", tmp_path / "model", image)
    assert done.returncode == 0, done.stderr.decode()
    np.testing.assert_array_equal(parse(done.stdout.decode())[2], expected[[35]])


def run_main(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> None:
    monkeypatch.setattr(sys, "argv", ["predict", *map(str, arguments)])
    main()


def read_error(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> str:
    with pytest.raises(SystemExit) as caught:
        run_main(monkeypatch, *arguments)
    message = str(caught.value.code)
    assert message.startswith("error: ")
    assert "\n" not in message
    return message


def test_table_takes_the_place_of_a_file(
    predicted: Predicted,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    output = tmp_path / "new" / "table.csv"
    for files in (predicted.files[:2], predicted.files[3:0:-1]):
        run_main(monkeypatch, predicted.folder, *files, "--output", output)
        rows, probabilities = parse(output.read_text(encoding="utf-8"))[1:]
        assert [row[0] for row in rows] == [str(file) for file in files]
    np.testing.assert_array_equal(probabilities, predicted.probabilities[3:0:-1])
    assert [path.name for path in output.parent.iterdir()] == ["table.csv"]
    assert capsys.readouterr().out == ""


@pytest.fixture
def mixed(predicted: Predicted, tmp_path: Path) -> Path:
    """A folder with two images, a text, a broken image and what cannot be read at all."""
    folder = tmp_path / "mixed"
    folder.mkdir()
    content = predicted.files[4].read_bytes()
    for name in ("b.png", "e.png"):
        (folder / name).write_bytes(content)
    (folder / "a.txt").write_text("not an image", encoding="utf-8")
    (folder / "c\n.png").write_bytes(content[: len(content) // 2])
    (folder / "d.png").symlink_to("nowhere")
    return folder


def test_bad_images_are_left_out_named_and_counted(
    predicted: Predicted,
    mixed: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level("INFO", logger="fusionseq"):
        run_main(monkeypatch, predicted.folder, mixed, "--on-bad-image", "skip")
    output = capsys.readouterr()
    rows, probabilities = parse(output.out)[1:]
    assert [row[0] for row in rows] == [f"{mixed}/b.png", f"{mixed}/e.png"]
    np.testing.assert_array_equal(probabilities, predicted.probabilities[[4, 4]])
    lines = [line for line in output.err.splitlines() if ": left out (" in line]
    assert [line.split(": left out (")[0] for line in lines] == [
        f"{mixed}/{name}" for name in ("a.txt", "c\\n.png", "d.png")
    ]
    assert lines[2].endswith("d.png: left out (no such file or directory).")
    assert caplog.messages == ["predict: 2 images, 3 left out"]


@pytest.mark.parametrize("name", ["a.txt", "c\n.png"])
def test_bad_image_stops_everything_by_default(
    predicted: Predicted,
    mixed: Path,
    name: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    table = mixed.parent / "table.csv"
    message = read_error(monkeypatch, predicted.folder, mixed / "b.png", mixed / name, "--output", table)
    spelled = name.replace("\n", "\\n")
    assert f"{spelled}: is not an image that can be decoded (" in message
    assert "or add --on-bad-image skip." in message
    # Nothing is made that the images of a person's own are part of.
    assert "params.yaml" not in message
    assert not table.exists()
    assert capsys.readouterr().out == ""


def test_nothing_but_bad_images_is_one_error(
    predicted: Predicted, mixed: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    message = read_error(monkeypatch, predicted.folder, mixed / "a.txt", mixed / "c\n.png", "--on-bad-image", "skip")
    assert "no image is left that can be decoded" in message
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("kept", [0, 5000])
def test_damaged_weights_are_one_error(
    predicted: Predicted, tmp_path: Path, kept: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "model.json").write_bytes((predicted.folder / "model.json").read_bytes())
    (tmp_path / "model.weights.h5").write_bytes((predicted.folder / "model.weights.h5").read_bytes()[:kept])
    message = read_error(monkeypatch, tmp_path, predicted.files[0])
    assert "model.weights.h5 does not fit sequential, or is damaged" in message


def test_damaged_card_is_one_error(predicted: Predicted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "model.json").write_bytes((predicted.folder / "model.json").read_bytes()[:100])
    assert "model.json is not valid JSON" in read_error(monkeypatch, tmp_path, predicted.files[0])


def test_output_that_cannot_be_written_is_one_error(
    predicted: Predicted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    message = read_error(monkeypatch, predicted.folder, predicted.files[0], "--output", tmp_path / "file" / "t.csv")
    assert "file/t.csv cannot be written (" in message


# What TensorFlow is not needed for does not wait for it.
WITHOUT_TENSORFLOW = """
import sys
sys.modules.update(dict.fromkeys(["keras", "tensorflow", "statsmodels"]))
from fusionseq.predict import main
main()
"""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["MODEL", "missing.png"], "error: missing.png: No such file or directory; name an image or a folder"),
        (["MODEL", "IMAGE", "EMPTY"], "error: {empty} holds no file that is not hidden; name a folder of images."),
        (["EMPTY", "IMAGE"], "error: {empty} holds no model.json that can be read; name the folder of a trained"),
        (["IMAGE", "IMAGE"], "error: {image} holds no model.json that can be read; name the folder of a trained"),
        (["MODEL", "IMAGE", "--output", "EMPTY"], "error: {empty} is a folder; name a file after --output."),
    ],
)
def test_wrong_argument_is_one_line_at_once(
    predicted: Predicted, tmp_path: Path, arguments: list[str], message: str
) -> None:
    places = {"MODEL": predicted.folder, "IMAGE": predicted.files[0], "EMPTY": tmp_path}
    done = run_python("-c", WITHOUT_TENSORFLOW, *(places.get(argument, argument) for argument in arguments))
    assert done.returncode == 1
    assert done.stdout == b""
    (line,) = done.stderr.decode().splitlines()
    assert line.startswith(message.format(empty=tmp_path, image=predicted.files[0]))


def test_help_names_both_ways_to_treat_a_bad_image() -> None:
    done = run_python("-c", WITHOUT_TENSORFLOW, "--help")
    assert done.returncode == 0
    assert b"--on-bad-image {error,skip}" in done.stdout


@pytest.mark.parametrize("arguments", [[], ["model"], ["model", "image.png", "--on-bad-image", "guess"]])
def test_wrong_usage_is_refused(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SystemExit) as caught:
        run_main(monkeypatch, *arguments)
    assert caught.value.code == 2
