import subprocess
import sys
from pathlib import Path

# As a command of this project does it: with a log of its own.
_PROGRAM = """
import sys
from pathlib import Path
from fusionseq.console import run_checked
from fusionseq.dvc_command import run_dvc

def run():
    root = Path(sys.argv[1])
    print(run_dvc(root, "init", "--no-scm", "--quiet"), run_dvc(root, "repro", "unknown"))

run_checked(run)
"""


def test_success_is_told_and_messages_come_once(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, tmp_path], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert done.stdout.rstrip().endswith("True False")
    message = "'dvc.yaml' does not exist"
    assert (done.stdout + done.stderr).count(message) == 1
    assert "Traceback" not in done.stdout + done.stderr
    assert (tmp_path / ".dvc").is_dir()
