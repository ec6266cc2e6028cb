"""The sections of params.yaml, each checked by itself."""

import posixpath
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

# Fractions typed with a few digits sum to 1 only up to rounding.
_FRACTION_TOLERANCE = 1e-6


def _refuse_truth(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError(f"a number was expected. Got {str(value).lower()}.")
    return value


Count = Annotated[int, Field(ge=1, strict=True)]
# Not strict: DVC writes 1e-05, which YAML reads as text.
Number = Annotated[float, BeforeValidator(_refuse_truth)]
Text = Annotated[str, Field(min_length=1, strict=True)]
# The generators of NumPy and Keras take 32 bits.
Seed = Annotated[int, Field(ge=0, lt=2**32, strict=True)]


class Section(BaseModel):
    """Takes what it knows, all of it, and nothing else."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class _Source(Section):
    """What all sources of images have.

    Attributes
    ----------
    path
        What `fetch` depends on besides its code; dvc.yaml names it.
    on_bad_image
        Whether an image that cannot be decoded stops the run or is left out.
    """

    path: str
    on_bad_image: Literal["error", "skip"]


class DigitsParams(_Source):
    """The handwritten digits that scikit-learn ships."""

    source: Literal["digits"]
    path: Literal["requirements.txt"]
    num_classes: Annotated[int, Field(ge=2, le=10, strict=True)]
    images_per_class: Count | None


class ImageFolderParams(_Source):
    """A person's own images.

    Attributes
    ----------
    path
        Folder of the images, absolute, since experiments run in other folders.
    labels
        CSV file in that folder with the columns "path" and "label"; None where each class has a folder of its own.
    """

    source: Literal["imagefolder"]
    labels: Text | None

    @field_validator("path")
    @classmethod
    def _check_path(cls, path: str) -> str:
        if not path.startswith("/") or path != posixpath.normpath(path):
            raise ValueError(f"data.path must be the absolute path of a folder, without . or .. in it. Got {path!r}.")
        return path


class HuggingFaceParams(_Source):
    """A dataset of the Hugging Face hub.

    Attributes
    ----------
    name
        Such as "Bingsu/Cat_and_Dog".
    revision
        Full commit hash, which alone always means the same files.
    config
        One of the dataset's configurations; None where it has a single one.
    image_column, label_column
        None finds the only one.
    """

    source: Literal["huggingface"]
    path: Literal["requirements.txt"]
    name: Annotated[str, Field(pattern=r"^[\w.-]+/[\w.-]+$")]
    revision: Annotated[str, Field(pattern="^[0-9a-f]{40}$")]
    config: Text | None
    image_column: Text | None
    label_column: Text | None


DataParams = Annotated[DigitsParams | ImageFolderParams | HuggingFaceParams, Field(discriminator="source")]


class SplitParams(Section):
    """How images come into subsets.

    Attributes
    ----------
    use
        "ours" splits all images; "source" keeps the test subset, and the validation subset if there is one, that the
        dataset came with.
    train, validation, test
        Shares of the three subsets.
    seed
        Start of the random assignment.
    near_duplicates
        Up to how many of the 64 bits of two perceptual hashes may differ for two images to count as one picture; None
        takes identical files alone for one picture.
    """

    use: Literal["ours", "source"]
    train: Annotated[Number, Field(gt=0, lt=1)]
    validation: Annotated[Number, Field(gt=0, lt=1)]
    test: Annotated[Number, Field(gt=0, lt=1)]
    seed: Seed
    near_duplicates: Annotated[int, Field(ge=0, le=16, strict=True)] | None

    @model_validator(mode="after")
    def _check_sum(self) -> Self:
        total = self.train + self.validation + self.test
        if abs(total - 1) > _FRACTION_TOLERANCE:
            raise ValueError(f"split.train + split.validation + split.test must be 1. Got {total:.6g}.")
        return self


class EmbeddedWeights(Section):
    """The backbones that ship with the repository, known by their digest."""

    source: Literal["embedded"]
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class ImageNetWeights(Section):
    """The weights that `keras.applications` offers, pretrained on ImageNet.

    Attributes
    ----------
    address
        Where they are fetched from: their maintainers' server, or a mirror of it.
    """

    source: Literal["imagenet"]
    address: Annotated[str, Field(pattern="^https?://[^/@?#]+(/[^?#]*)?[^/?#]$")]


WeightsParams = Annotated[EmbeddedWeights | ImageNetWeights, Field(discriminator="source")]


class HeadParams(Section):
    """The layers after the pooled features."""

    units: Count
    dropout: Annotated[Number, Field(ge=0, lt=1)]


class FeaturesParams(Section):
    """Whether what the frozen layers say is stored, and how."""

    mode: Literal["auto", "cached", "streaming"]
    dtype: Literal["float32", "float16"]


class StatisticsParams(Section):
    """How sure the intervals are to be.

    Attributes
    ----------
    confidence
        Of every interval; one less it is the level of every test.
    resamples
        Draws of each bootstrap.
    """

    confidence: Annotated[Number, Field(gt=0.5, lt=1)]
    resamples: Annotated[int, Field(ge=100, le=1_000_000, strict=True)]


class RuntimeParams(Section):
    """What the computation runs under.

    Attributes
    ----------
    engine
        What decodes images and passes them through the frozen layers: this process, or the machines of a Ray cluster.
        The bytes are the same.
    ray_address
        Of the head of that cluster; None starts one on this machine, for as long as it is needed.
    """

    threads: Count
    jit_compile: Annotated[bool, Field(strict=True)]
    precision: Literal["float32", "mixed_float16", "mixed_bfloat16"]
    deterministic: Annotated[bool, Field(strict=True)]
    devices: Literal["one", "all"]
    engine: Literal["local", "ray"]
    ray_address: Annotated[str, Field(pattern=r"^[^\s:/@]+:[0-9]{1,5}$")] | None
