"""Which columns are taken for images and labels."""

import pyarrow as pa
import pytest
from datasets import ClassLabel, Features, Image, List, Value

from fusionseq.datasets.columns import find_columns
from fusionseq.errors import PipelineError

IMAGE, CLASS, TEXT, NUMBER = Image(), ClassLabel(names=["cat", "dog"]), Value("string"), Value("int64")


@pytest.mark.parametrize(
    ("features", "image", "label"),
    [
        ({"image": IMAGE, "label": CLASS}, "image", "label"),
        ({"species": CLASS, "photo": IMAGE, "label": NUMBER, "thumbnail": Value("binary")}, "photo", "species"),
        ({"img": IMAGE, "Label": TEXT, "caption": TEXT}, "img", "Label"),
        ({"img": IMAGE, "category": Value("large_string"), "target": Value("float32")}, "img", "category"),
        ({"img": IMAGE, "class": Value("bool"), "id": NUMBER}, "img", "class"),
        ({"jpg": Value("binary"), "label": Value("uint8")}, "jpg", "label"),
        ({"image": {"bytes": Value("binary"), "path": TEXT}, "label": NUMBER}, "image", "label"),
    ],
)
def test_the_only_columns_are_found(features: dict[str, object], image: str, label: str) -> None:
    columns = find_columns(Features(features), None, None)
    assert (columns.image, columns.label) == (image, label)


@pytest.mark.parametrize(
    ("features", "named", "message"),
    [
        ({"a": IMAGE, "b": IMAGE, "label": CLASS}, (None, None), "image_column must name .*, one of a, b. Got null."),
        ({"a": IMAGE, "label": CLASS}, ("label", None), "image_column must name .*, one of a. Got label."),
        ({"a": IMAGE, "fine": CLASS, "coarse": CLASS}, (None, None), "label_column .*, one of fine, coarse. Got null."),
        ({"a": IMAGE, "label": TEXT, "class": TEXT}, (None, None), "label_column .*, one of label, class. Got null."),
        ({"a": IMAGE, "id": NUMBER, "kind": TEXT}, (None, None), "label_column .*, one of id, kind. Got null."),
        ({"a": IMAGE, "label": CLASS, "x": Value("float64")}, (None, "x"), "label_column .*, one of label. Got x."),
        ({"many": List(IMAGE), "label": CLASS}, (None, None), "has no column of images; name another one"),
        ({"a": IMAGE, "box": List(NUMBER)}, (None, None), "has no column of labels; name another one"),
    ],
)
def test_others_must_be_named(features: dict[str, object], named: tuple[str | None, str | None], message: str) -> None:
    with pytest.raises(PipelineError, match=message):
        find_columns(Features(features), *named)


def test_a_named_column_is_taken() -> None:
    features = Features({"a": IMAGE, "b": IMAGE, "label": CLASS, "id": NUMBER})
    columns = find_columns(features, "b", "id")
    assert (columns.image, columns.label) == ("b", "id")


def test_images_become_bytes_and_paths() -> None:
    columns = find_columns(Features({"image": IMAGE, "label": CLASS}), None, None)
    kept = [{"bytes": b"1", "path": None}, {"bytes": None, "path": "2.png"}]
    assert columns.cast_images(pa.array(kept)).to_pylist() == kept
    assert columns.cast_images(pa.array([b"1"], pa.large_binary())).to_pylist() == [kept[0]]
    assert columns.cast_images(pa.array(["2.png"])).to_pylist() == [kept[1]]


def test_labels_become_numbers_of_classes_or_stay_what_they_are() -> None:
    numbered = find_columns(Features({"image": IMAGE, "label": CLASS}), None, None)
    assert numbered.cast_labels(pa.array(["dog", "cat"])).to_pylist() == [1, 0]
    assert numbered.cast_labels(pa.array([1, None], pa.int8())).to_pylist() == [1, None]
    assert numbered.name_classes([0, 1]) == ("cat", "dog")
    plain = find_columns(Features({"image": IMAGE, "label": TEXT}), None, None)
    assert plain.cast_labels(pa.array(["b", "a"], pa.large_string())).to_pylist() == ["b", "a"]
    assert plain.name_classes([False, True]) == ("false", "true")
