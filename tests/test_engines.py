import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import pytest
from PIL import Image

from fusionseq.datasets import Dataset, EncodedImage
from fusionseq.engines import run_work
from fusionseq.errors import PipelineError
from fusionseq.raw_images import write_raw_images
from fusionseq.shards import Shard

ROOT = Path(__file__).parent.parent
SHARDS = [Shard("a", 2), Shard("b", 3), Shard("c", 1), Shard("d", 2)]


class Recorded:
    """Writes a file for each shard, and remembers what it was asked for."""

    num_cpus = 1
    uses_gpu = False

    def __init__(self, folder: Path, failing: str = "") -> None:
        self.folder = folder
        self.failing = failing
        self.opened: list[tuple[Path, int | None]] = []

    def is_done(self, shard: Shard) -> bool:
        return (self.folder / shard.name).exists()

    def open(self, folder: Path, cores: int | None) -> Callable[[Shard], Iterator[None]]:
        self.opened.append((folder, cores))

        def compute(shard: Shard) -> Iterator[None]:
            yield from [None] * shard.num_images
            if shard.name in self.failing:
                raise PipelineError(shard.name)
            (folder / shard.name).touch()

        return compute

    def list_done(self) -> list[str]:
        return [shard.name for shard in SHARDS if self.is_done(shard)]


def test_every_image_is_counted_as_its_shard_is_computed(tmp_path: Path) -> None:
    work = Recorded(tmp_path)
    done = ["".join(work.list_done()) for _ in run_work(work, SHARDS, "local", None)]
    assert done == ["", "", "a", "a", "a", "ab", "abc", "abc"]
    assert work.list_done() == list("abcd")
    assert work.opened == [(tmp_path, None)], "what all shards need is loaded once, and may use every core"


def test_shards_of_an_earlier_run_are_counted_and_not_computed_again(tmp_path: Path) -> None:
    for name in "ac":
        (tmp_path / name).write_text("earlier", encoding="utf-8")
    work = Recorded(tmp_path)
    assert sum(1 for _ in run_work(work, SHARDS, "local", None)) == 8
    assert work.list_done() == list("abcd")
    assert [(tmp_path / name).read_text(encoding="utf-8") for name in "abcd"] == ["earlier", "", "earlier", ""]


@pytest.mark.parametrize("engine", ["local", "ray"])
def test_nothing_is_loaded_where_all_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: Literal["local", "ray"]
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    for shard in SHARDS:
        (tmp_path / shard.name).touch()
    work = Recorded(tmp_path)
    assert sum(1 for _ in run_work(work, SHARDS, engine, None)) == 8
    assert work.opened == []


def test_first_error_in_order_ends_the_work_and_keeps_what_is_done(tmp_path: Path) -> None:
    work = Recorded(tmp_path, failing="bd")
    with pytest.raises(PipelineError, match=r"^b$"):
        list(run_work(work, SHARDS, "local", None))
    assert work.list_done() == ["a"]


WITHOUT_RAY = """
import runpy, sys
sys.modules["ray"] = None
runpy.run_module("fusionseq.stages.preprocess", run_name="__main__")
"""


def test_ray_that_is_not_installed_is_one_clear_line(tmp_path: Path) -> None:
    Image.new("RGB", (9, 9), "teal").save(tmp_path / "a.png")
    images = [EncodedImage("a.png", 0, (tmp_path / "a.png").read_bytes(), "")]
    write_raw_images(tmp_path / "data" / "raw", Dataset(("x",), 1, images, {}), images, "error")
    text = (ROOT / "params.yaml").read_text(encoding="utf-8").replace("  engine: local", "  engine: ray")
    (tmp_path / "params.yaml").write_text(text, encoding="utf-8")

    def run() -> "subprocess.CompletedProcess[str]":
        command, environment = [sys.executable, "-c", WITHOUT_RAY], os.environ | {"PYTHONPATH": str(ROOT / "src")}
        return subprocess.run(
            command, cwd=tmp_path, env=environment, check=False, capture_output=True, text=True, timeout=60
        )

    done = run()
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1:] == [
        "error: runtime.engine is ray, but ray is not installed; run `make ray`, or set runtime.engine: local in "
        "params.yaml."
    ], done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "data" / "processed").exists()
    (tmp_path / "params.yaml").write_text(text.replace("  engine: ray", "  engine: local"), encoding="utf-8")
    assert run().returncode == 0, "the local engine does without"
    assert json.loads((tmp_path / "data" / "processed" / "classes.json").read_text(encoding="utf-8")) == ["x"]
