from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from fusionseq.errors import PipelineError
from fusionseq.feature_files import read_features, write_features
from fusionseq.features import extract_features

pytestmark = pytest.mark.usefixtures("runtime")


@pytest.fixture(scope="module")
def frozen() -> keras.Model:
    image = keras.Input((4, 4, 3), dtype="uint8")
    cut = keras.layers.Rescaling(2.0)(image)
    return keras.Model(image, {"cut": cut, "pooled": keras.layers.GlobalAveragePooling2D()(cut)})


def test_features_survive_the_disk(frozen: keras.Model, tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (9, 4, 4, 3)).astype(np.uint8)
    rows = list(extract_features(frozen, images))
    write_features(tmp_path / "vgg16", frozen, len(images), iter(rows))
    features = read_features(tmp_path, "vgg16")
    assert isinstance(features.cut, np.memmap)
    assert (str(features.cut.dtype), features.cut.shape) == ("float32", (9, 4, 4, 3))
    assert (str(features.pooled.dtype), features.pooled.shape) == ("float32", (9, 3))
    np.testing.assert_array_equal(features.cut, [row["cut"] for row in rows])
    np.testing.assert_array_equal(features.pooled, [row["pooled"] for row in rows])


def test_extraction_that_fails_leaves_no_file(frozen: keras.Model, tmp_path: Path) -> None:
    def extract() -> Iterator[dict[str, NDArray[np.float32]]]:
        yield {"cut": np.zeros((4, 4, 3), np.float32), "pooled": np.zeros(3, np.float32)}
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_features(tmp_path / "vgg16", frozen, 2, extract())
    assert list((tmp_path / "vgg16").iterdir()) == []


def test_missing_features_are_one_error(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match=r"cut\.npy does not exist"):
        read_features(tmp_path, "vgg16")
