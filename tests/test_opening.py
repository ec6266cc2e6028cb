from pathlib import Path
from typing import Any

import pytest
from hub import LocalHub, make_noise
from pydantic import TypeAdapter

from fusionseq.checksums import Checksums
from fusionseq.datasets import Dataset
from fusionseq.datasets.opening import open_dataset
from fusionseq.sections import DataParams


def open_from(folder: Path, **data: object) -> Dataset:
    params: Any = TypeAdapter(DataParams).validate_python({"on_bad_image": "error"} | data)
    return open_dataset(params, folder / "cache", Checksums(folder / "checksums.json"))


def test_digits_are_opened(tmp_path: Path) -> None:
    dataset = open_from(tmp_path, source="digits", path="requirements.txt", num_classes=3, images_per_class=2)
    assert (dataset.num_images, dataset.origin["source"]) == (6, "digits")


def test_a_folder_is_opened(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / "images" / name).mkdir(parents=True)
        (tmp_path / "images" / name / "1.png").write_bytes(b"")
    dataset = open_from(tmp_path, source="imagefolder", path=str(tmp_path / "images"), labels=None)
    assert (dataset.class_names, dataset.origin["source"]) == (("a", "b"), "imagefolder")


def test_a_dataset_of_the_hub_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with LocalHub() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
        dataset = open_from(
            tmp_path,
            source="huggingface",
            path="requirements.txt",
            name="acme/noise",
            revision=hub.publish("acme/noise", make_noise()),
            config=None,
            image_column=None,
            label_column="label",
        )
    assert (dataset.num_images, dataset.origin["source"]) == (60, "huggingface")
    assert (tmp_path / "checksums.json").exists()
