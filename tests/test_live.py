import csv
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest
from conftest import Experiment, Trained

from fusionseq.artifacts import read_json
from fusionseq.live import logging_curves
from fusionseq.training import Epoch

CURVES = {
    "train/loss": "loss",
    "train/accuracy": "accuracy",
    "validation/loss": "validation_loss",
    "validation/accuracy": "validation_accuracy",
}
EPOCHS = [Epoch("frozen", 1, 0.1 + 0.2, 0.5, 1e-17, 0.25), Epoch("fine-tuning", 2, 0.125, 1.0, 1234567.8, 0.0)]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of nobody, entered: DVCLive leaves a sign for editors in the repository around."""
    folder = tmp_path / "a place with spaces"
    folder.mkdir()
    monkeypatch.chdir(folder)
    for name in ("DVC_ROOT", "DVC_EXP_BASELINE_REV", "DVC_EXP_NAME", "DVCLIVE_RESUME"):
        monkeypatch.delenv(name, raising=False)
    return folder


def log(folder: Path, epochs: list[Epoch]) -> None:
    with logging_curves(folder) as observe:
        for epoch in epochs:
            observe(epoch)


def read_curve(folder: Path, name: str) -> list[tuple[int, float]]:
    path = folder / "live" / "plots" / "metrics" / f"{name}.tsv"
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    return [(int(row["step"]), float(row[path.stem])) for row in rows]


def read_files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def assert_logged(folder: Path, epochs: list[Epoch]) -> None:
    last = asdict(epochs[-1])
    expected: dict[str, object] = {"step": last["epoch"]}
    for name, field in CURVES.items():
        assert read_curve(folder, name) == [(epoch.epoch, getattr(epoch, field)) for epoch in epochs]
        subset, metric = name.split("/")
        expected[subset] = {**expected.get(subset, {}), metric: last[field]}  # type: ignore[dict-item]
    assert read_json(folder / "live" / "metrics.json") == expected


def test_log_holds_the_epochs_to_the_last_digit(elsewhere: Path) -> None:
    log(elsewhere, EPOCHS)
    assert_logged(elsewhere, EPOCHS)
    files = {f"live/plots/metrics/{name}.tsv" for name in CURVES} | {"live/metrics.json"}
    assert set(read_files(elsewhere)) == files


def test_curves_are_there_while_training_goes_on(experiment: Experiment, trained: Trained, elsewhere: Path) -> None:
    seen: list[Epoch] = []
    with logging_curves(elsewhere) as observe:

        def observe_and_look(epoch: Epoch) -> None:
            observe(epoch)
            seen.append(epoch)
            assert_logged(elsewhere, seen)

        history = experiment.train(experiment.build("sequential"), observe=observe_and_look)
    assert seen == history == trained.history
    assert_logged(elsewhere, history)


def test_same_training_logs_the_same_bytes(trained: Trained, elsewhere: Path) -> None:
    for name in ("first", "second"):
        log(elsewhere / name, trained.history)
    first = read_files(elsewhere / "first")
    assert first == read_files(elsewhere / "second")
    assert b"\r" not in b"".join(first.values())


@pytest.mark.parametrize(("killed_after", "resume"), [(1, ""), (3, ""), (3, "1")])
def test_killed_training_logs_what_one_that_ran_through_did(
    trained: Trained, elsewhere: Path, monkeypatch: pytest.MonkeyPatch, killed_after: int, resume: str
) -> None:
    monkeypatch.setenv("DVCLIVE_RESUME", resume)
    log(elsewhere / "whole", trained.history)
    # Never left, as by a process that was killed.
    killed = logging_curves(elsewhere / "killed")
    observe = killed.__enter__()
    for epoch in trained.history[:killed_after]:
        observe(epoch)
    log(elsewhere / "killed", trained.history)
    assert read_files(elsewhere / "killed") == read_files(elsewhere / "whole")


def test_training_that_fails_leaves_its_curves(elsewhere: Path) -> None:
    def train() -> None:
        with logging_curves(elsewhere) as observe:
            observe(EPOCHS[0])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        train()
    assert_logged(elsewhere, EPOCHS[:1])


def test_training_that_fails_at_once_leaves_no_file(elsewhere: Path) -> None:
    with pytest.raises(ZeroDivisionError), logging_curves(elsewhere):
        raise ZeroDivisionError
    assert read_files(elsewhere) == {}


def test_git_without_a_commit_is_left_alone(elsewhere: Path) -> None:
    subprocess.run(["git", "init", "--quiet"], check=True)
    log(elsewhere / "model", EPOCHS)
    assert_logged(elsewhere / "model", EPOCHS)
    assert sorted(path.name for path in elsewhere.iterdir()) == [".git", "model"]


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository of Git and DVC with a commit."""
    folder = tmp_path_factory.mktemp("repository")
    (folder / ".gitignore").write_text("/data/\n", encoding="utf-8")
    identity = ["-c", "user.name=test", "-c", "user.email=test@example.org"]
    for command in (
        ["git", "init", "--quiet"],
        [sys.executable, "-m", "dvc", "init", "--quiet"],
        ["git", "add", "--all"],
        ["git", *identity, "commit", "--quiet", "--message", "Start"],
    ):
        subprocess.run(command, check=True, cwd=folder)
    return folder


@pytest.fixture
def experiment_run(repository: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same, entered, with what `dvc exp run` tells a stage."""
    monkeypatch.chdir(repository)
    monkeypatch.setenv("DVC_ROOT", str(repository))
    monkeypatch.setenv("DVC_EXP_NAME", "test-exp")
    monkeypatch.setenv("DVC_EXP_BASELINE_REV", "0" * 40)
    return repository


def test_experiment_leaves_the_repository_as_it_is(experiment_run: Path) -> None:
    with logging_curves(experiment_run / "data" / "model") as observe:
        observe(EPOCHS[0])
        # What the extension of VS Code watches, since experiments of a queue run in folders of their own.
        (sign,) = (experiment_run / ".dvc" / "tmp" / "exps" / "run").iterdir()
        assert read_json(sign) == {"pid": os.getpid(), "step": 1}
    assert not sign.exists()
    status = ["git", "status", "--porcelain", "--untracked-files=all"]
    assert subprocess.run(status, check=True, capture_output=True, text=True).stdout == ""


@pytest.mark.usefixtures("experiment_run")
def test_nothing_is_sent_whatever_token_there_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("DVC_STUDIO_TOKEN", "token")
    # A port that refuses every connection; DVCLive would complain of it.
    monkeypatch.setenv("DVC_STUDIO_URL", "http://127.0.0.1:9")
    log(tmp_path / "model", EPOCHS)
    assert caplog.messages == []


def test_trainings_of_a_queue_may_end_at_once(experiment_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    exists = os.path.exists

    def exists_and_goes(path: str) -> bool:
        found = exists(path)
        if found and str(path).endswith("DVCLIVE_STEP_COMPLETED"):
            # As the other training does, between the question and the removal.
            Path(path).unlink()
        return found

    with logging_curves(experiment_run / "data" / "model") as observe:
        observe(EPOCHS[0])
        monkeypatch.setattr("os.path.exists", exists_and_goes)
    assert_logged(experiment_run / "data" / "model", EPOCHS[:1])
