"""Metrics of one model on one subset.

Source: the source paper, Section 9.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, log_loss


@dataclass(frozen=True)
class Evaluation:
    """How well one trained model does.

    Attributes
    ----------
    accuracy
        Share of images with the right class.
    macro_f1
        F1 score, averaged over the classes without weights.
    loss
        Mean cross-entropy in nats.
    num_correct
        Number of images with the right class.
    confusion
        int64 of shape (num_classes, num_classes): rows are the true classes, columns the predicted ones.
    """

    accuracy: float
    macro_f1: float
    loss: float
    num_correct: int
    confusion: NDArray[np.int64]


def evaluate_probabilities(y_true: NDArray[np.int64], probabilities: NDArray[np.float32]) -> Evaluation:
    """Compare predictions with the truth.

    Parameters
    ----------
    y_true
        int64 of shape (num_images,).
    probabilities
        float32 of shape (num_images, num_classes).
    """
    classes = np.arange(probabilities.shape[1])
    y_pred = probabilities.argmax(axis=1)
    # A softmax in float32 sums to 1 only up to its precision.
    normalized = probabilities.astype(np.float64)
    normalized /= normalized.sum(axis=1, keepdims=True)
    return Evaluation(
        accuracy=float(accuracy_score(y_true, y_pred)),
        macro_f1=float(f1_score(y_true, y_pred, labels=classes, average="macro", zero_division=0.0)),
        loss=float(log_loss(y_true, normalized, labels=classes)),
        num_correct=int(accuracy_score(y_true, y_pred, normalize=False)),
        confusion=confusion_matrix(y_true, y_pred, labels=classes),
    )
