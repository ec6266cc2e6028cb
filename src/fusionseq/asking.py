"""Ask in a process of its own, which may hang or crash without harm: `fusionseq.probes` answers."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from fusionseq.errors import PipelineError

# Seconds that a killed process may take to end; one that waits for a driver never does.
_END_LIMIT = 2.0


class TimedOutError(PipelineError):
    """There was no answer within the limit."""


class Question:
    """A question that is being answered while others are asked; at the end of its block nothing of it runs any more.

    Parameters
    ----------
    root
        Folder that it is about.
    probe
        Name of it in `fusionseq.probes`.
    limit
        Seconds from now on after which it is given up.
    """

    def __init__(self, root: Path, probe: str, limit: float) -> None:
        self._limit = limit
        self._deadline = time.monotonic() + limit
        self._answer: dict[str, Any] | PipelineError | None = None
        # Files and no pipes: what a killed process has started may hold a pipe open. In memory: the disk may be full.
        self._output, self._errors = (os.fdopen(os.memfd_create(name), "w+b") for name in ("output", "errors"))
        source = str(Path(__file__).parents[1])
        paths = [source, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "fusionseq.probes", probe],
            cwd=root,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=self._errors,
            start_new_session=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_END_LIMIT)
        self._output.close()
        self._errors.close()

    def get_answer(self) -> dict[str, Any]:
        """Wait for the answer; later calls give the same one.

        Raises
        ------
        PipelineError
            There is none; says why, without a mend.
        """
        if self._answer is None:
            try:
                self._answer = self._wait()
            except PipelineError as error:
                self._answer = error
        if isinstance(self._answer, PipelineError):
            raise self._answer
        return self._answer

    def _wait(self) -> dict[str, Any]:
        try:
            status = self._process.wait(max(0.0, self._deadline - time.monotonic()))
        except subprocess.TimeoutExpired as error:
            raise TimedOutError(f"no answer within {self._limit:.0f} seconds") from error
        if status < 0:
            raise PipelineError(f"the system ended it with {signal.Signals(-status).name}")
        self._output.seek(0)
        # Libraries may print before and after it.
        for line in reversed(self._output.read().decode(errors="replace").splitlines()):
            with suppress(ValueError):
                answer = json.loads(line)
                if isinstance(answer, dict):
                    return answer
        self._errors.seek(0)
        said = self._errors.read().decode(errors="replace").strip().splitlines()
        raise PipelineError(said[-1].removeprefix("error: ").rstrip(".") if said else f"exit status {status}")
