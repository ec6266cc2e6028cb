import io
import logging
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from fusionseq import console
from fusionseq.console import choose_verbosity, run_checked, run_stage, track
from fusionseq.errors import PipelineError
from fusionseq.params import Params
from fusionseq.paths import Paths


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, params_content: dict[str, Any]) -> Path:
    """A folder with valid parameters, entered."""
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params_content), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def fail(error: BaseException) -> None:
    raise error


def test_what_a_person_can_mend_becomes_one_line() -> None:
    with pytest.raises(SystemExit) as caught:
        run_checked(lambda: fail(PipelineError("a.csv does not exist. Make it.")))
    # The interpreter prints a text that it is ended with on standard error, with status 1.
    assert caught.value.code == "error: a.csv does not exist. Make it."


def test_interruption_becomes_one_line() -> None:
    with pytest.raises(SystemExit) as caught:
        run_checked(lambda: fail(KeyboardInterrupt()))
    assert caught.value.code == "error: interrupted."


def test_real_bug_keeps_its_traceback() -> None:
    with pytest.raises(ZeroDivisionError):
        run_checked(lambda: fail(ZeroDivisionError()))


def test_success_ends_silently(capsys: pytest.CaptureFixture[str]) -> None:
    run_checked(lambda: None)
    assert capsys.readouterr() == ("", "")


def test_stage_gets_validated_parameters_and_the_current_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[Params, Paths]] = []

    def stage(params: Params, paths: Paths) -> None:
        calls.append((params, paths))

    monkeypatch.setattr(sys, "argv", ["stage"])
    run_stage(stage)
    ((params, paths),) = calls
    assert params.head.units == 256
    assert paths == Paths(folder)


@pytest.mark.usefixtures("folder")
def test_further_arguments_of_a_stage_are_integer_options(monkeypatch: pytest.MonkeyPatch) -> None:
    seeds: list[int] = []

    def stage(params: Params, paths: Paths, seed: int) -> None:
        seeds.append(seed)

    monkeypatch.setattr(sys, "argv", ["stage", "--seed", "7"])
    run_stage(stage)
    assert seeds == [7]


@pytest.mark.parametrize("arguments", [[], ["--seed"], ["--seed", "many"], ["--seed", "1", "--other", "2"]])
@pytest.mark.usefixtures("folder")
def test_wrong_options_are_refused_before_the_stage_starts(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    def stage(params: Params, paths: Paths, seed: int) -> None:
        raise AssertionError("must not be called")

    monkeypatch.setattr(sys, "argv", ["stage", *arguments])
    with pytest.raises(SystemExit) as caught:
        run_stage(stage)
    assert caught.value.code == 2
    assert "--seed" in capsys.readouterr().err or "--other" in arguments


def test_bad_parameters_end_before_the_stage_starts(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stage(params: Params, paths: Paths) -> None:
        raise AssertionError("must not be called")

    (folder / "params.yaml").write_text("head: 1\n", encoding="utf-8")
    monkeypatch.setattr(sys, "argv", ["stage"])
    with pytest.raises(SystemExit) as caught:
        run_stage(stage)
    assert str(caught.value.code).startswith("error: params.yaml: ")


def test_help_says_what_the_stage_does(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def stage(params: Params, paths: Paths) -> None:
        """Sort the mail."""

    monkeypatch.setattr(sys, "argv", ["stage", "--help"])
    with pytest.raises(SystemExit) as caught:
        run_stage(stage)
    assert caught.value.code == 0
    assert "Sort the mail." in capsys.readouterr().out


def test_progress_without_a_terminal_is_a_line_now_and_then(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(console, "is_terminal", lambda: False)
    with caplog.at_level(logging.INFO, logger="fusionseq"):
        monkeypatch.setattr(console, "_PLAIN_INTERVAL", 0.0)
        assert list(track(iter("abc"), "fetch", 3)) == ["a", "b", "c"]
        assert caplog.messages == ["fetch: 1 of 3", "fetch: 2 of 3", "fetch: 3 of 3"]
        monkeypatch.setattr(console, "_PLAIN_INTERVAL", 3600.0)
        assert list(track(iter("abc"), "split", 3)) == ["a", "b", "c"]
    assert not any("split" in message for message in caplog.messages)


@pytest.mark.parametrize("terminal", [True, False])
def test_nothing_to_do_is_no_progress(monkeypatch: pytest.MonkeyPatch, terminal: bool) -> None:
    monkeypatch.setattr(sys, "stdout", Terminal() if terminal else io.StringIO())
    assert list(track([], "fetch", 0)) == []


def test_progress_in_a_terminal_is_a_bar(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    with caplog.at_level(logging.INFO, logger="fusionseq"):
        assert list(track(iter("abc"), "fetch", 3)) == ["a", "b", "c"]
    assert caplog.messages == []
    assert "fetch" in terminal.getvalue()
    assert "100%" in terminal.getvalue()


def test_items_are_passed_on_as_they_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console, "is_terminal", lambda: False)
    source = iter(range(3))
    assert next(track(source, "fetch", 3)) == 0
    assert list(source) == [1, 2]


def test_keras_draws_a_bar_in_a_terminal_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", Terminal())
    assert choose_verbosity() == 1
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    assert choose_verbosity() == 2
