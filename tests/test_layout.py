"""Configurations and splits; test_huggingface has more of them, fetched and read."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from hub import LocalHub, make_noise

from fusionseq.checksums import Checksums
from fusionseq.datasets.hub import Hub
from fusionseq.datasets.layout import Layout, read_layout
from fusionseq.datasets.repository import Repository
from fusionseq.errors import PipelineError

NAME = "acme/noise"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalHub]:
    monkeypatch.delenv("HF_TOKEN", raising=False)
    with LocalHub() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
        yield hub


def lay_out(hub: LocalHub, folder: Path, files: Mapping[str, bytes], config: str | None = None) -> Layout:
    repository = Repository(NAME, hub.publish(NAME, files), folder / "cache", Checksums(folder / "sums.json"), Hub(0))
    return read_layout(repository, config)


def make_card(yaml: str) -> bytes:
    return f"---\n{yaml}\n---\n".encode()


def test_a_card_says_all(hub: LocalHub, tmp_path: Path) -> None:
    layout = lay_out(hub, tmp_path, make_noise())
    assert layout.config == "default"
    assert layout.splits == {
        "train": ("data/train-00000-of-00001.parquet",),
        "test": ("data/test-00000-of-00001.parquet",),
    }
    assert layout.features is not None
    assert list(layout.features) == ["image", "label"]
    assert (layout.num_images, layout.license) == (60, "cc0-1.0")


def test_names_of_files_say_enough(hub: LocalHub, tmp_path: Path) -> None:
    paths = ["b-train.parquet", "a-train.parquet", "val.parquet", "[odd] & test.parquet"]
    layout = lay_out(hub, tmp_path / "[cache]", dict.fromkeys(paths, b""))
    assert layout.splits == {
        "train": ("a-train.parquet", "b-train.parquet"),
        "validation": ("val.parquet",),
        "test": ("[odd] & test.parquet",),
    }
    assert (layout.features, layout.num_images, layout.license) == (None, None, None)


def test_several_licenses_are_joined(hub: LocalHub, tmp_path: Path) -> None:
    files = {"README.md": make_card("license: [mit, cc-by-4.0]"), "train.parquet": b""}
    assert lay_out(hub, tmp_path, files).license == "mit, cc-by-4.0"


@pytest.mark.parametrize(
    ("card", "reason"),
    [
        ("configs: [{config_name: all, data_files: 'http://127.0.0.1:9/a.parquet'}]", "finds no data in acme/noise"),
        ("configs: [{config_name: all, data_files: none/*.parquet}]", "finds no data in acme/noise"),
        ("configs: [{config_name: all, data_files: '*.parquet', filters: [[a, ==, 1]]}]", "leaves out rows"),
        ("configs: {", "finds no data in acme/noise"),
    ],
)
def test_a_card_that_is_not_followed(hub: LocalHub, tmp_path: Path, card: str, reason: str) -> None:
    with pytest.raises(PipelineError, match=reason) as caught:
        lay_out(hub, tmp_path, {"README.md": make_card(card), "train.parquet": b""})
    assert "\n" not in str(caught.value)
    assert "fusionseq-" not in str(caught.value)


def test_data_outside_of_the_dataset_are_refused(hub: LocalHub, tmp_path: Path) -> None:
    (tmp_path / "a.parquet").touch()
    card = make_card(f"configs: [{{config_name: all, data_files: {tmp_path}/*.parquet}}]")
    with pytest.raises(PipelineError, match="names data outside of the dataset"):
        lay_out(hub, tmp_path, {"README.md": card, "train.parquet": b""})
