"""The two locked environments differ in TensorFlow's build alone, Ray fits either, and all hold what is asked for."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent
PACKAGE = re.compile(r"^(?P<name>[\w.-]+)==(?P<version>[^\s;]+)(?P<marker> ; [^\\]+)? \\\n", re.MULTILINE)


Lock = dict[str, tuple[str, str, tuple[str, ...]]]


def read_lock(name: str) -> Lock:
    """Version, marker and digests of each package."""
    lock = {}
    _, *parts = re.split(r"^(?=\w)", (ROOT / name).read_text(encoding="utf-8"), flags=re.MULTILINE)
    for part in parts:
        match = PACKAGE.match(part)
        assert match is not None, part
        digests = tuple(re.findall("--hash=(sha256:[0-9a-f]{64})", part))
        lock[match["name"]] = match["version"], match["marker"] or "", digests
    return lock


CPU, GPU = read_lock("requirements.txt"), read_lock("requirements-gpu.txt")
RAY = read_lock("requirements-ray.txt")


def test_gpu_adds_nvidia_and_exchanges_tensorflow() -> None:
    assert CPU.keys() - GPU.keys() == {"tensorflow-cpu"}
    assert {name for name in GPU.keys() - CPU.keys() if not name.startswith("nvidia-")} == {"tensorflow"}
    assert CPU["tensorflow-cpu"][:2] == GPU["tensorflow"][:2]
    # It asks a driver, for DVCLive, and brings no library of CUDA.
    assert [name for name in CPU if name.startswith("nvidia-")] == ["nvidia-ml-py"]


def test_all_other_packages_are_the_same() -> None:
    shared = CPU.keys() - {"tensorflow-cpu"}
    assert {name: GPU[name] for name in shared} == {name: CPU[name] for name in shared}


def test_ray_changes_nothing_of_what_it_is_added_to() -> None:
    shared = RAY.keys() & CPU.keys()
    assert {name: RAY[name] for name in shared} == {name: CPU[name] for name in shared}
    assert "ray" in RAY.keys() - CPU.keys()
    # Either build of it may be there.
    assert not [name for name in RAY if name.startswith("tensorflow")]


@pytest.mark.parametrize(
    ("lock", "extras"), [(CPU, ["cpu", "dev"]), (GPU, ["gpu", "dev"]), (RAY, ["ray"])], ids=["cpu", "gpu", "ray"]
)
def test_lock_is_that_of_the_project(lock: Lock, extras: list[str]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    optional = project["optional-dependencies"]
    for line in (*project["dependencies"], *(line for extra in extras for line in optional[extra])):
        asked = Requirement(line)
        assert asked.specifier.contains(lock[asked.name][0]), f"{line}: run `make lock`"
