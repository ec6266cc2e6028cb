"""The work of the stage `features`, shard by shard.

Source: the source paper, Section 8.
"""

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

import keras

from fusionseq.artifacts import read_array
from fusionseq.features import extract_features
from fusionseq.forward import narrow
from fusionseq.model_catalog import find_stems
from fusionseq.models.backbones import build_pooled
from fusionseq.models.cutting import get_frozen
from fusionseq.runtime import configure_runtime, hide_gpus
from fusionseq.sections import RuntimeParams
from fusionseq.shard_files import ShardedArray, move_shards, writing_shard
from fusionseq.shards import Shard
from fusionseq.unfinished_work import find_unfinished
from fusionseq.weight_files import read_backbones


@dataclass(frozen=True)
class ExtractShards:
    """Pass the images of one shard after the other through the frozen layers; see `fusionseq.engines.Work`.

    Attributes
    ----------
    images, weights
        Folders of the decoded images and of the weights of the backbones.
    scratch
        Folder of all work that was killed.
    backbones, controls, first_trained_layer, image_size, runtime
        As in params.yaml.
    dtype
        What features are stored in: "float32" or "float16".
    """

    images: Path
    weights: Path
    scratch: Path
    backbones: tuple[str, ...]
    controls: tuple[str, ...]
    first_trained_layer: Mapping[str, str]
    image_size: int
    dtype: str
    runtime: RuntimeParams
    uses_gpu: bool = True

    @property
    def num_cpus(self) -> int:
        """Threads of one worker."""
        return self.runtime.threads

    @cached_property
    def frozen(self) -> list[keras.Model]:
        """The frozen layers of each backbone; with their weights where this process computes."""
        if self.runtime.engine == "ray":
            # The GPUs are left to those that do.
            hide_gpus()
            return self._build(has_weights=False)
        self._configure()
        return self._build()

    @cached_property
    def folder(self) -> Path:
        """Where finished shards lie until all are there."""
        runtime = self.runtime
        settings = [
            *(list(self.backbones), list(self.controls), dict(self.first_trained_layer), self.image_size, self.dtype),
            *(runtime.threads, runtime.precision, runtime.deterministic),
            # The pixels themselves would take long to read.
            [(path.name, path.stat().st_mtime_ns) for path in sorted(self.images.glob("*.npy"))],
        ]
        inputs = [self.images.with_name("images.csv"), *sorted(self.weights.glob("*.h5"))]
        return find_unfinished(self.scratch, "features", settings, inputs)

    def list_shards(self) -> list[Shard]:
        """List all shards, done or not."""
        images = ShardedArray(self.images)
        return [Shard(*named) for named in zip(images.names, images.lengths, strict=True)]

    def open(self, folder: Path, cores: int | None) -> Callable[[Shard], Iterator[None]]:
        """Load the frozen layers, and give the function that computes a shard; `cores` are the threads of `runtime`."""
        if cores is None:
            return partial(self._extract, folder, self.frozen)
        self._configure()
        return partial(self._extract, folder, self._build())

    def _configure(self) -> None:
        configure_runtime(self.runtime.threads, self.runtime.precision, self.runtime.deterministic)

    def _build(self, has_weights: bool = True) -> list[keras.Model]:
        frozen = []
        for name in self.backbones:
            model = build_pooled(name, self.image_size)
            if has_weights:
                read_backbones(self.weights, model)
            stems = find_stems(name, list(self.controls))
            frozen.append(get_frozen(model, self.first_trained_layer[name], name, stems))
        return frozen

    def _extract(self, folder: Path, frozen: list[keras.Model], shard: Shard) -> Iterator[None]:
        # By a worker that died before it could tell.
        if _is_done(folder, frozen, shard):
            return
        images = read_array(self.images / f"{shard.name}.npy")
        with ExitStack() as stack:
            append = {
                name: stack.enter_context(
                    writing_shard(folder / name / f"{shard.name}.npy", output.shape[1:], self.dtype)
                )
                for model in frozen
                for name, output in model.output.items()
            }
            for of_models in zip(*(extract_features(model, images) for model in frozen), strict=True):
                for of_image in of_models:
                    for name, values in of_image.items():
                        append[name](narrow(values, self.dtype)[None])
                yield

    def is_done(self, shard: Shard) -> bool:
        """Whether a shard need not be computed again: all its arrays are there."""
        return _is_done(self.folder, self.frozen, shard)

    def finish(self, target: Path) -> None:
        """Put everything into its place, once all shards are done."""
        shards = self.list_shards()
        for name in _list_arrays(self.frozen):
            move_shards([self.folder / name / f"{shard.name}.npy" for shard in shards], target / name)
        shutil.rmtree(self.folder, ignore_errors=True)


def _is_done(folder: Path, frozen: list[keras.Model], shard: Shard) -> bool:
    return all((folder / name / f"{shard.name}.npy").exists() for name in _list_arrays(frozen))


def _list_arrays(frozen: list[keras.Model]) -> list[str]:
    return [name for model in frozen for name in model.output]
