import io
import os
import re
import subprocess
import sys
import time
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import pytest
import yaml
from checkout_files import STRANGE_NAMES, write_checkout
from conftest import BACKBONES, CUTS, DROPOUT, IMAGE_SIZE, UNITS, Experiment
from numpy.typing import NDArray
from PIL import Image

from fusionseq.agreement import MAX_DIFFERENCE
from fusionseq.artifacts import read_json
from fusionseq.errors import PipelineError
from fusionseq.export import compare_with_keras, main
from fusionseq.export_formats import Format
from fusionseq.exporting import open_exported
from fusionseq.forward import compute_batch
from fusionseq.model_files import ModelCard
from fusionseq.paths import Paths
from fusionseq.predict import predict

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True)
class Checkout:
    """A checkout with a trained and evaluated model, in a folder whose name has a space."""

    paths: Paths
    images: NDArray[np.uint8]
    probabilities: NDArray[np.float32]

    @property
    def model(self) -> Path:
        return self.paths.model("vgg16", 0)


@pytest.fixture(scope="module")
def checkout(experiment: Experiment, tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    # Of all architectures the one with the fewest layers, each of which takes its time to be exported.
    model = experiment.build("vgg16")
    cuts = {"vgg16": CUTS["vgg16"]}
    card = ModelCard("vgg16", BACKBONES, 0, IMAGE_SIZE, STRANGE_NAMES, UNITS, DROPOUT, cuts)
    probabilities = compute_batch(model, experiment.images)
    paths = write_checkout(tmp_path_factory.mktemp("check out"), model, card, experiment, probabilities)
    return Checkout(paths, experiment.images, probabilities)


def run_main(monkeypatch: pytest.MonkeyPatch, root: Path, *arguments: object) -> None:
    monkeypatch.chdir(root)
    monkeypatch.setattr(sys, "argv", ["export", *map(str, arguments)])
    main()


@pytest.fixture(scope="module")
def exported(checkout: Checkout) -> Path:
    """Both formats, held against the test images, where nothing else is said."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        run_main(monkeypatch, checkout.paths.root, "data/models/vgg16/0")
    return checkout.paths.root / "exports" / "vgg16-0"


def read_error(monkeypatch: pytest.MonkeyPatch, root: Path, *arguments: object) -> str:
    with pytest.raises(SystemExit) as caught:
        run_main(monkeypatch, root, *arguments)
    message = str(caught.value.code)
    assert message.startswith("error: ")
    assert "\n" not in message
    return message


def test_export_holds_the_formats_and_a_card(exported: Path) -> None:
    assert sorted(path.name for path in exported.iterdir()) == ["README.md", "model.onnx", "saved_model"]
    assert [path.name for path in exported.parent.iterdir()] == ["vgg16-0"]


@pytest.mark.parametrize("of_format", list(Format))
def test_exported_models_predict_as_the_trained_one(exported: Path, checkout: Checkout, of_format: Format) -> None:
    opened = open_exported(exported / of_format.file_name, of_format, threads=2)
    assert opened.class_names == STRANGE_NAMES
    found = opened.predict(checkout.images)
    np.testing.assert_allclose(found, checkout.probabilities, rtol=0, atol=MAX_DIFFERENCE)
    assert np.ptp(found, axis=0).max() > 0.01


def test_card_tells_the_results_of_the_model(exported: Path, checkout: Checkout) -> None:
    text = (exported / "README.md").read_text(encoding="utf-8")
    of_model = read_json(checkout.paths.statistics)["models"]["vgg16"]["per_seed"][0]
    (accuracy,) = re.findall(r"\| accuracy \| (0\.\d{4}|1\.0000) \|", text)
    assert accuracy == f"{of_model['accuracy']:.4f}"
    index = yaml.safe_load(text.split("---\n")[1])["model-index"][0]["results"][0]
    assert index["metrics"][1]["value"] == of_model["macro_f1"]
    assert "was held against Keras on 3 images (the test subset)" in text
    assert str(checkout.paths.root) not in text


@pytest.fixture(scope="module")
def photo(checkout: Checkout, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An image of another size than the model's."""
    path = tmp_path_factory.mktemp("photo") / "image.png"
    Image.fromarray(np.kron(checkout.images[0], np.ones((3, 2, 1), dtype=np.uint8))).save(path)
    return path


def read_snippets(card: Path, photo: Path) -> list[str]:
    """Read the code of a model card; the image stands elsewhere here."""
    blocks = re.findall(r"```python\n(.*?)```", card.read_text(encoding="utf-8"), re.DOTALL)
    return [block.replace('"image.png"', repr(str(photo))) for block in blocks]


def predict_photo(checkout: Checkout, photo: Path) -> tuple[str, float]:
    class_names, predictions = predict(checkout.model, [photo], "error")
    ((_, probabilities),) = predictions
    return class_names[probabilities.argmax()], float(probabilities.max())


@pytest.fixture(scope="module")
def predicted(checkout: Checkout, photo: Path) -> tuple[str, float]:
    """The class of the image, and how probable it is, as `fusionseq.predict` tells."""
    return predict_photo(checkout, photo)


def check_printed(line: str, predicted: tuple[str, float]) -> None:
    name, probability = line.removesuffix("\n").rsplit(" ", 1)
    assert name == predicted[0]
    assert float(probability) == pytest.approx(predicted[1], abs=MAX_DIFFERENCE)


def test_code_of_the_card_needs_onnx_runtime_alone(exported: Path, photo: Path, predicted: tuple[str, float]) -> None:
    # Where neither this package, Keras nor TensorFlow can be imported.
    barred = "import sys; sys.modules.update(dict.fromkeys(['fusionseq', 'keras', 'onnx', 'tensorflow']))\n"
    code = barred + read_snippets(exported / "README.md", photo)[0]
    environment = {"PATH": os.environ["PATH"], "PYTHONUTF8": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=exported, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    check_printed(done.stdout, predicted)


def test_code_of_the_card_for_tensorflow_runs(
    exported: Path, photo: Path, predicted: tuple[str, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(exported)
    output = io.StringIO()
    with redirect_stdout(output):
        exec(read_snippets(exported / "README.md", photo)[1], {})  # noqa: S102, as a reader of the card does
    check_printed(output.getvalue(), predicted)


def test_images_named_by_hand_do_without_a_checkout(
    checkout: Checkout, photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (photo.parent / "note.txt").write_text("no image")
    output = tmp_path / "new" / "x"
    options = ["--format", "saved_model", "--output", output, "--on-bad-image", "skip"]
    run_main(monkeypatch, tmp_path, checkout.model, "--images", photo.parent, *options)
    text = (output / "README.md").read_text(encoding="utf-8")
    assert "on 1 images (named by hand)" in text
    # Nothing is known of the reports, and nothing is made up.
    assert "holds no results of this very model" in text
    assert sorted(path.name for path in output.iterdir()) == ["README.md", "saved_model"]


def test_a_model_that_differs_is_refused(exported: Path, checkout: Checkout) -> None:
    image = keras.Input((IMAGE_SIZE, IMAGE_SIZE, 3), dtype="uint8")
    pooled = keras.layers.GlobalAveragePooling2D()(keras.layers.Rescaling(1 / 255)(image))
    other = keras.Model(image, keras.layers.Dense(len(STRANGE_NAMES), "softmax", kernel_initializer="ones")(pooled))
    for of_format in Format:
        opened = {of_format: open_exported(exported / of_format.file_name, of_format, threads=2)}
        with pytest.raises(PipelineError, match=f"{of_format.file_name} differs from Keras by .* it is not kept"):
            compare_with_keras(other, STRANGE_NAMES, opened, iter([checkout.images]))
        with pytest.raises(PipelineError, match=f"{of_format.file_name} names other classes than the model"):
            compare_with_keras(other, STRANGE_NAMES[::-1], opened, iter([checkout.images]))


def test_a_former_export_stays(exported: Path, checkout: Checkout, monkeypatch: pytest.MonkeyPatch) -> None:
    before = (exported / "README.md").stat()
    message = read_error(monkeypatch, checkout.paths.root, checkout.model)
    assert "holds an export already" in message
    assert (exported / "README.md").stat() == before


def test_nothing_to_compare_with_is_one_error(
    checkout: Checkout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = read_error(monkeypatch, tmp_path, checkout.model)
    assert "name images after --images" in message
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("name", "kept"), [("model.weights.h5", 5000), ("history.csv", 0)])
def test_a_damaged_model_is_one_error(
    checkout: Checkout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, kept: int
) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    for path in checkout.model.iterdir():
        if path.is_file():
            (folder / path.name).write_bytes(path.read_bytes())
    (folder / name).write_bytes((folder / name).read_bytes()[:kept])
    message = read_error(monkeypatch, checkout.paths.root, folder, "--output", tmp_path / "x")
    assert name in message
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_only_bad_images_are_one_error(checkout: Checkout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "note.txt").write_text("no image")
    images = ["--images", tmp_path / "note.txt", "--format", "saved_model", "--output", tmp_path / "x"]
    assert "add --on-bad-image skip" in read_error(monkeypatch, tmp_path, checkout.model, *images)
    message = read_error(monkeypatch, tmp_path, checkout.model, *images, "--on-bad-image", "skip")
    assert "no image is left that can be decoded" in message
    assert [path.name for path in tmp_path.iterdir()] == ["note.txt"]


# What TensorFlow is not needed for does not wait for it.
WITHOUT_TENSORFLOW = """
import sys
sys.modules.update(dict.fromkeys(["keras", "tensorflow", "sklearn"]))
from fusionseq.errors import PipelineError
from fusionseq.export import compare_with_keras, main
main()
"""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["EMPTY"], "holds no model.json that can be read"),
        (["MODEL", "--images", "missing.png"], "missing.png: No such file or directory"),
        (["MODEL", "--output", "MODEL"], "holds history.csv, which no export makes; name another folder"),
        (["MODEL"], "needs the package tensorflow, which cannot be imported"),
    ],
)
def test_wrong_arguments_are_one_line_at_once(
    checkout: Checkout, tmp_path: Path, arguments: list[str], message: str
) -> None:
    places = {"MODEL": checkout.model, "EMPTY": tmp_path}
    command = [sys.executable, "-c", WITHOUT_TENSORFLOW, *(str(places.get(one, one)) for one in arguments)]
    done = subprocess.run(
        command, cwd=tmp_path, env={"PYTHONPATH": str(ROOT / "src")}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ")
    assert message in line
    assert list(tmp_path.iterdir()) == []


def test_a_command_that_is_ended_leaves_nothing(checkout: Checkout, tmp_path: Path) -> None:
    options = ["--format", "saved_model", "--output", str(tmp_path / "new" / "x")]
    command = [sys.executable, "-m", "fusionseq.export", str(checkout.model), *options]
    variables = os.environ | {"PYTHONPATH": str(ROOT / "src"), "TF_CPP_MIN_LOG_LEVEL": "3"}
    with subprocess.Popen(
        command, cwd=checkout.paths.root, env=variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        while not list(tmp_path.glob("new/.x.*/new")):
            assert process.poll() is None
            time.sleep(0.05)
        process.terminate()
        errors = process.communicate()[1]
    assert process.returncode == 1
    assert errors.splitlines()[-1] == "error: ended by SIGTERM."
    assert list(tmp_path.iterdir()) == []
