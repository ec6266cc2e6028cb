"""Look over this machine and this repository: `python -m fusionseq.doctor [--json]`.

Each finding is a line: "ok", "warning" or "problem", what was found, and its mend. The exit status is 1 if a problem
would stop `make reproduce`. Nothing is changed, and what hangs is given up; without a network the answer is as quick.

The JSON has these keys.

is_ready : whether no problem was found
findings : list of `mark`, `subject`, `found` and `mend`, "" where there is nothing to do
"""

import argparse
import json
import os
import platform
import shutil
import signal
import sys
import tomllib
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

# Nothing here needs an installed package, so that a broken environment is a finding too.
from fusionseq.asking import Question, TimedOutError
from fusionseq.checkups import (
    Gpus,
    judge_disk,
    judge_gpus,
    judge_latex,
    judge_packages,
    judge_proxies,
    judge_python,
    judge_resources,
)
from fusionseq.commits import list_changes, run_git
from fusionseq.errors import PipelineError
from fusionseq.findings import Finding, Mark, build_report, fail, format_finding, format_summary, note, warn
from fusionseq.machine import (
    count_cores,
    find_missing_latex,
    is_on_path,
    list_cards,
    list_installed,
    may_install,
    read_free_memory,
    read_latex,
)
from fusionseq.paths import Paths
from fusionseq.repository_checkups import (
    Remote,
    choose_link,
    judge_downloads,
    judge_git,
    judge_link,
    judge_remotes,
    judge_stages,
)

if TYPE_CHECKING:
    from fusionseq.params import Params

# Seconds. TensorFlow takes a fifth of them to start where nothing was compiled yet, and more on a busy machine.
_LIMIT = 90.0
_REINSTALL = "remove the environment (`rm -r .venv` or .venv-gpu) and let `make doctor` install it anew"
_PROXIES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY")
_CERTIFICATES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")


