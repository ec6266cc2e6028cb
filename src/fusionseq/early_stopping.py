"""When to stop training, and which epoch was the best, from the validation losses alone.

Nothing else has to be remembered: training that was killed finds both again in its history.

Source: Prechelt, Early Stopping - But When?, 1998; the source paper, Section 10, leaves it to future work.
"""

from collections.abc import Sequence


def find_best(validation_losses: Sequence[float]) -> int:
    """Find the epoch of the least loss, counted from 0; the first one of several."""
    return min(range(len(validation_losses)), key=validation_losses.__getitem__)


def is_patience_over(validation_losses: Sequence[float], patience: int) -> bool:
    """Tell whether so many epochs in a row, the last ones, had no new least loss."""
    return bool(validation_losses) and len(validation_losses) - 1 - find_best(validation_losses) >= patience
