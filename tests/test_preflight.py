import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from fusionseq.errors import PipelineError
from fusionseq.params import validate_params
from fusionseq.preflight import check

ROOT = Path(__file__).parent.parent


def run(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "fusionseq.preflight"]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def point_to(content: dict[str, Any], folder: Path) -> dict[str, Any]:
    data = {"source": "imagefolder", "path": str(folder), "labels": None, "on_bad_image": "error"}
    return content | {"data": data}


def test_nothing_is_looked_at_but_a_folder_of_images(params_content: dict[str, Any], tmp_path: Path) -> None:
    check(validate_params(params_content, "params.yaml"))
    with pytest.raises(PipelineError, match="is not a folder"):
        check(validate_params(point_to(params_content, tmp_path / "nowhere"), "params.yaml"))


def test_ray_is_asked_for_and_not_there(params_content: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    params_content["runtime"]["engine"] = "ray"
    params = validate_params(params_content, "params.yaml")
    monkeypatch.setattr("fusionseq.preflight.find_spec", lambda name: None if name == "ray" else name)
    with pytest.raises(PipelineError, match="ray is not installed; run `make ray`"):
        check(params)
    monkeypatch.setattr("fusionseq.preflight.find_spec", lambda name: name)
    check(params)


def test_command_names_a_file_that_would_crash_dvc(params_content: dict[str, Any], tmp_path: Path) -> None:
    images = tmp_path / "images"
    images.mkdir()
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(point_to(params_content, images)), encoding="utf-8")
    done = run(tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "params.yaml: valid, 3 seeds, images from imagefolder\n"
    Path(os.fsdecode(os.fsencode(images) + b"/\xff.jpg")).write_bytes(b"")
    done = run(tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("error: the name of the file b'")
    assert done.stderr.count("\n") == 1


def test_command_refuses_bad_parameters(tmp_path: Path) -> None:
    done = run(tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("error: params.yaml: cannot be read")
