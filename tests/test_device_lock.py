import os
import subprocess
import sys
from pathlib import Path
from unittest.mock import Mock

import pytest

from fusionseq.device_lock import hold_gpus, identify_gpus, keep_gpus
from fusionseq.errors import PipelineError

ROOT = Path(__file__).parent.parent
UUID = "GPU-8932f937-d72c-4106-c12f-20bd9faed9f6"
ANOTHER = """
import sys
from pathlib import Path
from fusionseq.device_lock import hold_gpus
with hold_gpus(sys.argv[2:], Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize(
    ("number", "visible", "names"),
    [
        (0, None, ()),
        (0, "", ()),
        (0, "-1", ()),
        (2, None, ("0", "1")),
        (1, "1", ("1",)),
        (2, "3, 1", ("3", "1")),
        # What follows a GPU that does not exist is not seen.
        (1, "2,-1,0", ("2",)),
        (1, UUID, (UUID,)),
    ],
)
def test_a_gpu_goes_by_the_same_name_in_every_process(number: int, visible: str | None, names: tuple[str, ...]) -> None:
    assert identify_gpus(number, visible) == names


def start_another(folder: Path, *names: str) -> subprocess.Popen[str]:
    """Hold GPUs in another process."""
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    command = [sys.executable, "-c", ANOTHER, str(folder), *names]
    process = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_one_computation_a_gpu(tmp_path: Path) -> None:
    with start_another(tmp_path, "1", UUID) as other:
        for names in (["1"], ["0", "1"], [UUID]):
            with pytest.raises(PipelineError) as caught, hold_gpus(names, tmp_path):
                pass
            assert str(caught.value).startswith(f"GPU {names[-1]} is in use by another run")
            assert "CUDA_VISIBLE_DEVICES" in str(caught.value)
            assert str(caught.value).endswith("let TMPDIR name a folder of the job's own.")
            assert "\n" not in str(caught.value)
        # GPU 0 is free, and what was refused has let go of it.
        with hold_gpus(["0"], tmp_path):
            pass
        other.kill()
    with hold_gpus(["1", UUID], tmp_path), hold_gpus(["0"], tmp_path):
        pass


def test_no_gpu_is_no_lock(tmp_path: Path) -> None:
    with hold_gpus([], tmp_path):
        assert list(tmp_path.iterdir()) == []


def test_a_name_stays_within_the_folder(tmp_path: Path) -> None:
    with hold_gpus(["MIG-GPU-8932f937/1/0", ".."], tmp_path):
        names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["fusionseq-gpu-...lock", "fusionseq-gpu-MIG-GPU-8932f937-1-0.lock"]


def test_a_lock_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match="cannot be opened"), hold_gpus(["0"], tmp_path / "absent"):
        pass
    (tmp_path / "fusionseq-gpu-0.lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(PipelineError, match="cannot be opened"), hold_gpus(["0"], tmp_path):
        pass


def test_a_strict_umask_shuts_no_other_user_out(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        with hold_gpus(["0"], tmp_path):
            pass
    finally:
        os.umask(before)
    assert (tmp_path / "fusionseq-gpu-0.lock").stat().st_mode & 0o777 == 0o644


def test_a_file_that_another_user_makes_in_that_moment_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.fchmod", Mock(side_effect=PermissionError(1, "Operation not permitted")))
    with hold_gpus(["0"], tmp_path), pytest.raises(PermissionError):
        os.fchmod(0, 0)


def test_a_process_keeps_what_it_asks_for_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    names = ("a", "b")
    with keep_gpus(names) as kept:
        assert keep_gpus(names) is kept
        for name in names:
            with pytest.raises(PipelineError), hold_gpus([name], tmp_path):
                pass
    keep_gpus.cache_clear()
