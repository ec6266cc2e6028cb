from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest

from fusionseq.paths import Paths

PROPERTIES = [name for name, value in vars(Paths).items() if isinstance(value, property)]
OF_ARCHITECTURE = ("history", "predictions", "probabilities")


def list_paths(root: Path) -> list[Path]:
    paths = Paths(root)
    found = [getattr(paths, name) for name in PROPERTIES]
    for architecture in ("fusion", "sequential"):
        found += [getattr(paths, name)(architecture) for name in OF_ARCHITECTURE]
        found += [paths.model(architecture, seed) for seed in (0, 11)]
    return found


def test_everything_lies_below_the_root(tmp_path: Path) -> None:
    found = list_paths(tmp_path)
    assert len(found) > 20
    assert all(path.is_relative_to(tmp_path) and path != tmp_path for path in found)


def test_no_two_files_share_a_place(tmp_path: Path) -> None:
    found = list_paths(tmp_path)
    assert len(set(found)) == len(found)


def test_generated_files_lie_apart_from_hand_written_ones(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    for heavy in (paths.raw, paths.backbones, paths.subsets, paths.processed, paths.features, paths.model("fusion", 0)):
        assert heavy.is_relative_to(tmp_path / "data")
    for light in (paths.metrics, paths.statistics, paths.history("fusion"), paths.predictions("fusion"), paths.figures):
        assert light.is_relative_to(tmp_path / "reports")
    # DVC deletes the outputs of a stage when it starts.
    assert not any(paths.scratch.is_relative_to(tmp_path / name) for name in ("data", "reports"))


def test_model_has_a_folder_of_its_own_for_each_seed(tmp_path: Path) -> None:
    assert Paths(tmp_path).model("fusion", 3) == tmp_path / "data" / "models" / "fusion" / "3"


def test_hand_written_files_are_there() -> None:
    paths = Paths(Path(__file__).parents[1])
    for path in (
        paths.params,
        paths.code,
        paths.requirements,
        paths.gpu_requirements,
        paths.profiles,
        paths.template,
        paths.published,
        paths.embedded_recipe,
    ):
        assert path.exists(), path
    assert paths.benchmark.exists()


def test_root_cannot_be_changed(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    with pytest.raises(FrozenInstanceError):
        paths.root = Path()  # type: ignore[misc]
