"""The formats that models are exported to, and what both have in common. No TensorFlow is needed to read it."""

from enum import StrEnum
from importlib import import_module

from fusionseq.errors import PipelineError

# Pixels, uint8 of shape (batch, image_size, image_size, 3), RGB.
INPUT = "images"
# float32 of shape (batch, num_classes).
OUTPUT = "probabilities"
# Names of the classes in the order of the probabilities: in ONNX a JSON list in the metadata, in a SavedModel what the
# signature of this name gives. A further output beside the probabilities would have no batch axis, without which
# TensorFlow Serving answers no request row by row.
CLASS_NAMES = "class_names"


class Format(StrEnum):
    """A format, by its name on the command line."""

    ONNX = "onnx"
    SAVED_MODEL = "saved_model"

    @property
    def file_name(self) -> str:
        """File or folder of a model in this format."""
        return "model.onnx" if self is Format.ONNX else "saved_model"

    @property
    def packages(self) -> tuple[str, ...]:
        """What must be importable."""
        return ("tensorflow", "keras", *(("onnx", "onnxruntime", "tf2onnx") if self is Format.ONNX else ()))

    def import_packages(self) -> dict[str, str]:
        """Import what is needed, before anything is computed, and tell the versions.

        Raises
        ------
        PipelineError
            A package is missing, or does not load.
        """
        versions = {}
        for name in self.packages:
            try:
                versions[name] = str(import_module(name).__version__)
            except ImportError as error:
                reason = " ".join(str(error).split())[:200]
                raise PipelineError(
                    f"an export to {self} needs the package {name}, which cannot be imported ({reason}); install what "
                    "requirements.txt names, or choose the other format."
                ) from error
        return versions
