"""What a model is trained with: labels and loss, optimizer and learning rate, metrics.

Source: the source paper, Section 8; its Section 10 leaves regularization and schedules to future work.
"""

from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from fusionseq.training_sections import PhaseParams, TrainingParams

# What the exponential schedule leaves of a learning rate in the end.
LAST_SHARE = 0.01


def soften_labels(labels: NDArray[np.int64], num_classes: int, smoothing: float) -> NDArray[np.float32]:
    """Spread a share of each label evenly over all classes.

    Parameters
    ----------
    labels
        Integers of shape (num_examples,).
    num_classes
        How many there are.
    smoothing
        The share, in [0, 1).

    Returns
    -------
    NDArray[np.float32]
        Shares of shape (num_examples, num_classes); those of an example sum to one.

    Notes
    -----
    Source: Szegedy et al., Rethinking the Inception Architecture for Computer Vision, Section 7, 2016.
    """
    one_hot = np.eye(num_classes, dtype=np.float32)[labels]
    return one_hot * np.float32(1 - smoothing) + np.float32(smoothing / num_classes)


def compile_model(
    model: keras.Model,
    training: TrainingParams,
    phase: PhaseParams,
    num_steps: int,
    num_devices: int,
    jit_compile: bool,
) -> None:
    """Compile a model, and make the variables of optimizer and metrics.

    Made in the first step, they would have TensorFlow trace that step up to three times.

    Parameters
    ----------
    model
        From whatever enters it to probabilities; which of its variables are trained is settled.
    training
        Where a label may be shared between classes, labels are those of `soften_labels`; else they are integers.
    phase
        Has the learning rate to start from.
    num_steps
        Batches in all epochs of the phase.
    num_devices
        With several, each example has a weight; see `fusionseq.batches.Batches`.
    jit_compile
        Whether to compile with XLA.
    """
    labels: NDArray[Any] = np.zeros(1, np.int64)
    loss: Any = "sparse_categorical_crossentropy"
    accuracy, weighted_loss = keras.metrics.sparse_categorical_accuracy, keras.losses.SparseCategoricalCrossentropy
    if training.has_soft_labels:
        labels = soften_labels(labels, model.output.shape[-1], 0)
        loss = "categorical_crossentropy"
        accuracy, weighted_loss = keras.metrics.categorical_accuracy, keras.losses.CategoricalCrossentropy
    metrics: dict[str, Any] = {"metrics": ["accuracy"]}
    if num_devices > 1:
        of_example = keras.losses.get(loss)
        metrics = {"weighted_metrics": [ExampleMean(accuracy, "accuracy"), ExampleMean(of_example, "example_loss")]}
        # The weights of a full batch sum to one over all devices, whatever the share of each.
        loss = weighted_loss(reduction="sum")
    optimizer = build_optimizer(model.trainable_variables, training, phase.learning_rate, num_steps)
    model.compile(optimizer, loss=loss, jit_compile=jit_compile, **metrics)
    model.optimizer.build(model.trainable_variables)
    probabilities = np.ones((1, model.output.shape[-1]), np.float32)
    weights = np.ones(1, np.float32) if num_devices > 1 else None
    model.compute_loss(y=labels, y_pred=probabilities, sample_weight=weights)
    model.compute_metrics(None, labels, probabilities, weights)
    model.reset_metrics()


def build_optimizer(
    variables: list[keras.Variable], training: TrainingParams, learning_rate: float, num_steps: int
) -> keras.optimizers.Optimizer:
    """Build Adam, or AdamW where weights decay.

    In each step, decay takes `weight_decay` times the learning rate of that step from a kernel, whatever the gradient.
    Variables of fewer than two axes are spared, as is usual: biases, and scales and offsets of normalization, which do
    not make a function less smooth.

    Parameters
    ----------
    variables
        All that are trained.
    training
        Weight decay and schedule.
    learning_rate
        At the first step.
    num_steps
        The schedules end after so many: cosine at zero, exponential at a hundredth of the learning rate.

    Notes
    -----
    Source: Loshchilov and Hutter, Decoupled Weight Decay Regularization, 2019, and SGDR, 2017.
    """
    schedules = keras.optimizers.schedules
    rate: Any = learning_rate
    if training.learning_rate_schedule == "cosine":
        rate = schedules.CosineDecay(learning_rate, num_steps)
    elif training.learning_rate_schedule == "exponential":
        rate = schedules.ExponentialDecay(learning_rate, num_steps, LAST_SHARE)
    if training.weight_decay == 0:
        return keras.optimizers.Adam(rate)
    optimizer = keras.optimizers.AdamW(rate, weight_decay=training.weight_decay)
    optimizer.exclude_from_weight_decay([variable for variable in variables if len(variable.shape) < 2])
    return optimizer


class ExampleMean(keras.metrics.MeanMetricWrapper):  # type: ignore[misc]
    """Mean of a function over the examples that count at all, each as much as the other."""

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch; examples of weight zero only fill it up."""
        super().update_state(y_true, y_pred, keras.ops.cast(sample_weight > 0, "float32"))
