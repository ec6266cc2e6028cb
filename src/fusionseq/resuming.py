"""Keep the state of a training, so that a killed stage goes on where it was.

DVC deletes the outputs of a stage when it starts, so the state lies in a folder that is no output.
"""

import hashlib
import json
import shutil
import time
from collections.abc import Mapping
from dataclasses import asdict
from itertools import chain
from pathlib import Path

import keras
import numpy as np

from fusionseq.artifacts import Subsets, replacing, write_json
from fusionseq.features import Features
from fusionseq.params import TrainingParams
from fusionseq.training import Epoch

# Seconds between two saves: what a crash may cost, against the time to write a large optimizer state.
_INTERVAL = 60.0


class SavedProgress:
    """Progress of one training, found again by what it is made from.

    Parameters
    ----------
    folder
        Where the progress of all trainings lies.
    model, features, subsets, first_trained_layers, training, seed
        As `fusionseq.training.train_model` takes them: everything that decides the result. Only the same ones, down
        to the last weight, find what is saved.
    interval
        Least seconds between two saves.
    """

    def __init__(
        self,
        folder: Path,
        model: keras.Model,
        features: Mapping[str, Features],
        subsets: Subsets,
        first_trained_layers: Mapping[str, str],
        training: TrainingParams,
        seed: int,
        interval: float = _INTERVAL,
    ) -> None:
        settings = (model.name, dict(first_trained_layers), training.model_dump(), seed, subsets.subset.tolist())
        digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
        for array in (subsets.labels, *model.get_weights(), *chain(*((of.cut, of.pooled) for of in features.values()))):
            digest.update(np.ascontiguousarray(array).data)
        self._folder = folder / digest.hexdigest()[:16]
        self._interval = interval
        self._last_save = time.monotonic()

    def read_history(self) -> list[Epoch]:
        """Read the epochs that need not be trained again; none where nothing usable is saved."""
        try:
            return [Epoch(**epoch) for epoch in json.loads((self._folder / "history.json").read_bytes())]
        except (OSError, ValueError, TypeError):
            return []

    def load(self, model: keras.Model) -> None:
        """Load the weights of a compiled model, and the state of its optimizer, as of the last saved epoch."""
        model.optimizer.build(model.trainable_variables)
        model.load_weights(self._folder / f"{len(self.read_history())}.weights.h5")

    def save(self, model: keras.Model, history: list[Epoch]) -> None:
        """Save a compiled model after an epoch, unless that was done a moment ago."""
        if time.monotonic() - self._last_save < self._interval:
            return
        with replacing(self._folder / f"{len(history)}.weights.h5") as temporary:
            model.save_weights(temporary)
        before = len(self.read_history())
        # From here on the new weights count; a kill before this line leaves the old ones.
        write_json(self._folder / "history.json", [asdict(epoch) for epoch in history])
        (self._folder / f"{before}.weights.h5").unlink(missing_ok=True)
        self._last_save = time.monotonic()

    def clear(self) -> None:
        """Forget the progress, once the result is written."""
        shutil.rmtree(self._folder, ignore_errors=True)
