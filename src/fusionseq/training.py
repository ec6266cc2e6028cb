"""Two-phase training from what the frozen layers said of each image, the same for every model.

Source: the source paper, Section 8.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import keras
import numpy as np
from numpy.typing import NDArray

from fusionseq.artifacts import Subsets
from fusionseq.augmentation import augment
from fusionseq.batches import Batches, EpochOrder
from fusionseq.compiling import compile_model, soften_labels
from fusionseq.early_stopping import find_best, is_patience_over
from fusionseq.errors import PipelineError
from fusionseq.features import Inputs, select_inputs
from fusionseq.mixup import MixedBatches
from fusionseq.models.cutting import get_fine_tuning_phase, get_frozen_phase, make_trainable
from fusionseq.training_sections import TrainingParams

Weights = Sequence[NDArray[np.float32]]


@dataclass(frozen=True)
class Epoch:
    """What one epoch of training came to.

    Attributes
    ----------
    phase
        "frozen" or "fine-tuning".
    epoch
        Counted on from phase to phase, from 1.
    loss
        Mean of what training minimizes: the cross-entropy with the labels as they were smoothed and mixed.
    accuracy
        Share of training images put into their class; of a mixture, into that of the larger share.
    validation_loss, validation_accuracy
        With the labels as they are, and images as they are.
    """

    phase: str
    epoch: int
    loss: float
    accuracy: float
    validation_loss: float
    validation_accuracy: float


class Progress(Protocol):
    """Where the state of a training is kept, so that a killed one goes on; see `fusionseq.resuming`."""

    def read_history(self) -> list[Epoch]:
        """Read the epochs that need not be trained again."""

    def load(self, model: keras.Model) -> Weights:
        """Load a compiled model as of the last of them; give what was kept beside it."""

    def save(self, model: keras.Model, history: list[Epoch], best: Weights) -> None:
        """Keep a compiled model after an epoch, and its trained weights after the best epoch of the phase, if any."""


@dataclass(frozen=True)
class Execution:
    """How the same training is carried out.

    Attributes
    ----------
    jit_compile
        Whether to compile with XLA.
    num_devices
        Devices that share each batch.
    feed
        What hands the batches to Keras, such as `fusionseq.streaming.stream_batches`.
    verbose
        As in `keras.Model.fit`.
    observe
        What is told of each epoch as soon as it is over, such as `fusionseq.live.logging_curves` gives; first of those
        that need not be trained again.
    """

    jit_compile: bool
    num_devices: int
    feed: Callable[[Batches], Any]
    verbose: int
    observe: Callable[[Epoch], object]


def train_model(
    model: keras.Model,
    inputs: Inputs,
    subsets: Subsets,
    first_trained_layers: Mapping[str, str],
    training: TrainingParams,
    seed: int,
    execution: Execution,
    progress: Progress,
) -> list[Epoch]:
    """Train the head on frozen backbones, then head and last layers together at a lower rate.

    From stored features, the images pass the layers before them nowhere in here: where nothing is trained before the
    head, the first phase starts from pooled features, and the second from the activations at the cut. From images, the
    whole model computes in every epoch. The weights are the same either way.

    Parameters
    ----------
    model
        With pretrained backbones; trained in place.
    inputs
        Features of all images, or the images.
    subsets
        Labels and subsets of all images; those of the test subset are not looked at.
    first_trained_layers
        By the name of the backbone.
    training
        All that the parameters have to say.
    seed
        Start of the order of the batches, and of all that happens to an image.
    execution
        How to carry it out.
    progress
        Where to go on, and where to keep the state.

    Returns
    -------
    list[Epoch]
        One for each epoch that was trained. Where a phase may stop early, it ends with the weights of its best epoch,
        which need not be the last.
    """
    if execution.num_devices > training.batch_size:
        raise PipelineError(
            f"training.batch_size must be at least the number of devices, {execution.num_devices}. "
            f"Got {training.batch_size}; raise it, or set runtime.devices: one in params.yaml."
        )
    phases = [
        ("frozen", get_frozen_phase(model), training.frozen),
        ("fine-tuning", get_fine_tuning_phase(model, first_trained_layers), training.fine_tuning),
    ]
    history = progress.read_history()
    for epoch in history:
        execution.observe(epoch)
    for name, phase, settings in phases:
        if name != "fine-tuning" and any(epoch.phase == "fine-tuning" for epoch in history):
            continue
        make_trainable(model, phase)
        part, arrays = select_inputs(model, phase, inputs)
        computed = augment(part, training.augmentation, seed)
        batches, validation = _make_batches(arrays, subsets, model.output.shape[-1], training, seed, execution)
        num_steps = len(batches) * settings.epochs
        compile_model(computed, training, settings, num_steps, execution.num_devices, execution.jit_compile)
        record = _Record(name, history, training, execution, progress)
        if record.list_losses():
            record.best = progress.load(computed)
        epochs_before = len(history) - len(record.list_losses())
        if not record.is_over():
            computed.fit(
                execution.feed(batches),
                initial_epoch=len(history),
                epochs=epochs_before + settings.epochs,
                callbacks=[EpochOrder(batches), record],
                validation_data=execution.feed(validation),
                shuffle=False,
                verbose=execution.verbose,
            )
        record.restore_best(computed)
    return history


def find_kept(history: Sequence[Epoch], training: TrainingParams) -> Epoch:
    """Find the epoch whose weights a training ends with: the last, or where it may stop early the best of its phase."""
    last_phase = [epoch for epoch in history if epoch.phase == history[-1].phase]
    if training.early_stopping is None:
        return last_phase[-1]
    return last_phase[find_best([epoch.validation_loss for epoch in last_phase])]


def _make_batches(
    arrays: tuple[Any, ...],
    subsets: Subsets,
    num_classes: int,
    training: TrainingParams,
    seed: int,
    execution: Execution,
) -> tuple[Batches, Batches]:
    """Make the batches to train on and those to validate with, whose labels are only as soft as the loss needs."""
    common: dict[str, Any] = {"batch_size": training.batch_size, "full": execution.num_devices > 1}
    train, validation = subsets.rows("train"), subsets.rows("validation")
    labels: NDArray[Any] = subsets.labels
    true_labels: NDArray[Any] = subsets.labels
    if training.has_soft_labels:
        labels = soften_labels(subsets.labels, num_classes, training.label_smoothing)
        true_labels = soften_labels(subsets.labels, num_classes, 0)
    batches = Batches(arrays, labels, train, seed=seed, **common)
    if training.augmentation.mixup:
        batches = MixedBatches(arrays, labels, train, seed=seed, alpha=training.augmentation.mixup, **common)
    return batches, Batches(arrays, true_labels, validation, seed=None, **common)


class _Record(keras.callbacks.Callback):  # type: ignore[misc]
    """Add each epoch to the history, keep both it and the model, and say when it is enough."""

    def __init__(
        self, phase: str, history: list[Epoch], training: TrainingParams, execution: Execution, progress: Progress
    ) -> None:
        super().__init__()
        self._phase = phase
        self._history = history
        self._stopping = training.early_stopping
        self._observe = execution.observe
        self._progress = progress
        self.best: Weights = ()

    def list_losses(self) -> list[float]:
        """List the validation losses of the phase so far."""
        return [epoch.validation_loss for epoch in self._history if epoch.phase == self._phase]

    def is_over(self) -> bool:
        """Tell whether the phase has waited long enough for a better epoch."""
        return self._stopping is not None and is_patience_over(self.list_losses(), self._stopping.patience)

    def restore_best(self, model: keras.Model) -> None:
        """Give a model the weights of the best epoch, where the phase may stop early."""
        if self._stopping is not None:
            for variable, values in zip(model.trainable_variables, self.best, strict=True):
                variable.assign(values)

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        values = dict(logs or {})
        for prefix in ("", "val_"):
            # Where there is one, it counts examples; Keras's own loss counts batches.
            values[f"{prefix}loss"] = values.get(f"{prefix}example_loss", values[f"{prefix}loss"])
        if not math.isfinite(values["loss"] + values["val_loss"]):
            raise PipelineError(
                f"training diverged in epoch {epoch + 1}, the loss is no longer finite; lower the learning_rate of the "
                f"{self._phase} phase in params.yaml."
            )
        columns = ("loss", "accuracy", "val_loss", "val_accuracy")
        self._history.append(Epoch(self._phase, epoch + 1, *(values[column] for column in columns)))
        self._observe(self._history[-1])
        losses = self.list_losses()
        if self._stopping is not None and find_best(losses) == len(losses) - 1:
            # Copies: training goes on in the memory of the variables.
            self.best = [np.array(keras.ops.convert_to_numpy(of)) for of in self.model.trainable_variables]
        self.model.stop_training = self.is_over()
        self._progress.save(self.model, self._history, self.best)
