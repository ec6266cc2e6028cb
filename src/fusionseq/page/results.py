"""What the page takes from statistics.json, checked field by field."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError

from fusionseq import experiments
from fusionseq.errors import PipelineError
from fusionseq.experiments import Summary

Interval = tuple[FiniteFloat, FiniteFloat]


class SeedResults(experiments.SeedResults):
    """Metrics of one seed; the interval of the accuracy is Wilson's, that of macro-F1 from the bootstrap."""

    accuracy_interval: Interval
    macro_f1_interval: Interval
    loss: FiniteFloat
    num_correct: int


class Parameters(BaseModel):
    """Sizes of a trained model."""

    total: int


class ModelResults(BaseModel):
    """One model; one that is the mean of others names them and has no parameters of its own."""

    title: str
    description: str
    members: list[str]
    parameters: Parameters | None = None
    accuracy: Summary
    macro_f1: Summary
    loss: Summary
    per_seed: Annotated[list[SeedResults], Field(min_length=1)]
    confusion: list[list[int]]


class Difference(BaseModel):
    """The first model less another, with a bootstrap interval over images and seeds."""

    mean: FiniteFloat
    interval: Interval


class Comparison(BaseModel):
    """The first model against another."""

    better: str | None
    accuracy_difference: Difference
    macro_f1_difference: Difference
    p_value_corrected: FiniteFloat
    verdict: Literal["shown", "open", "equal"]


class Problem(BaseModel):
    """What all models have to do."""

    num_images: int
    num_classes: int


class Corrections(BaseModel):
    """What p-values are corrected for."""

    num_comparisons: int


class Prediction(BaseModel):
    """The class that a model predicts for an image, from the mean over its seeds."""

    predicted: int
    probability: FiniteFloat
    probability_of_actual: FiniteFloat


class WorstError(BaseModel):
    """One of the test images that models get most wrong; the other keys are names of models."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Prediction] = Field(init=False)

    position: int
    actual: int

    @property
    def predictions(self) -> dict[str, Prediction]:
        """By the name of the model."""
        return self.__pydantic_extra__


class Results(BaseModel):
    """All of it. Whatever else stands there is for others."""

    seeds: Annotated[list[int], Field(min_length=1)]
    confidence: FiniteFloat
    test: Problem
    models: Annotated[dict[str, ModelResults], Field(min_length=2)]
    comparisons: Annotated[dict[str, Comparison], Field(min_length=1)]
    corrections: Corrections
    errors: list[WorstError]

    @property
    def titles(self) -> dict[str, str]:
        """Titles of all models, by their names."""
        return {name: model.title for name, model in self.models.items()}


def parse_results(text: str, source: str) -> Results:
    """Read the text of a statistics.json; `source` is what an error calls it.

    Raises
    ------
    PipelineError
        It is not whole, or another version of this program wrote it; the message names the first thing amiss.
    """
    try:
        return Results.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        found = ": ".join(filter(None, (".".join(map(str, first["loc"])), first["msg"])))
        raise PipelineError(
            f"{source} holds no results of this version of the program ({' '.join(found.split())}); run "
            "`make reproduce`."
        ) from error
