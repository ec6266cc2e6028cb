"""params.yaml, validated field by field. `python -m fusionseq.params` does it alone."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Self

import yaml
from pydantic import Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from fusionseq.catalog import BACKBONES
from fusionseq.errors import PipelineError
from fusionseq.model_catalog import MODELS, PAPER_MODELS, find_model, list_models
from fusionseq.sections import (
    DataParams,
    FeaturesParams,
    HeadParams,
    RuntimeParams,
    Section,
    Seed,
    SplitParams,
    StatisticsParams,
    WeightsParams,
)
from fusionseq.training_sections import TrainingParams


class Params(Section):
    """Every choice of the experiment."""

    data: DataParams
    split: SplitParams
    image_size: Annotated[int, Field(ge=1, le=1024, strict=True)]
    weights: WeightsParams
    backbones: Annotated[list[str], Field(min_length=2, max_length=2)]
    first_trained_layer: dict[str, str]
    controls: list[str]
    ensemble: list[str]
    features: FeaturesParams
    head: HeadParams
    training: TrainingParams
    seeds: Annotated[list[Seed], Field(min_length=1)]
    statistics: StatisticsParams
    runtime: RuntimeParams

    @model_validator(mode="after")
    def _check_backbones(self) -> Self:
        for name in self.backbones:
            if name not in BACKBONES or self.backbones.count(name) > 1:
                raise ValueError(f"backbones must be two different ones of {', '.join(BACKBONES)}. Got {name!r}.")
        others = [name for name in self.backbones if not BACKBONES[name].is_embedded]
        if self.weights.source == "embedded" and others:
            raise ValueError(
                f"weights.source must be imagenet, since the embedded weights have no {' and no '.join(others)}. "
                "Got embedded."
            )
        if not set(self.backbones) <= set(self.first_trained_layer) <= set(BACKBONES):
            raise ValueError(
                f"first_trained_layer must name a layer of {' and '.join(self.backbones)}; others it may name are "
                f"{', '.join(BACKBONES)}. "
                f"Got {', '.join(self.first_trained_layer) or 'none'}."
            )
        for name, layer in self.first_trained_layer.items():
            if layer not in BACKBONES[name].clean_cuts:
                raise ValueError(
                    f"first_trained_layer.{name} must be one of {', '.join(BACKBONES[name].clean_cuts)}. Got {layer!r}."
                )
        smallest = max(BACKBONES[name].stride for name in self.backbones)
        if self.image_size < smallest:
            raise ValueError(f"image_size must be at least {smallest}. Got {self.image_size}.")
        return self

    @model_validator(mode="after")
    def _check_models(self) -> Self:
        known = [name for name in (*MODELS, *self.backbones) if name not in (*PAPER_MODELS, self.backbones[0])]
        for name in self.controls:
            if name not in known:
                alone = f"; {name} alone is the sequential model here" if name == self.backbones[0] else ""
                raise ValueError(f"controls must be of {', '.join(known)}{alone}. Got {name!r}.")
            if self.controls.count(name) > 1:
                raise ValueError(f"controls must not repeat. Got {name} more than once.")
            missing = set(find_model(name).needs) - set(self.backbones)
            if missing:
                raise ValueError(
                    f"controls: {name} is made of {', '.join(sorted(missing))}, which backbones must name."
                )
            self._check_stem(name)
        for name in self.ensemble:
            if name not in self.models or self.ensemble.count(name) > 1:
                raise ValueError(
                    f"ensemble must be of {', '.join(self.models)}, each once; add others to controls, or set "
                    f"ensemble: []. Got {name!r}."
                )
        if len(self.ensemble) == 1:
            raise ValueError(f"ensemble must be empty, or name two models or more. Got {self.ensemble[0]!r} alone.")
        return self

    def _check_stem(self, name: str) -> None:
        stem = find_model(name).stem
        if stem is None:
            return
        cut, cuts = self.first_trained_layer[stem.next_backbone], BACKBONES[stem.next_backbone].clean_cuts
        if cuts.index(cut) < cuts.index(stem.entry):
            raise ValueError(
                f"first_trained_layer.{stem.next_backbone} must be {stem.entry} or a later one where controls has "
                f"{name}, which begins there. Got {cut!r}."
            )
        if self.image_size % stem.stride:
            raise ValueError(
                f"image_size must be a multiple of {stem.stride} where controls has {name}. Got {self.image_size}."
            )

    @property
    def models(self) -> list[str]:
        """The models that are trained."""
        return list_models(self.controls)

    @model_validator(mode="after")
    def _check_augmentation(self) -> Self:
        if self.features.mode == "cached" and self.training.augmentation.is_on:
            raise ValueError(
                "features.mode must be auto or streaming where training.augmentation is on: stored features would all "
                "be of the same image. Got cached."
            )
        return self

    @model_validator(mode="after")
    def _check_compilation(self) -> Self:
        if self.runtime.jit_compile and self.training.augmentation.is_interpolating:
            raise ValueError(
                "runtime.jit_compile must be false where training.augmentation has rotation, translation or crop, for "
                "which XLA has no kernel. Got true."
            )
        return self

    @model_validator(mode="after")
    def _check_split(self) -> Self:
        if self.split.use == "source" and self.data.source != "huggingface":
            raise ValueError(
                f"split.use must be ours, since data.source {self.data.source} comes without subsets. Got source."
            )
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


_NO_SECTION = ("model_type", "model_attributes_type", "dict_type")


def read_params(path: Path) -> Params:
    """Read and validate the whole of params.yaml.

    Raises
    ------
    PipelineError
        The file cannot be read, or a value is not as expected.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PipelineError(f"{path.name}: cannot be read as UTF-8 text: {error}.") from error
    return parse_params(text, path.name)


