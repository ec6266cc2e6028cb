"""params.yaml, validated field by field. `python -m fusionseq.params` does it alone."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from fusionseq.catalog import BACKBONES
from fusionseq.errors import PipelineError

# Fractions typed with a few digits sum to 1 only up to rounding.
_FRACTION_TOLERANCE = 1e-6


def _refuse_truth(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError(f"a number was expected. Got {str(value).lower()}.")
    return value


Count = Annotated[int, Field(ge=1, strict=True)]
# Not strict: DVC writes 1e-05, which YAML reads as text.
Number = Annotated[float, BeforeValidator(_refuse_truth)]
# The generators of NumPy and Keras take 32 bits.
Seed = Annotated[int, Field(ge=0, lt=2**32, strict=True)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class DigitsParams(_Section):
    """The handwritten digits that scikit-learn ships."""

    source: Literal["digits"]
    num_classes: Annotated[int, Field(ge=2, le=10, strict=True)]
    images_per_class: Count | None


class SplitParams(_Section):
    """Shares of the three subsets, and the seed of the split."""

    train: Annotated[Number, Field(gt=0, lt=1)]
    validation: Annotated[Number, Field(gt=0, lt=1)]
    test: Annotated[Number, Field(gt=0, lt=1)]
    seed: Seed

    @model_validator(mode="after")
    def _check_sum(self) -> Self:
        total = self.train + self.validation + self.test
        if abs(total - 1) > _FRACTION_TOLERANCE:
            raise ValueError(f"split.train + split.validation + split.test must be 1. Got {total:.6g}.")
        return self


class EmbeddedWeights(_Section):
    """The backbones that ship with the repository, known by their digest."""

    source: Literal["embedded"]
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]

    @model_validator(mode="before")
    @classmethod
    def _refuse_imagenet(cls, content: object) -> object:
        if content == "imagenet" or (isinstance(content, Mapping) and content.get("source") == "imagenet"):
            raise ValueError("weights.source: imagenet is not available yet; use embedded.")
        return content


class HeadParams(_Section):
    """The layers after the pooled features."""

    units: Count
    dropout: Annotated[Number, Field(ge=0, lt=1)]


class PhaseParams(_Section):
    """One of the two phases of training."""

    epochs: Count
    learning_rate: Annotated[Number, Field(gt=0)]


class TrainingParams(_Section):
    """Both phases, the same for every model."""

    batch_size: Count
    frozen: PhaseParams
    fine_tuning: PhaseParams

    @model_validator(mode="after")
    def _check_rates(self) -> Self:
        if self.fine_tuning.learning_rate > self.frozen.learning_rate:
            raise ValueError(
                "training.fine_tuning.learning_rate must not exceed training.frozen.learning_rate "
                f"({self.frozen.learning_rate:g}). Got {self.fine_tuning.learning_rate:g}."
            )
        return self


class StatisticsParams(_Section):
    """How sure the intervals are to be."""

    confidence: Annotated[Number, Field(gt=0.5, lt=1)]


class RuntimeParams(_Section):
    """What the computation runs under."""

    threads: Count
    jit_compile: Annotated[bool, Field(strict=True)]


class Params(_Section):
    """Every choice of the experiment."""

    data: DigitsParams
    split: SplitParams
    image_size: Annotated[int, Field(ge=1, le=1024, strict=True)]
    weights: EmbeddedWeights
    first_trained_layer: dict[str, str]
    head: HeadParams
    training: TrainingParams
    seeds: Annotated[list[Seed], Field(min_length=1)]
    statistics: StatisticsParams
    runtime: RuntimeParams

    @model_validator(mode="after")
    def _check_backbones(self) -> Self:
        if set(self.first_trained_layer) != set(BACKBONES):
            raise ValueError(
                f"first_trained_layer must name a layer of each of {', '.join(BACKBONES)}. "
                f"Got {', '.join(self.first_trained_layer) or 'none'}."
            )
        for name, layer in self.first_trained_layer.items():
            if layer not in BACKBONES[name].clean_cuts:
                raise ValueError(
                    f"first_trained_layer.{name} must be one of {', '.join(BACKBONES[name].clean_cuts)}. Got {layer!r}."
                )
        smallest = max(backbone.stride for backbone in BACKBONES.values())
        if self.image_size < smallest:
            raise ValueError(f"image_size must be at least {smallest}. Got {self.image_size}.")
        return self

    @model_validator(mode="after")
    def _check_seeds(self) -> Self:
        twice = sorted({seed for seed in self.seeds if self.seeds.count(seed) > 1})
        if twice:
            raise ValueError(f"seeds must not repeat. Got {', '.join(map(str, twice))} more than once.")
        return self


class _UniqueKeyLoader(yaml.SafeLoader):
    """YAML would silently keep the last of two equal keys."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                line = node.start_mark.line + 1
                raise yaml.YAMLError(f"the key {key!r} stands twice in the section that begins on line {line}")
        return super().construct_mapping(node, deep=deep)


def read_params(path: Path) -> Params:
    """Read and validate the whole of params.yaml.

    Raises
    ------
    PipelineError
        The file cannot be read, or a value is not as expected.
    """
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), _UniqueKeyLoader)  # noqa: S506, a SafeLoader
    except (OSError, UnicodeDecodeError) as error:
        raise PipelineError(f"{path.name}: cannot be read as UTF-8 text: {error}.") from error
    # Values such as the date 2020-99-99 fail below the parser, and a deep nesting within it.
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise PipelineError(f"{path.name}: is not valid YAML: {' '.join(str(error).split())}.") from error
    return validate_params(content, path.name)


def validate_params(content: object, file_name: str) -> Params:
    """Turn what YAML gave into parameters.

    Raises
    ------
    PipelineError
        A value is not as expected; the message names the first one.
    """
    if not isinstance(content, Mapping):
        raise PipelineError(f"{file_name}: must be a mapping of sections. Got {type(content).__name__}.")
    try:
        return Params.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        more = f" ({error.error_count() - 1} more)" if error.error_count() > 1 else ""
        raise PipelineError(f"{file_name}: {' '.join(_describe(first).split())}{more}") from error


def _describe(error: ErrorDetails) -> str:
    location = ".".join(map(str, error["loc"]))
    if error["type"] == "value_error":
        message = error["msg"].removeprefix("Value error, ")
        # Checks across fields name their own; a check of one field leaves that to the location.
        return f"{location}: {message}" if message.startswith("a number") else message
    if error["type"] == "extra_forbidden":
        return f"{location} is not a parameter; remove it or mend its name."
    if error["type"] in ("model_type", "model_attributes_type", "dict_type"):
        return f"{location} must be a section with keys of its own. Got {error['input']!r}."
    if error["type"] == "missing":
        return f"{location} is missing."
    return f"{location}: {error['msg']}. Got {error['input']!r}."


def main() -> None:
    """Validate params.yaml of the current folder."""
    from fusionseq.console import run_checked

    run_checked(lambda: print(f"params.yaml: valid, {len(read_params(Path('params.yaml')).seeds)} seeds."))


if __name__ == "__main__":
    main()
