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
from safetensors.numpy import load_file, save_file

from fusionseq.artifacts import Subsets, replacing, write_json
from fusionseq.features import Inputs
from fusionseq.sections import RuntimeParams
from fusionseq.shard_files import ShardedArray
from fusionseq.training import Epoch, Weights
from fusionseq.training_sections import TrainingParams

# Seconds between two saves: what a crash may cost, against the time to write a large optimizer state.
_INTERVAL = 15.0


class SavedProgress:
    """Progress of one training, found again by what it is made from.

    Parameters
    ----------
    folder
        Where the progress of all trainings lies.
    model, inputs, subsets, first_trained_layers, training, runtime, seed
        Everything that decides the result, as `fusionseq.training.train_model` takes it. Only the same ones, down to
        the last weight, find what is saved.
    interval
        Least seconds between two saves.
    """

    def __init__(
        self,
        folder: Path,
        model: keras.Model,
        inputs: Inputs,
        subsets: Subsets,
        first_trained_layers: Mapping[str, str],
        training: TrainingParams,
        runtime: RuntimeParams,
        seed: int,
        interval: float = _INTERVAL,
    ) -> None:
        # Who decoded the images and computed the features is not among it.
        conditions = runtime.model_dump(exclude={"engine", "ray_address"})
        settings = [model.name, dict(first_trained_layers), training.model_dump(), conditions, seed]
        settings += [layer.rate for layer in model.layers if isinstance(layer, keras.layers.Dropout)]
        settings += subsets.subset.tolist()
        digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
        arrays = inputs.values() if isinstance(inputs, Mapping) else [inputs]
        shards = (array.shards() if isinstance(array, ShardedArray) else [array] for array in arrays)
        for array in chain([subsets.labels], model.get_weights(), *shards):
            digest.update(np.ascontiguousarray(array).data)
        self._folder = folder / digest.hexdigest()[:16]
        self._interval = interval
        self._last_save = time.monotonic()

    def read_history(self) -> list[Epoch]:
        """Read the epochs that need not be trained again; none where nothing usable is saved."""
        return self._read()[0]

    def load(self, model: keras.Model) -> Weights:
        """Load a compiled model as of the last saved epoch, optimizer and dropout too, and give the best weights."""
        history, seed_states = self._read()
        model.load_weights(self._weights(history))
        for generator, state in zip(_list_seed_generators(model), seed_states, strict=True):
            generator.state.assign(state)
        best = load_file(self._best(history))
        return [best[f"{position:04d}"] for position in range(len(best))]

    def save(self, model: keras.Model, history: list[Epoch], best: Weights) -> None:
        """Save a compiled model after an epoch, and the best weights, unless that was done a moment ago."""
        if time.monotonic() - self._last_save < self._interval:
            return
        before = self.read_history()
        with replacing(self._weights(history)) as temporary:
            model.save_weights(temporary)
        with replacing(self._best(history)) as temporary:
            save_file({f"{position:04d}": values for position, values in enumerate(best)}, temporary)
        # Keras leaves the state of dropout out of .weights.h5.
        seed_states = [np.asarray(generator.state).tolist() for generator in _list_seed_generators(model)]
        content = {
            "history": [asdict(epoch) for epoch in history],
            "seed_states": seed_states,
            "weights_sha256": _compute_sha256(self._weights(history)),
            "best_sha256": _compute_sha256(self._best(history)),
        }
        # From here on the new weights count; a kill before this line leaves the old ones.
        write_json(self._folder / "history.json", content)
        if before and len(before) != len(history):
            self._weights(before).unlink(missing_ok=True)
            self._best(before).unlink(missing_ok=True)
        self._last_save = time.monotonic()

    def clear(self) -> None:
        """Forget the progress, once the result is written."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _weights(self, history: list[Epoch]) -> Path:
        return self._folder / f"{len(history)}.weights.h5"

    def _best(self, history: list[Epoch]) -> Path:
        return self._folder / f"{len(history)}.best.safetensors"

    def _read(self) -> tuple[list[Epoch], list[list[int]]]:
        try:
            content = json.loads((self._folder / "history.json").read_bytes())
            history = [Epoch(**epoch) for epoch in content["history"]]
            digests = [_compute_sha256(path) for path in (self._weights(history), self._best(history))]
            if digests == [content["weights_sha256"], content["best_sha256"]]:
                return history, content["seed_states"]
        except (OSError, ValueError, TypeError, KeyError):
            pass
        return [], []


def _list_seed_generators(model: keras.Model) -> list[keras.random.SeedGenerator]:
    """List those of dropout and of augmentation, which may stand before a model that is a layer itself."""
    generators = []
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            generators += _list_seed_generators(layer)
        else:
            generators += [value for value in vars(layer).values() if isinstance(value, keras.random.SeedGenerator)]
    return generators


def _compute_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
