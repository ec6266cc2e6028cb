"""Several trained models as one: the mean of their probabilities.

Source: T. G. Dietterich, Ensemble methods in machine learning, Multiple Classifier Systems, 2000.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fusionseq.statistics import Run


def average_runs(members: Sequence[Sequence[Run]]) -> list[Run]:
    """Average the probabilities of models, seed by seed.

    Parameters
    ----------
    members
        The runs of each model, with the same seeds in the same order.
    """
    return [
        Run(
            of_seed[0].seed,
            _average([run.probabilities for run in of_seed]),
            _average([run.validation_probabilities for run in of_seed]),
        )
        for of_seed in zip(*members, strict=True)
    ]


def _average(probabilities: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    # In float64, so that the order of the members does not matter.
    return np.asarray(np.mean(probabilities, axis=0, dtype=np.float64), np.float32)
