import json
import logging
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from small_repository import RERUN, SmallRepository, copy_repository, flip_byte, make_repository

from fusionseq.errors import PipelineError
from fusionseq.locked_stages import read_pipeline
from fusionseq.tolerance import Verdict
from fusionseq.verify import hold_outputs, verify

ROOT = Path(__file__).parent.parent

INTACT = "identical: 5 outputs with dvc.lock, in the workspace and in DVC's cache"


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> SmallRepository:
    return make_repository(tmp_path_factory.mktemp("original") / "repository")


@pytest.fixture
def repository(original: SmallRepository, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> SmallRepository:
    caplog.set_level(logging.INFO)
    return copy_repository(original, tmp_path / "repository")


def run(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "fusionseq.verify", *options]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_the_same_bytes_again_are_identical(repository: SmallRepository, caplog: pytest.LogCaptureFixture) -> None:
    before = repository.read_all()
    assert verify(repository.root, RERUN) is Verdict.IDENTICAL
    assert repository.read_all() == before
    assert caplog.messages == [
        INTACT,
        "verify: running score again",
        "verify: running draw again",
        "identical: 3 of 3 files that were made again",
        "verify: identical",
    ]


def test_figures_follow_from_numbers_within_tolerance(
    repository: SmallRepository, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCORE", "0.50001")
    assert verify(repository.root, RERUN) is Verdict.WITHIN_TOLERANCE
    assert caplog.messages[3:] == [
        "within tolerance: reports/score.json, score: 0.5 before, 0.50001 now",
        "within tolerance: figure.png, follows from numbers within tolerance",
        "identical: 1 of 3 files that were made again",
        "verify: within tolerance",
    ]


@pytest.mark.parametrize(
    ("name", "value", "lines"),
    [
        (
            "SCORE",
            "0.6",
            ["different: reports/score.json, score: 0.5 before, 0.6 now", "different: figure.png, line 1"],
        ),
        # With the very same numbers, a figure must be the same too.
        ("FIGURE", "y", ["different: figure.png, line 1"]),
    ],
)
def test_another_result_is_different(
    repository: SmallRepository,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    value: str,
    lines: list[str],
) -> None:
    monkeypatch.setenv(name, value)
    assert verify(repository.root, RERUN) is Verdict.DIFFERENT
    assert caplog.messages[3:-2] == lines
    assert caplog.messages[-1] == "verify: different"


def test_files_too_few_and_too_many_are_different_whatever_the_numbers(
    repository: SmallRepository, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCORE", "0.50001")
    table = repository.root / "reports" / "table"
    (table / "b.txt").touch()
    assert verify(repository.root, ["score"]) is Verdict.DIFFERENT
    assert "different: reports/table/b.txt, is not made any more" in caplog.messages
    (table / "a.csv").unlink()
    assert verify(repository.root, ["score"]) is Verdict.DIFFERENT
    assert "different: reports/table/a.csv, is made in addition" in caplog.messages


def test_damage_alone_is_different(repository: SmallRepository, caplog: pytest.LogCaptureFixture) -> None:
    flip_byte(repository.find_object("two"))
    assert verify(repository.root, RERUN) is Verdict.DIFFERENT
    assert caplog.messages[0].startswith("damaged: ")
    assert caplog.messages[-2:] == ["identical: 3 of 3 files that were made again", "verify: different"]


def test_an_edited_result_is_told_where_it_differs(
    repository: SmallRepository, caplog: pytest.LogCaptureFixture
) -> None:
    path = repository.root / "reports" / "score.json"
    path.write_text(path.read_text().replace("0.5", "0.9"))
    assert verify(repository.root, ["score"]) is Verdict.DIFFERENT
    assert caplog.messages[0].startswith("different: reports/score.json is not as dvc.lock has it")
    assert "different: reports/score.json, score: 0.9 before, 0.5 now" in caplog.messages


def test_nothing_is_run_on_damaged_inputs(repository: SmallRepository, caplog: pytest.LogCaptureFixture) -> None:
    flip_byte(repository.root / "data" / "raw" / "1.txt")
    assert verify(repository.root, RERUN) is Verdict.DIFFERENT
    assert caplog.messages[1:] == ["verify: nothing is run again before data/raw/1.txt is mended", "verify: different"]


def test_nothing_is_run_where_there_is_nothing_to_compare_with(
    repository: SmallRepository, caplog: pytest.LogCaptureFixture
) -> None:
    (repository.root / "figure.png").unlink()
    assert verify(repository.root, RERUN) is Verdict.DIFFERENT
    assert caplog.messages == [
        "missing: figure.png; run `git checkout -- figure.png` or `make reproduce`",
        "verify: nothing is run again before figure.png is mended",
        "verify: different",
    ]


def test_what_was_never_pulled_is_one_line(repository: SmallRepository, caplog: pytest.LogCaptureFixture) -> None:
    shutil.rmtree(repository.root / "data")
    shutil.rmtree(repository.root / ".dvc" / "cache")
    assert verify(repository.root, ()) is Verdict.DIFFERENT
    assert caplog.messages[0] == "missing: data/raw and 1 more; run `dvc pull` or `make reproduce`"
    assert len(caplog.messages) == 2


def test_a_cache_thrown_away_is_one_line(repository: SmallRepository, caplog: pytest.LogCaptureFixture) -> None:
    shutil.rmtree(repository.root / ".dvc" / "cache")
    assert verify(repository.root, ()) is Verdict.DIFFERENT
    assert caplog.messages == [
        "missing: the cached data/raw and 3 more; run `dvc pull`, or, where data/raw is intact, `dvc commit --force`",
        "verify: different",
    ]


def test_command_hashes_alone(repository: SmallRepository) -> None:
    done = run(repository.root, "--no-rerun")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{INTACT}\nverify: identical\n"
    flip_byte(repository.root / "figure.png")
    done = run(repository.root, "--no-rerun")
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.startswith("different: figure.png is not as dvc.lock has it")


def test_command_runs_the_stages_of_the_paper_again(
    repository: SmallRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = run(repository.root)
    assert done.returncode == 1
    assert done.stderr == "error: dvc.yaml has no stage evaluate; it has fetch, score, draw.\n"
    for file in ("dvc.yaml", "dvc.lock"):
        path = repository.root / file
        content = path.read_text()
        for old, new in (("fetch", "evaluate"), ("score", "figures"), ("draw", "paper")):
            content = content.replace(f"  {old}:\n", f"  {new}:\n")
        path.write_text(content)
    assert run(repository.root).returncode == 0
    monkeypatch.setenv("SCORE", "0.50001")
    assert run(repository.root).returncode == 2


def test_a_mistyped_option_does_not_end_as_within_tolerance(tmp_path: Path) -> None:
    done = run(tmp_path, "--no-reruns")
    assert done.returncode == 1
    assert "error: unrecognized arguments: --no-reruns" in done.stderr


def test_help_declares_exit_status_and_bounds(tmp_path: Path) -> None:
    done = run(tmp_path, "--help")
    assert done.returncode == 0
    assert "2  within tolerance" in done.stdout
    assert "relative 0.0001 or an absolute\n     1e-06" in done.stdout


DVC = Path(sys.executable).parent / "dvc"


def start(folder: Path, *command: str | Path) -> subprocess.Popen[str]:
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def test_nothing_is_verified_while_a_stage_runs(repository: SmallRepository) -> None:
    """Nor does it run twice; and the run that was first goes on as if nobody had asked."""
    waiting, go = repository.root / "waiting", repository.root / "go"
    path = repository.root / "dvc.yaml"
    slow = f"touch '{waiting}' && until [ -e '{go}' ]; do sleep 0.05; done; cat data/raw/1.txt"
    path.write_text(path.read_text().replace("cat data/raw/1.txt", slow))
    with start(repository.root, DVC, "repro") as first:
        try:
            while not waiting.exists():
                assert first.poll() is None
                time.sleep(0.05)
            done = run(repository.root)
            assert (done.returncode, done.stdout) == (1, "")
            assert done.stderr.startswith("error: nothing is verified while another DVC command is at work here; wait")
            assert f"(PID {first.pid}): {DVC} repro" in done.stderr
            assert done.stderr.count("\n") == 1
            second = subprocess.run([DVC, "repro"], cwd=repository.root, capture_output=True, text=True, check=False)
            assert second.returncode != 0
            assert f"is busy, it is being blocked by:\n  (PID {first.pid}): {DVC} repro" in second.stderr
        finally:
            go.touch()
        assert first.stdout is not None
        assert "Updating lock file 'dvc.lock'" in first.stdout.read()
    assert first.returncode == 0
    assert verify(repository.root, RERUN) is Verdict.IDENTICAL


def test_nothing_is_reproduced_while_outputs_are_verified(repository: SmallRepository) -> None:
    before = repository.read_all()
    with hold_outputs(read_pipeline(repository.root)) as pipeline:
        assert len(pipeline.outputs) == 5
        # Another who only reads is let in.
        assert run(repository.root, "--no-rerun").returncode == 0
        with start(repository.root, DVC, "repro", "--force") as other:
            assert other.stdout is not None
            output = other.stdout.read()
        assert other.returncode != 0
        assert "is busy, it is being blocked by:" in output
        assert f"(PID {os.getpid()}): python -m fusionseq.verify" in output
    assert repository.read_all() == before
    repository.run("dvc", "repro", "--force")
    assert verify(repository.root, ()) is Verdict.IDENTICAL


def test_a_process_that_was_killed_keeps_nobody_out(repository: SmallRepository) -> None:
    output = str(repository.root / "figure.png")
    with start(repository.root, "true") as dead:
        info = {"pid": dead.pid, "cmd": "dvc repro"}
    (repository.root / ".dvc" / "tmp" / "rwlock").write_text(json.dumps({"write": {output: info}, "read": {}}))
    assert verify(repository.root, ()) is Verdict.IDENTICAL


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("rwlock", r"DVC says: Unable to read RWLock-file .* JSON structure is corrupted"),
        ("rwlock.lock", r"^\.dvc/tmp must be a folder that can be written: .* Got Is a directory\.$"),
    ],
)
def test_locks_that_cannot_be_taken_are_one_line(repository: SmallRepository, name: str, message: str) -> None:
    path = repository.root / ".dvc" / "tmp" / name
    path.unlink(missing_ok=True)
    if name == "rwlock":
        path.write_text('{"write": {', encoding="utf-8")
    else:
        path.mkdir()
    with pytest.raises(PipelineError, match=message) as caught:
        verify(repository.root, ())
    assert "\n" not in str(caught.value)
