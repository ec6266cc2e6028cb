"""Metrics of one model on one subset.

Source: the source paper, Section 9; G. W. Brier, Monthly Weather Review 78, 1950.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score, brier_score_loss, confusion_matrix, f1_score, log_loss

from fusionseq.calibration import compute_calibration_error


@dataclass(frozen=True)
class Evaluation:
    """How well one trained model does.

    Attributes
    ----------
    accuracy
        Share of images with the right class.
    macro_f1
        F1 score, averaged over the classes without weights. A class that neither occurs nor is predicted counts as 0.
    loss
        Mean cross-entropy in nats. A probability of 0 counts as that of float64's precision, 2.2e-16.
    brier
        Squared distance of the probabilities from those of certainty, summed over the classes, mean over the images:
        from 0, the best, to 2.
    calibration_error
        Expected calibration error, over bins of equal numbers of images.
    num_correct
        Number of images with the right class.
    confusion
        int64 of shape (num_classes, num_classes): rows are the true classes, columns the predicted ones.
    class_f1
        F1 score of each class, float64 of shape (num_classes,).
    """

    accuracy: float
    macro_f1: float
    loss: float
    brier: float
    calibration_error: float
    num_correct: int
    confusion: NDArray[np.int64]
    class_f1: NDArray[np.float64]


def evaluate_probabilities(y_true: NDArray[np.int64], probabilities: NDArray[np.floating]) -> Evaluation:
    """Compare predictions with the truth.

    Parameters
    ----------
    y_true
        int64 of shape (num_images,).
    probabilities
        Of shape (num_images, num_classes).
    """
    classes = np.arange(probabilities.shape[1])
    y_pred = probabilities.argmax(axis=1)
    # A softmax in float32 sums to 1 only up to its precision.
    normalized = probabilities.astype(np.float64)
    normalized /= normalized.sum(axis=1, keepdims=True)
    class_f1 = f1_score(y_true, y_pred, labels=classes, average=None, zero_division=0.0)
    return Evaluation(
        accuracy=float(accuracy_score(y_true, y_pred)),
        macro_f1=float(class_f1.mean()),
        loss=float(log_loss(y_true, normalized, labels=classes)),
        brier=float(brier_score_loss(y_true, normalized, labels=classes, scale_by_half=False)),
        calibration_error=compute_calibration_error(y_true, normalized),
        num_correct=int(accuracy_score(y_true, y_pred, normalize=False)),
        confusion=confusion_matrix(y_true, y_pred, labels=classes),
        class_f1=class_f1,
    )
