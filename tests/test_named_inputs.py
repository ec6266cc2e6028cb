from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from fusionseq.errors import PipelineError
from fusionseq.named_inputs import check_model_folder, decode_files


@pytest.fixture
def files(tmp_path: Path, images: NDArray[np.uint8]) -> list[Path]:
    """Two images around one that is none."""
    paths = [tmp_path / name for name in ("a.png", "b\n.png", "c.png")]
    Image.fromarray(images[0]).save(paths[0])
    paths[1].write_text("none")
    Image.fromarray(images[1]).save(paths[2])
    return paths


def test_images_come_with_their_names(files: list[Path], images: NDArray[np.uint8]) -> None:
    (first, pixels), (second, others) = decode_files(files[::2], images.shape[1], "error", "predict")
    assert [first, second] == files[::2]
    np.testing.assert_array_equal([pixels, others], images[:2])


def test_what_is_no_image_is_left_out_and_named(files: list[Path], capsys: pytest.CaptureFixture[str]) -> None:
    found = [path for path, _ in decode_files([*files, files[0].parent / "gone.png"], 32, "skip", "predict")]
    assert found == files[::2]
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(": left out (")[0].rpartition("/")[2] for line in lines] == ["b\\n.png", "gone.png"]


def test_or_stops_everything(files: list[Path]) -> None:
    with pytest.raises(PipelineError, match=r"b\\n\.png: is not an image .* add --on-bad-image skip"):
        list(decode_files(files, 32, "error", "predict"))


def test_a_folder_without_a_model_is_one_error(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match=r"holds no model\.json that can be read"):
        check_model_folder(tmp_path)
    (tmp_path / "model.json").touch()
    check_model_folder(tmp_path)
