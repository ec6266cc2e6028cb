"""What `make bench` recorded, as far as the paper prints it.

Times differ from run to run, so the paper cannot take them from its own run without differing as well.
"""

from datetime import date
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fusionseq.errors import PipelineError

Count = Annotated[int, Field(ge=1)]
Quantity = Annotated[float, Field(gt=0)]
Text = Annotated[str, Field(min_length=1)]


class _Section(BaseModel):
    # A record holds more than is printed, and may come to hold more still.
    model_config = ConfigDict(frozen=True, extra="ignore", strict=True, allow_inf_nan=False)


class Machine(_Section):
    """What was measured on."""

    processor: Text
    cores: Count
    threads: Count
    python: Text
    tensorflow: Text
    keras: Text


class TrainingTimings(_Section):
    """Fusion and sequential from stored activations, against the source paper's listings end to end."""

    num_images: Count
    image_size: Count
    epochs_per_phase: Count
    batch_size: Count
    speedup_one_seed: Quantity
    speedup_three_seeds: Quantity
    over_limit: Quantity


class FeatureTimings(_Section):
    """The one pass of every image through the frozen layers."""

    over_limit: Quantity


class ModelTimings(_Section):
    """One model, on the images of `TrainingTimings`."""

    seconds_per_image: Quantity
    seconds_per_epoch_frozen: Quantity
    seconds_per_epoch_fine_tuning: Quantity
    peak_memory_mib: Quantity


class TimingsByModel(_Section):
    """Models by their names: the two of the source paper, and any others that were measured."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, ModelTimings]

    fusion: ModelTimings
    sequential: ModelTimings


class Timings(_Section):
    """A record of `make bench`."""

    date: date
    machine: Machine
    training: TrainingTimings
    features: FeatureTimings
    models: TimingsByModel


def parse_timings(content: bytes) -> Timings:
    """Turn a JSON file of `make bench` into timings.

    Raises
    ------
    PipelineError
        A value is missing or no such measurement; the message names the first one.
    """
    try:
        return Timings.model_validate_json(content)
    except ValidationError as error:
        first = error.errors()[0]
        location = ".".join(map(str, first["loc"]))
        what = f"{location} is missing" if first["type"] == "missing" else f"{location}: {first['msg']}".lstrip(": ")
        raise PipelineError(
            f"benchmarks/results.json: {what}. Run `make bench` to record all that the paper prints."
        ) from error