class Doctor:
    """Looks over a repository and the machine that it is on."""

    # Not before a check asks for them: a damaged package cannot be read, which is a finding.
    _installed = cached_property(lambda _: list_installed())

    def __init__(self, paths: Paths) -> None:
        self._paths = paths
        self._params: Params | None = None

    def examine(self) -> Iterator[Finding]:
        """Make all findings, in the same order each time."""
        with ExitStack() as stack:
            gpus, stages, network = (
                stack.enter_context(Question(self._paths.root, probe, _LIMIT))
                for probe in ("gpus", "stages", "network")
            )
            checks: list[tuple[str, Callable[[], Iterable[Finding]]]] = [
                ("python", self._check_python),
                ("packages", self._check_packages),
                ("params.yaml", self._check_params),
                ("tensorflow", lambda: self._check_gpus(gpus)),
                ("latex", self._check_latex),
                ("memory", self._check_resources),
                ("git", self._check_git),
                ("results", lambda: self._check_stages(stages)),
                ("disk", lambda: self._check_disk(stages, network)),
                ("network", lambda: self._check_network(stages, network)),
            ]
            for subject, check in checks:
                yield from _guard(subject, check)

    @property
    def _is_gpu_environment(self) -> bool:
        # Both builds have the module tensorflow; the package of that name is the one with CUDA.
        return "tensorflow" in self._installed

    def _check_python(self) -> Iterator[Finding]:
        project = tomllib.loads(_read(self._paths.root / "pyproject.toml"))["project"]
        yield from judge_python(platform.python_version(), project["requires-python"], is_on_path(Path(sys.executable)))

    def _check_packages(self) -> Iterator[Finding]:
        lock = self._paths.gpu_requirements if self._is_gpu_environment else self._paths.requirements
        yield judge_packages(_read(lock), lock.name, self._installed)

    def _check_params(self) -> Iterator[Finding]:
        from fusionseq.params import read_params
        from fusionseq.preflight import check

        self._params = read_params(self._paths.params)
        check(self._params)
        yield note("params.yaml", f"valid, images from {self._params.data.source}")

    def _check_gpus(self, answer: Question) -> Iterator[Finding]:
        visible = os.environ.get("CUDA_VISIBLE_DEVICES")
        cards = list_cards()
        try:
            found = answer.get_answer()
        except PipelineError as error:
            driver = "look at the driver (`nvidia-smi`), or try CUDA_VISIBLE_DEVICES=-1, or "
            yield fail("tensorflow", f"cannot be used: {error}", (driver if cards else "") + _REINSTALL)
            return
        yield note("tensorflow", found["version"])
        is_asked = None if self._params is None else self._params.runtime.devices == "all"
        yield judge_gpus(Gpus(is_asked, self._is_gpu_environment, visible, cards, found["gpus"]))

    def _check_latex(self) -> Iterator[Finding]:
        files, packages = read_latex(_read(self._paths.root / "Makefile"))
        yield judge_latex(*find_missing_latex(files), packages, may_install())

    def _check_resources(self) -> Iterator[Finding]:
        threads = None if self._params is None else self._params.runtime.threads
        yield from judge_resources(read_free_memory(), count_cores(), threads)

    def _check_git(self) -> Iterator[Finding]:
        changes = list_changes(self._paths.root)
        try:
            author = [run_git(self._paths.root, "config", f"user.{what}").strip() for what in ("name", "email")]
        except PipelineError:
            author = []
        yield from judge_git(changes, has_author=bool(author) and all(author))

    def _check_stages(self, answer: Question) -> Iterator[Finding]:
        found = answer.get_answer()
        yield judge_stages(found["waiting"], found["changed"])
        yield judge_link(choose_link(found["configured"], found["supported"]), os.geteuid() == 0)

    def _check_disk(self, stages: Question, network: Question) -> Iterator[Finding]:
        free = shutil.disk_usage(self._paths.root).free
        try:
            yield judge_disk(self._estimate_disk(stages.get_answer(), network), free)
        except PipelineError as error:
            unknown = f"{free / 1e9:.1f} GB free, and what is needed cannot be told: {error}"
            yield warn("disk", unknown, "`python -m fusionseq.plan` says more")

    def _estimate_disk(self, found: dict[str, Any], network: Question) -> int:
        """Bytes that `make reproduce` would add."""
        copies = 2 if choose_link(found["configured"], found["supported"]) == "copy" else 1
        if found["is_as_measured"]:
            sizes: dict[str, int] = found["sizes"]
            return copies * sum(sizes[name] for name in found["waiting"])
        if network.get_answer()["hub"] and "fetch" in found["waiting"]:
            raise PipelineError("that depends on the dataset, which the hub does not give")
        with Question(self._paths.root, "disk", _LIMIT) as question:
            estimate = question.get_answer()
        # It counts two copies.
        return int(estimate["bytes"]) * copies // 2 + int(estimate["downloads"])

    def _check_network(self, stages: Question, network: Question) -> Iterator[Finding]:
        found = network.get_answer()
        try:
            waiting = stages.get_answer()["waiting"]
        except PipelineError:
            waiting = ["fetch", "backbones"]
        yield from judge_remotes([Remote(**remote) for remote in found["remotes"]])
        yield judge_downloads("hub", found["hub"], "fetch" not in waiting)
        yield judge_downloads("weights", found["weights"], "backbones" not in waiting)
        # A name and a password stand before an @.
        proxies = {name: value.rpartition("@")[2] for name in _PROXIES if (value := _read_variable(name))}
        missing = [name for name in _CERTIFICATES if (path := os.environ.get(name)) and not Path(path).exists()]
        yield from judge_proxies(proxies, missing)


def _read_variable(name: str) -> str:
    return os.environ.get(name) or os.environ.get(name.lower(), "")


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise PipelineError(
            f"{path.name} cannot be read ({reason}); run this in the folder of dvc.yaml, or `git checkout {path.name}`."
        ) from error


def _guard(subject: str, check: Callable[[], Iterable[Finding]]) -> Iterator[Finding]:
    """Make a finding of what stops a check, so that the others go on."""
    try:
        yield from check()
    except TimedOutError as error:
        yield warn(subject, str(error), "look again when the machine is less busy")
    except PipelineError as error:
        yield fail(subject, str(error).rstrip("."), "")
    # A machine in disorder breaks libraries in ways that nobody can list.
    except Exception as error:
        yield fail(subject, f"cannot be looked at ({type(error).__name__}: {error})", _REINSTALL)


def _print(text: str) -> None:
    # In any locale, and as soon as it is found.
    sys.stdout.buffer.write(f"{text}\n".encode(errors="replace"))
    sys.stdout.buffer.flush()


def main() -> None:
    """Look over the current folder and this machine."""
    parser = argparse.ArgumentParser(
        prog="python -m fusionseq.doctor", description="Look over this machine and this repository."
    )
    parser.add_argument("--json", action="store_true", help="print JSON in place of lines")
    arguments = parser.parse_args()
    findings = []
    try:
        for finding in Doctor(Paths(Path.cwd())).examine():
            findings.append(finding)
            if not arguments.json:
                _print(format_finding(finding))
    except KeyboardInterrupt:
        sys.exit("error: interrupted.")
    _print(json.dumps(build_report(findings), indent=2) if arguments.json else format_summary(findings))
    sys.exit(any(finding.mark is Mark.PROBLEM for finding in findings))


if __name__ == "__main__":
    # Who reads standard output may stop before its end, as `head` does.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    main()
