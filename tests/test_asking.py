import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from fusionseq.asking import Question, TimedOutError
from fusionseq.errors import PipelineError

Answering = Callable[[str], Question]


@pytest.fixture
def answering(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Answering:
    """A question to a process that a few lines of Python answer."""

    def make(code: str) -> Question:
        # Python runs it before anything else.
        (tmp_path / "sitecustomize.py").write_text(f"import os, sys, time, signal\n{code}\n")
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
        return Question(tmp_path, "stages", 5.0)

    return make


def test_the_last_line_of_json_is_the_answer(answering: Answering) -> None:
    code = """print('{"a": 1}\\nnoise', flush=True); print('{"b": [2]}\\n[3]\\nmore noise', flush=True); os._exit(0)"""
    with answering(code) as question:
        assert question.get_answer() == {"b": [2]}
        assert question.get_answer() == {"b": [2]}


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("sys.stderr.write('first\\nerror: no such thing.\\n'); sys.stderr.flush(); os._exit(1)", "^no such thing$"),
        ("os._exit(3)", "^exit status 3$"),
        ("os.kill(os.getpid(), signal.SIGILL)", "^the system ended it with SIGILL$"),
    ],
)
def test_why_there_is_no_answer_is_told(answering: Answering, code: str, reason: str) -> None:
    with answering(code) as question:
        for _ in range(2):
            with pytest.raises(PipelineError, match=reason):
                question.get_answer()


def test_what_hangs_is_given_up_with_all_that_it_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answering: Answering
) -> None:
    child = "if os.fork() == 0: open('child', 'w').write(str(os.getpid())); "
    start = time.monotonic()
    (tmp_path / "sitecustomize.py").write_text(f"import os, signal, time\n{child}\nwhile True: time.sleep(9)\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with (
        Question(tmp_path, "stages", 1.5) as question,
        pytest.raises(TimedOutError, match="no answer within 2 seconds"),
    ):
        question.get_answer()
    assert time.monotonic() - start < 5.0
    pid = int((tmp_path / "child").read_text())
    deadline = time.monotonic() + 5.0
    while is_running(pid):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def is_running(pid: int) -> bool:
    try:
        # A process that has ended stays as a zombie until whoever inherits it looks.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_an_interrupted_block_ends_the_process(answering: Answering) -> None:
    question = answering("while True: time.sleep(9)")
    with pytest.raises(KeyboardInterrupt), question:
        raise KeyboardInterrupt
    with pytest.raises(ProcessLookupError):
        os.killpg(question._process.pid, 0)


def test_no_room_for_temporary_files_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answering: Answering
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    with answering("""print('{"a": 1}', flush=True); os._exit(0)""") as question:
        assert question.get_answer() == {"a": 1}
