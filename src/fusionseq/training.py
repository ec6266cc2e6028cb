"""Two-phase training from what the frozen layers said of each image, the same for every model.

Source: the source paper, Section 8.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import keras
import numpy as np

from fusionseq.artifacts import Subsets
from fusionseq.augmentation import augment
from fusionseq.batches import Batches, EpochOrder
from fusionseq.errors import PipelineError
from fusionseq.features import Inputs, select_fine_tuning, select_frozen
from fusionseq.models.cutting import get_head, get_tail, make_trainable
from fusionseq.sections import TrainingParams


@dataclass(frozen=True)
class Epoch:
    """What one epoch of training came to."""

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

    def load(self, model: keras.Model) -> None:
        """Load a compiled model as of the last of them."""

    def save(self, model: keras.Model, history: list[Epoch]) -> None:
        """Keep a compiled model after an epoch."""


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
    """

    jit_compile: bool
    num_devices: int
    feed: Callable[[Batches], Any]
    verbose: int


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

    From stored features, the images pass the frozen layers nowhere in here: the first phase starts from pooled
    features, the second from the activations at the cut. From images, the whole model computes in every epoch. The
    weights are the same either way.

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
        Batch size, augmentation, and the epochs and learning rate of each phase.
    seed
        Start of the order of the batches, and of the augmentation.
    execution
        How to carry it out.
    progress
        Where to go on, and where to keep the state.

    Returns
    -------
    list[Epoch]
        One for each epoch of both phases; epochs are counted on from phase to phase, from 1.
    """
    if execution.num_devices > training.batch_size:
        raise PipelineError(
            f"training.batch_size must be at least the number of devices, {execution.num_devices}. "
            f"Got {training.batch_size}; raise it, or set runtime.devices: one in params.yaml."
        )
    phases = [
        ("frozen", get_head(model), *select_frozen(model, inputs), training.frozen),
        (
            "fine-tuning",
            get_tail(model, first_trained_layers),
            *select_fine_tuning(model, first_trained_layers, inputs),
            training.fine_tuning,
        ),
    ]
    history = progress.read_history()
    epochs = 0
    for phase, trained, part, arrays, settings in phases:
        make_trainable(model, trained)
        computed = augment(part, training.augmentation, seed)
        _compile(computed, settings.learning_rate, execution)
        if epochs < len(history) <= epochs + settings.epochs:
            progress.load(computed)
        epochs += settings.epochs
        common: dict[str, Any] = {"batch_size": training.batch_size, "full": execution.num_devices > 1}
        batches = Batches(arrays, subsets.labels, subsets.rows("train"), seed=seed, **common)
        validation = Batches(arrays, subsets.labels, subsets.rows("validation"), seed=None, **common)
        computed.fit(
            execution.feed(batches),
            initial_epoch=min(len(history), epochs),
            epochs=epochs,
            callbacks=[EpochOrder(batches), _Record(phase, history, progress)],
            validation_data=execution.feed(validation),
            shuffle=False,
            verbose=execution.verbose,
        )
    return history


def _compile(model: keras.Model, learning_rate: float, execution: Execution) -> None:
    """Compile a model, and make the variables of optimizer and metrics.

    Made in the first step, they would have TensorFlow trace that step up to three times.
    """
    labels, probabilities = np.zeros(1, np.int64), np.ones((1, model.output.shape[-1]), np.float32)
    loss: Any = "sparse_categorical_crossentropy"
    metrics: dict[str, Any] = {"metrics": ["accuracy"]}
    if execution.num_devices > 1:
        # The weights of a full batch sum to one over all devices, whatever the share of each.
        loss = keras.losses.SparseCategoricalCrossentropy(reduction="sum")
        metrics = {"weighted_metrics": [ExampleAccuracy(name="accuracy"), ExampleLoss(name="example_loss")]}
    model.compile(keras.optimizers.Adam(learning_rate), loss=loss, jit_compile=execution.jit_compile, **metrics)
    model.optimizer.build(model.trainable_variables)
    weights = np.ones(1, np.float32) if execution.num_devices > 1 else None
    model.compute_loss(y=labels, y_pred=probabilities, sample_weight=weights)
    model.compute_metrics(None, labels, probabilities, weights)
    model.reset_metrics()


class ExampleAccuracy(keras.metrics.SparseCategoricalAccuracy):  # type: ignore[misc]
    """Accuracy over the examples that count at all, each as much as the other."""

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch; examples of weight zero only fill it up."""
        super().update_state(y_true, y_pred, keras.ops.cast(sample_weight > 0, "float32"))


class ExampleLoss(keras.metrics.SparseCategoricalCrossentropy):  # type: ignore[misc]
    """Cross-entropy over the examples that count at all, each as much as the other."""

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch; examples of weight zero only fill it up."""
        super().update_state(y_true, y_pred, keras.ops.cast(sample_weight > 0, "float32"))


class _Record(keras.callbacks.Callback):  # type: ignore[misc]
    """Add each epoch to the history, and keep both it and the model."""

    def __init__(self, phase: str, history: list[Epoch], progress: Progress) -> None:
        super().__init__()
        self._phase = phase
        self._history = history
        self._progress = progress

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
        self._progress.save(self.model, self._history)
