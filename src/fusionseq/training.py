"""Two-phase training from what the frozen layers said of each image, the same for every model.

Source: the source paper, Section 8.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import keras

from fusionseq.artifacts import Subsets
from fusionseq.batches import Batches, EpochOrder
from fusionseq.errors import PipelineError
from fusionseq.features import Features
from fusionseq.models.cutting import get_head, get_tail, list_backbones
from fusionseq.params import TrainingParams


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


def train_model(
    model: keras.Model,
    features: Mapping[str, Features],
    subsets: Subsets,
    first_trained_layers: Mapping[str, str],
    training: TrainingParams,
    seed: int,
    jit_compile: bool,
    progress: Progress,
    verbose: int,
) -> list[Epoch]:
    """Train the head on frozen backbones, then head and last layers together at a lower rate.

    The images pass the frozen layers nowhere in here: the first phase starts from pooled features, the second from
    the activations at the cut. The weights are those that training the whole model would give.

    Parameters
    ----------
    model
        With pretrained backbones; trained in place.
    features
        By the name of the backbone, for all images.
    subsets
        Labels and subsets of all images; those of the test subset are not looked at.
    first_trained_layers
        By the name of the backbone.
    training
        Batch size, and the epochs and learning rate of each phase.
    seed
        Start of the order of the batches.
    jit_compile
        Whether to compile with XLA.
    progress
        Where to go on, and where to keep the state.
    verbose
        As in `keras.Model.fit`.

    Returns
    -------
    list[Epoch]
        One for each epoch of both phases; epochs are counted on from phase to phase, from 1.
    """
    names = list_backbones(model)
    tail = get_tail(model, first_trained_layers)
    phases = [
        ("frozen", get_head(model), tuple(features[name].pooled for name in names), training.frozen),
        ("fine-tuning", tail, tuple(features[name].cut for name in names), training.fine_tuning),
    ]
    history = progress.read_history()
    epochs = 0
    for phase, trained, inputs, settings in phases:
        trained.compile(
            keras.optimizers.Adam(settings.learning_rate),
            loss="sparse_categorical_crossentropy",
            metrics=["accuracy"],
            jit_compile=jit_compile,
        )
        # Built within the first step, its variables would have TensorFlow trace that step twice.
        trained.optimizer.build(trained.trainable_variables)
        if epochs < len(history) <= epochs + settings.epochs:
            progress.load(trained)
        epochs += settings.epochs
        batches = Batches(inputs, subsets.labels, subsets.rows("train"), training.batch_size, seed)
        trained.fit(
            batches,
            initial_epoch=min(len(history), epochs),
            epochs=epochs,
            callbacks=[EpochOrder(batches), _Record(phase, history, progress)],
            validation_data=Batches(inputs, subsets.labels, subsets.rows("validation"), training.batch_size, seed=None),
            shuffle=False,
            verbose=verbose,
        )
    return history


class _Record(keras.callbacks.Callback):  # type: ignore[misc]
    """Add each epoch to the history, and keep both it and the model."""

    def __init__(self, phase: str, history: list[Epoch], progress: Progress) -> None:
        super().__init__()
        self._phase = phase
        self._history = history
        self._progress = progress

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        values = logs or {}
        if not math.isfinite(values["loss"] + values["val_loss"]):
            raise PipelineError(
                f"training diverged in epoch {epoch + 1}, the loss is no longer finite; lower the learning_rate of the "
                f"{self._phase} phase in params.yaml."
            )
        columns = ("loss", "accuracy", "val_loss", "val_accuracy")
        self._history.append(Epoch(self._phase, epoch + 1, *(values[column] for column in columns)))
        self._progress.save(self.model, self._history)
