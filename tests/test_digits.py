from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits as load_digit_arrays

from fusionseq.datasets import Dataset, EncodedImage
from fusionseq.datasets.digits import load_digits


def read(dataset: Dataset) -> list[EncodedImage]:
    images = list(dataset.images)
    assert all(isinstance(image, EncodedImage) for image in images)
    return [image for image in images if isinstance(image, EncodedImage)]


def test_all_digits_are_there_with_their_labels() -> None:
    dataset = load_digits(10, None)
    images = read(dataset)
    assert dataset.class_names == tuple("0123456789")
    assert dataset.num_images == len(images) == 1797
    assert [image.label for image in images] == load_digit_arrays().target.tolist()
    assert len({image.name for image in images}) == 1797


def test_pictures_are_the_ink_stretched_to_255() -> None:
    arrays = load_digit_arrays().images
    for image in read(load_digits(10, 3)):
        decoded = Image.open(BytesIO(image.content))
        assert (decoded.format, decoded.mode, decoded.size) == ("PNG", "L", (8, 8))
        row = int(image.name.removeprefix("digit-").removesuffix(".png"))
        np.testing.assert_array_equal(np.asarray(decoded), np.rint(arrays[row] * 255 / 16))


@pytest.mark.parametrize(("num_classes", "images_per_class"), [(2, 1), (3, 5), (10, 20), (10, 174)])
def test_first_images_of_the_first_classes_are_kept(num_classes: int, images_per_class: int) -> None:
    dataset = load_digits(num_classes, images_per_class)
    images = read(dataset)
    target = load_digit_arrays().target
    expected = sorted(row for label in range(num_classes) for row in np.flatnonzero(target == label)[:images_per_class])
    assert dataset.class_names == tuple(map(str, range(num_classes)))
    assert dataset.num_images == len(images) == num_classes * images_per_class
    assert [image.name for image in images] == [f"digit-{row:04d}.png" for row in expected]
    assert [image.label for image in images] == target[expected].tolist()


def test_more_than_there_are_means_all() -> None:
    assert load_digits(10, 5000).num_images == 1797


def test_same_bytes_each_time() -> None:
    first, second = ([image.content for image in read(load_digits(4, 6))] for _ in range(2))
    assert first == second
    assert len(first) == 24
