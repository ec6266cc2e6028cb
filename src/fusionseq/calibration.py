"""Whether probabilities say how often the predicted class is the right one, and what makes them say so.

Source: C. Guo, G. Pleiss, Y. Sun and K. Q. Weinberger, ICML 2017 (temperature, expected calibration error);
K. Nguyen and B. O'Connor, EMNLP 2015 (equal-mass bins).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

NUM_BINS = 15
# A larger or smaller factor of the logits is no calibration any more; see `fit_temperature`.
TEMPERATURES = (0.1, 10.0)
# A softmax in float32 gives 0 where a logit is too small, and the logarithm needs a number.
_SMALLEST_PROBABILITY = float(np.finfo(np.float32).tiny)
# In nats. Less than that is rounding.
_GAIN = 1e-12


@dataclass(frozen=True)
class ReliabilityBin:
    """Images of similar confidence.

    Attributes
    ----------
    confidence
        Mean of the largest probability.
    accuracy
        Share of images with the right class.
    num_images
        Number of images.
    """

    confidence: float
    accuracy: float
    num_images: int


def bin_by_confidence(y_true: NDArray[np.int64], probabilities: NDArray[np.floating]) -> list[ReliabilityBin]:
    """Sort images by their largest probability into bins of nearly equal numbers.

    Equal probabilities stay in one bin, so that the order of the images does not matter; there are then fewer bins,
    of different sizes. Empty bins are left out.

    Parameters
    ----------
    y_true
        int64 of shape (num_images,).
    probabilities
        Of shape (num_images, num_classes).
    """
    confidence = probabilities.max(axis=1).astype(np.float64)
    is_right = probabilities.argmax(axis=1) == y_true
    edges = np.quantile(confidence, np.linspace(0, 1, NUM_BINS + 1)[1:-1])
    bins = np.searchsorted(edges, confidence)
    sizes = np.bincount(bins, minlength=NUM_BINS)
    confidences = np.bincount(bins, confidence, NUM_BINS)
    rights = np.bincount(bins, is_right, NUM_BINS)
    return [
        ReliabilityBin(float(confidences[place] / size), float(rights[place] / size), int(size))
        for place, size in enumerate(sizes)
        if size
    ]


def compute_calibration_error(y_true: NDArray[np.int64], probabilities: NDArray[np.floating]) -> float:
    """Expected calibration error: how far confidence and accuracy are apart, on average over the images of all bins.

    Parameters as in `bin_by_confidence`.
    """
    bins = bin_by_confidence(y_true, probabilities)
    return sum(of_bin.num_images * abs(of_bin.accuracy - of_bin.confidence) for of_bin in bins) / len(y_true)


def take_logarithm(probabilities: NDArray[np.floating]) -> NDArray[np.float64]:
    """Logarithms of probabilities, in nats; zeros count as the smallest normal float32, 1.2e-38."""
    return np.log(np.maximum(probabilities.astype(np.float64), _SMALLEST_PROBABILITY))


def apply_temperature(probabilities: NDArray[np.floating], temperature: float) -> NDArray[np.float64]:
    """Divide the logits by a temperature: raise probabilities to the power 1 / temperature, and normalize them.

    Returns
    -------
    NDArray
        float64 of the same shape, (num_images, num_classes). The predicted classes are the same.
    """
    return np.asarray(np.exp(log_softmax(take_logarithm(probabilities) / temperature, axis=1)))


def fit_temperature(y_true: NDArray[np.int64], probabilities: NDArray[np.floating]) -> float:
    """Find the temperature that gives the least log-loss, between 0.1 and 10.

    The loss has a single minimum, since it is convex in the temperature's inverse. Where it still falls at an end of
    the range, that end is returned: the lower one where every image has the right class, for then no probability is
    too certain; the upper one where the predictions are worse than none. Where no temperature is better than another,
    as with equal probabilities of all classes, the result is 1.

    Parameters
    ----------
    y_true
        int64 of shape (num_images,), of the validation subset: a temperature fitted on the test subset would flatter.
    probabilities
        Of shape (num_images, num_classes).
    """
    logarithms = take_logarithm(probabilities)
    rows = np.arange(len(y_true))

    def compute_loss(log_temperature: float) -> float:
        scaled = log_softmax(logarithms / np.exp(log_temperature), axis=1)
        return -float(scaled[rows, y_true].mean())

    bounds = np.log(TEMPERATURES)
    found = minimize_scalar(compute_loss, bounds=bounds, method="bounded", options={"xatol": 1e-5})
    # The search comes close to an end of the range, and never to it.
    losses = {float(np.exp(found.x)): float(found.fun)}
    losses |= {end: compute_loss(np.log(end)) for end in TEMPERATURES}
    best = min(losses, key=lambda temperature: losses[temperature])
    return 1.0 if compute_loss(0.0) - losses[best] <= _GAIN else best
