"""Which columns of a dataset hold its images and labels, by what the library `datasets` says of each column."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fusionseq.errors import PipelineError

if TYPE_CHECKING:
    from datasets import Features
    from pyarrow import Array

# What a column of labels is called where no column is said to hold any.
_USUAL_LABELS = frozenset({"label", "labels", "class", "class_name", "cls", "category", "target"})


@dataclass(frozen=True)
class Columns:
    """The columns that are read.

    Attributes
    ----------
    image, label
        Their names.
    label_feature
        What the library says of the labels.
    """

    image: str
    label: str
    label_feature: Any

    @property
    def are_numbered(self) -> bool:
        """Whether labels are numbers of classes that the dataset names."""
        from datasets import ClassLabel

        return isinstance(self.label_feature, ClassLabel)

    def cast_images(self, array: "Array") -> "Array":
        """Make records of "bytes" and "path", each of which may be missing, of whatever form images come in."""
        from datasets import Image

        return Image().cast_storage(array)

    def cast_labels(self, array: "Array") -> "Array":
        """Make labels of one type, whatever the file stores: numbers of classes, or the values themselves."""
        feature = self.label_feature
        return feature.cast_storage(array) if self.are_numbered else array.cast(feature.pa_type)

    def name_classes(self, values: Sequence[Any]) -> tuple[str, ...]:
        """Name the classes that some sorted labels stand for."""
        if self.are_numbered:
            return tuple(self.label_feature.int2str(value) for value in values)
        return tuple(str(value).lower() if isinstance(value, bool) else str(value) for value in values)


def find_columns(features: "Features", image_column: str | None, label_column: str | None) -> Columns:
    """Find the columns of images and labels.

    A column of images is one of the library's images or, where there are none, one of bytes. A column of labels is one
    of the library's class labels or, where there are none, one of text, whole numbers or truth values that is called
    "label" or the like.

    Parameters
    ----------
    features
        Columns of the dataset.
    image_column, label_column
        Their names; None finds the only one.

    Raises
    ------
    PipelineError
        There is no such column, or more than one.
    """
    from datasets import ClassLabel, Image

    names = list(features)
    images = [name for name in names if isinstance(features[name], Image)]
    images = images or [name for name in names if _holds_bytes(features[name])]
    possible = [name for name in names if _holds_labels(features[name])]
    labels = [name for name in possible if isinstance(features[name], ClassLabel)]
    labels = labels or [name for name in possible if name.lower() in _USUAL_LABELS]
    image = _choose("image", image_column, images, images)
    label = _choose("label", label_column, labels, possible)
    return Columns(image, label, features[label])


def _holds_bytes(feature: Any) -> bool:
    from datasets import Value

    # Without the library's metadata, an image is a record of its bytes and its path.
    content = feature.get("bytes") if isinstance(feature, dict) else feature
    return isinstance(content, Value) and content.dtype in {"binary", "large_binary"}


def _holds_labels(feature: Any) -> bool:
    from datasets import ClassLabel, Value

    kinds = ("bool", "int", "uint", "string", "large_string")
    return isinstance(feature, ClassLabel) or (isinstance(feature, Value) and feature.dtype.startswith(kinds))


def _choose(kind: str, named: str | None, likely: Sequence[str], possible: Sequence[str]) -> str:
    if named is not None and named in possible:
        return named
    if named is None and len(likely) == 1:
        return likely[0]
    if not possible:
        raise PipelineError(f"the dataset has no column of {kind}s; name another one in data.name in params.yaml.")
    raise PipelineError(
        f"params.yaml: data.{kind}_column must name the column of {kind}s, one of {', '.join(likely or possible)}. Got "
        f"{named or 'null'}."
    )