def parse_params(text: str, file_name: str) -> Params:
    """Turn the text of a params.yaml into parameters.

    Raises
    ------
    PipelineError
        It is not valid YAML, or a value is not as expected.
    """
    try:
        content = yaml.load(text, _UniqueKeyLoader)  # noqa: S506, a SafeLoader
    # Values such as the date 2020-99-99 fail below the parser, and a deep nesting within it.
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise PipelineError(f"{file_name}: is not valid YAML: {' '.join(str(error).split())}.") from error
    return validate_params(content, file_name)


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
        # A mistyped key is also a missing one, but the other half of the news tells more.
        first = min(error.errors(), key=lambda found: found["type"] != "extra_forbidden")
        more = f" ({error.error_count() - 1} more)" if error.error_count() > 1 else ""
        raise PipelineError(f"{file_name}: {' '.join(_describe(first).split())}{more}") from error


def _describe(error: ErrorDetails) -> str:
    # Within one of several kinds of a section, the second part of the location is the kind.
    is_kind = error["loc"][:1] in (("data",), ("weights",))
    location = ".".join(str(part) for place, part in enumerate(error["loc"]) if place != 1 or not is_kind)
    got = f"Got {error['input']!r}."
    if error["type"] == "value_error":
        message = error["msg"].removeprefix("Value error, ")
        # Checks across fields name their own; a check of one field leaves that to the location.
        return f"{location}: {message}" if message.startswith("a number") else message
    if error["type"] == "union_tag_invalid":
        context = error["ctx"]
        return (
            f"{location}.source must be one of {context['expected_tags'].replace(chr(39), '')}. Got {context['tag']!r}."
        )
    return {
        "extra_forbidden": f"{location} is not a parameter; remove it or mend its name.",
        "missing": f"{location} is missing.",
        "union_tag_not_found": f"{location}.source is missing.",
        **dict.fromkeys(_NO_SECTION, f"{location} must be a section with keys of its own. {got}"),
    }.get(error["type"], f"{location}: {error['msg']}. {got}")


def main() -> None:
    """Validate params.yaml of the current folder."""
    from fusionseq.console import run_checked

    run_checked(lambda: print(f"params.yaml: valid, {len(read_params(Path('params.yaml')).seeds)} seeds."))


if __name__ == "__main__":
    main()
