"""The test images that models get most wrong, for a reader to look at."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fusionseq.calibration import take_logarithm

MAX_ERRORS = 8


def find_worst_errors(
    y_true: NDArray[np.int64], probabilities: Mapping[str, NDArray[np.float32]]
) -> list[dict[str, Any]]:
    """Find the images with the largest loss, among those that a model misclassifies with a seed.

    Parameters
    ----------
    y_true
        int64 of shape (num_images,).
    probabilities
        By the name of the model, each of shape (num_seeds, num_images, num_classes).

    Returns
    -------
    list
        At most eight, the worst first: "position" in y_true, "actual" class, and by the name of the model the class
        "predicted", its "probability" and the "probability_of_actual", all from the mean over the seeds. The loss that
        ranks them is the mean over the seeds, summed over the models.
    """
    images = np.arange(len(y_true))
    loss, is_wrong = np.zeros(len(y_true)), np.zeros(len(y_true), dtype=bool)
    for of_model in probabilities.values():
        for of_run in of_model:
            loss -= take_logarithm(of_run[images, y_true]) / len(of_model)
            is_wrong |= of_run.argmax(axis=1) != y_true
    wrong = images[is_wrong]
    # Of equal losses, the first image comes first.
    worst = wrong[np.argsort(-loss[wrong], kind="stable")][:MAX_ERRORS]
    means = {name: of_model[:, worst].mean(axis=0, dtype=np.float64) for name, of_model in probabilities.items()}
    return [
        {
            "position": int(image),
            "actual": int(y_true[image]),
            **{name: _describe(mean[place], int(y_true[image])) for name, mean in means.items()},
        }
        for place, image in enumerate(worst)
    ]


def _describe(probabilities: NDArray[np.float64], actual: int) -> dict[str, int | float]:
    predicted = int(probabilities.argmax())
    return {
        "predicted": predicted,
        "probability": float(probabilities[predicted]),
        "probability_of_actual": float(probabilities[actual]),
    }
