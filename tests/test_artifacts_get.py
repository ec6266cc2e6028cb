"""Versions of a model, as DVC's model registry keeps them: GTO's tags, and `dvc artifacts get`."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import yaml
from conftest import THREADS, Experiment, Trained
from numpy.typing import NDArray
from PIL import Image

from fusionseq.forward import compute_batch
from fusionseq.model_files import Conditions, write_model
from fusionseq.predict import predict

ROOT = Path(__file__).parent.parent
CONDITIONS = Conditions(THREADS, "float32", deterministic=True, cut_dtype="float32")

# As in this project: the stage of a matrix makes the folder, and the artifact names it by the first seed.
_PIPELINE = {
    "stages": {
        "train_sequential": {
            "matrix": {"seed": "${seeds}"},
            "cmd": "mkdir -p data/models/sequential && cp -r trained data/models/sequential/${item.seed}",
            "deps": ["trained"],
            "outs": ["data/models/sequential/${item.seed}"],
        }
    },
}


def run_command(folder: Path, *command: object) -> subprocess.CompletedProcess[str]:
    identity = dict.fromkeys(("GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME"), "A")
    identity |= dict.fromkeys(("GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL"), "a@example.org")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | identity | {"PATH": path, "DVC_NO_ANALYTICS": "1"}
    return subprocess.run(
        list(map(str, command)), cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def run(folder: Path, *command: object) -> str:
    done = run_command(folder, *command)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@dataclass(frozen=True)
class Registry:
    """A repository with two versions of a model.

    Attributes
    ----------
    root
        Its folder.
    weights
        By version.
    probabilities
        Of the first image, by version, of shape (num_classes,).
    """

    root: Path
    weights: dict[str, bytes]
    probabilities: dict[str, NDArray[np.float32]]


@pytest.fixture(scope="module")
def registry(experiment: Experiment, trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Registry:
    root = tmp_path_factory.mktemp("registry")
    weights, probabilities = {}, {}
    untrained = experiment.build("sequential", seed=1)
    project = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))
    artifacts = {"artifacts": {"sequential": project["artifacts"]["sequential"]}}
    (root / "dvc.yaml").write_text(yaml.safe_dump(_PIPELINE | artifacts))
    (root / "params.yaml").write_text("seeds: [0]\n")
    # Data of the stage lie in DVC's cache alone, and its dependency in no history.
    (root / ".gitignore").write_text("/trained/\n/data/\n")
    run(root, "git", "init", "--quiet")
    run(root, "dvc", "init", "--quiet")
    for version, model in (("v1.0.0", trained.model), ("v1.1.0", untrained)):
        write_model(root / "trained", trained.card, CONDITIONS, model, trained.history)
        weights[version] = (root / "trained" / "model.weights.h5").read_bytes()
        probabilities[version] = compute_batch(model, experiment.images[:1])[0]
        # What other tools leave beside a model travels with it.
        live = root / "trained" / "live"
        live.mkdir(exist_ok=True)
        (live / "metrics.json").write_text("{}")
        run(root, "dvc", "repro", "--quiet")
        run(root, "git", "add", "--all")
        run(root, "git", "commit", "--quiet", "--message", version)
        run(root, "gto", "register", "sequential", "--version", version)
    return Registry(root, weights, probabilities)


@pytest.fixture(scope="module")
def image(experiment: Experiment, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("image") / "a.png"
    Image.fromarray(experiment.images[0]).save(path)
    return path


def test_a_version_arrives_as_it_was_registered_and_predicts(registry: Registry, image: Path, tmp_path: Path) -> None:
    run(tmp_path, "dvc", "artifacts", "get", registry.root, "sequential", "--rev", "v1.0.0", "-o", "model")
    names = sorted(path.name for path in (tmp_path / "model").iterdir())
    assert names == ["history.csv", "live", "model.json", "model.weights.h5"]
    assert (tmp_path / "model" / "model.weights.h5").read_bytes() == registry.weights["v1.0.0"]
    one, other = registry.probabilities.values()
    ((_, probabilities),) = predict(tmp_path / "model", [image], "error")[1]
    np.testing.assert_allclose(probabilities, one, rtol=0, atol=1e-6)
    assert not np.allclose(one, other)
    assert registry.weights["v1.0.0"] != registry.weights["v1.1.0"]


def test_without_a_version_the_newest_arrives(registry: Registry, tmp_path: Path) -> None:
    run(tmp_path, "dvc", "artifacts", "get", registry.root, "sequential")
    # Named after the seed, unless told otherwise.
    assert (tmp_path / "0" / "model.weights.h5").read_bytes() == registry.weights["v1.1.0"]


def test_registry_shows_its_versions(registry: Registry) -> None:
    shown = run(registry.root, "gto", "show", "sequential")
    assert all(version in shown for version in registry.weights)
    kinds = run(registry.root, "git", "for-each-ref", "--format=%(refname:short) %(objecttype)", "refs/tags")
    assert kinds.split() == ["sequential@v1.0.0", "tag", "sequential@v1.1.0", "tag"]


def test_an_unknown_version_is_an_error(registry: Registry, tmp_path: Path) -> None:
    done = run_command(tmp_path, "dvc", "artifacts", "get", registry.root, "sequential", "--rev", "v9.9.9")
    assert done.returncode != 0
    assert "Unable to find artifact 'sequential @ v9.9.9'" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_artifacts_of_the_project_are_outputs_of_its_stages() -> None:
    project = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))
    outputs = {
        output.replace("${item.seed}", "${seeds[0]}")
        for stage in project["stages"].values()
        for output in stage["outs"]
        if isinstance(output, str)
    }
    assert set(project["artifacts"]) == {"fusion", "sequential"}
    for artifact in project["artifacts"].values():
        assert artifact["path"] in outputs
        assert artifact["type"] == "model"
        assert artifact["desc"]
        assert artifact["labels"]
