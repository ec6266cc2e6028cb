"""The section `training` of params.yaml, checked by itself."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from fusionseq.sections import Count, Number, Section


class PhaseParams(Section):
    """One of the two phases of training.

    Attributes
    ----------
    epochs
        At most, where training stops early.
    learning_rate
        At its start.
    """

    epochs: Count
    learning_rate: Annotated[Number, Field(gt=0)]


class AugmentationParams(Section):
    """How images are changed at random in training; all zero and false leaves them as they are.

    Attributes
    ----------
    horizontal_flip
        Whether left and right may change places.
    rotation
        Largest angle in degrees, either way.
    translation
        Largest shift as a share of the side, in every direction.
    crop
        Largest share of the side that is cut off; what is left is enlarged to the former size.
    colour
        Strength of the changes of colour: brightness shifts by at most this share of the whole range, contrast is
        multiplied by 1 - colour to 1 + colour, and saturation by (1 - colour) / (1 + colour) to its inverse.
    mixup
        Both parameters of the beta distribution from which an image's share in a mixture of two is drawn.
    """

    horizontal_flip: Annotated[bool, Field(strict=True)]
    rotation: Annotated[Number, Field(ge=0, le=180)]
    translation: Annotated[Number, Field(ge=0, lt=1)]
    crop: Annotated[Number, Field(ge=0, lt=1)]
    colour: Annotated[Number, Field(ge=0, le=1)]
    mixup: Annotated[Number, Field(ge=0)]

    @property
    def is_on(self) -> bool:
        """Whether anything may happen to an image."""
        return any(value for _, value in self)

    @property
    def is_interpolating(self) -> bool:
        """Whether pixels are read between pixels, for which XLA has no kernel."""
        return self.rotation > 0 or self.translation > 0 or self.crop > 0


class EarlyStoppingParams(Section):
    """When a phase of training ends before its last epoch.

    Attributes
    ----------
    patience
        Epochs in a row without a new least validation loss.
    """

    patience: Count


class TrainingParams(Section):
    """Both phases, the same for every model.

    Attributes
    ----------
    batch_size
        Images in a batch, over all devices.
    label_smoothing
        Share of each training label that is spread evenly over all classes.
    weight_decay
        Share of each kernel that is taken away in a step, over the learning rate.
    learning_rate_schedule
        What becomes of the learning rate from the first to the last step of each phase; see `fusionseq.compiling`.
    early_stopping
        None trains every epoch, and keeps the weights of the last one rather than of the best.
    """

    batch_size: Count
    label_smoothing: Annotated[Number, Field(ge=0, lt=1)]
    weight_decay: Annotated[Number, Field(ge=0)]
    learning_rate_schedule: Literal["constant", "cosine", "exponential"]
    early_stopping: EarlyStoppingParams | None
    augmentation: AugmentationParams
    frozen: PhaseParams
    fine_tuning: PhaseParams

    @property
    def has_soft_labels(self) -> bool:
        """Whether a label may be shared between classes."""
        return self.label_smoothing > 0 or self.augmentation.mixup > 0

    @model_validator(mode="after")
    def _check_rates(self) -> Self:
        if self.fine_tuning.learning_rate > self.frozen.learning_rate:
            raise ValueError(
                "training.fine_tuning.learning_rate must not exceed training.frozen.learning_rate "
                f"({self.frozen.learning_rate:g}). Got {self.fine_tuning.learning_rate:g}."
            )
        return self
