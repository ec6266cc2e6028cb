"""What comes of a pull from a server that answers is in test_sharing.py."""

from pathlib import Path

import pytest

from fusionseq.errors import PipelineError
from fusionseq.pull import pull


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))
    root = tmp_path / "clone"
    (root / ".dvc").mkdir(parents=True)
    (root / ".dvc" / "config").write_text("[core]\n    no_scm = true\n")
    (root / "dvc.yaml").write_text("stages: {}\n")
    return root


def test_a_remote_that_is_not_known_is_one_line(root: Path) -> None:
    with pytest.raises(
        PipelineError, match=r"^DVC cannot use the remote team; `dvc remote list` names those there are"
    ):
        pull(root, "team")


def test_settings_that_dvc_does_not_know_are_one_line(root: Path) -> None:
    with (root / ".dvc" / "config").open("a") as file:
        file.write("['remote \"team\"']\n    url = gopher://host/folder\n")
    with pytest.raises(PipelineError, match="Unsupported URL type gopher://"):
        pull(root, "team")


@pytest.mark.parametrize("setting", ["", "    verify = false\n"])
def test_a_remote_that_dvc_does_not_verify_is_refused(root: Path, setting: str) -> None:
    with (root / ".dvc" / "config").open("a") as file:
        file.write(f"['remote \"public\"']\n    url = https://me:hunter2@host/folder\n{setting}")
    with pytest.raises(PipelineError) as caught:
        pull(root, "public")
    assert str(caught.value) == (
        "https://me@host/folder would be taken on trust; `dvc remote modify public verify true` before."
    )


def test_elsewhere_than_in_a_repository_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match=r"^DVC cannot read a pipeline here"):
        pull(tmp_path, "team")
