"""Arrays on disk in shards: a folder of .npy files, read as one array that need not fit in memory."""

import os
import shutil
import socket
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import DTypeLike, NDArray

from fusionseq.artifacts import read_array
from fusionseq.errors import PipelineError

# Each mapped file takes a descriptor, of which a process has a thousand or so.
_MAPPED = 64


class ShardedArray:
    """Rows of an array in the order of the names of its shards, mapped into memory as they are asked for.

    Parameters
    ----------
    folder
        Holds one .npy file for each shard, all of one dtype and shape but for the number of rows.

    Raises
    ------
    PipelineError
        The folder holds no shard, or one that is damaged.
    """

    def __init__(self, folder: Path) -> None:
        self._files = sorted(path for path in folder.glob("*.npy") if not path.name.startswith("."))
        if not self._files:
            raise PipelineError(f"{folder} holds no array. Run `dvc repro` to make it.")
        first = read_array(self._files[0])
        self.dtype: np.dtype[Any] = first.dtype
        header, row = self._files[0].stat().st_size - first.nbytes, first.nbytes // len(first)
        sizes = [path.stat().st_size - header for path in self._files]
        for path, size in zip(self._files, sizes, strict=True):
            if size <= 0 or size % row:
                raise PipelineError(f"{path} is damaged. Remove it and run `dvc repro`.")
        self._ends = np.cumsum([size // row for size in sizes])
        self.shape: tuple[int, ...] = (int(self._ends[-1]), *first.shape[1:])
        self._map = lru_cache(_MAPPED)(self._map_shard)

    @property
    def names(self) -> list[str]:
        """Names of the shards."""
        return [path.stem for path in self._files]

    @property
    def lengths(self) -> list[int]:
        """Rows of each shard."""
        return [int(length) for length in np.diff(self._ends, prepend=0)]

    def __len__(self) -> int:
        return self.shape[0]

    def __iter__(self) -> Iterator[NDArray[Any]]:
        for shard in self.shards():
            yield from shard

    def __getitem__(self, rows: Any) -> NDArray[Any]:
        """Read one row by its position, or several by a slice or by an array or list of positions."""
        if isinstance(rows, slice):
            wanted = np.arange(*rows.indices(len(self)))
        else:
            wanted = np.atleast_1d(np.asarray(rows, np.int64))
        if len(wanted) and not 0 <= wanted.min() <= wanted.max() < len(self):
            raise IndexError(f"rows must be from 0 to {len(self) - 1}. Got {wanted.min()} to {wanted.max()}.")
        shards = np.searchsorted(self._ends, wanted, side="right")
        values = np.empty((len(wanted), *self.shape[1:]), self.dtype)
        for shard in np.unique(shards):
            chosen = shards == shard
            start = self._ends[shard - 1] if shard else 0
            values[chosen] = self._map(int(shard))[wanted[chosen] - start]
        return values[0] if np.ndim(rows) == 0 and not isinstance(rows, slice) else values

    def shards(self) -> Iterator[NDArray[Any]]:
        """Map one shard after the other, read-only."""
        yield from map(read_array, self._files)

    def _map_shard(self, number: int) -> NDArray[Any]:
        array = read_array(self._files[number])
        if array.dtype != self.dtype or array.shape[1:] != self.shape[1:]:
            raise PipelineError(f"{self._files[number]} is not of one kind with {self._files[0].name} beside it.")
        return array


# What training and prediction read rows of.
Rows = NDArray[Any] | ShardedArray


@contextmanager
def writing_shard(path: Path, shape: tuple[int, ...], dtype: DTypeLike) -> Iterator[Callable[[NDArray[Any]], None]]:
    """Give a function that appends rows to a .npy file, which is there, whole, once the block has succeeded.

    Not through a memory map: on a full disk that ends the process.

    Parameters
    ----------
    path
        The file. No rows make no file.
    shape
        Of one row.
    dtype
        Of the file.

    Raises
    ------
    PipelineError
        It cannot be written.
    """
    # Machines that share the folder may have processes of one number.
    temporary = path.with_name(f".{socket.gethostname()}.{os.getpid()}.{path.name}")
    count = 0
    try:
        with explaining_disk(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            file = temporary.open("wb")
        try:

            def write_header() -> None:
                described = {"descr": np.dtype(dtype).str, "fortran_order": False, "shape": (count, *shape)}
                # NumPy leaves room in it for the number of rows to grow.
                npy.write_array_header_1_0(file, described)

            def append(rows: NDArray[Any]) -> None:
                nonlocal count
                with explaining_disk(path):
                    file.write(np.ascontiguousarray(rows, dtype).data)
                count += len(rows)

            with explaining_disk(path):
                write_header()
            yield append
            with explaining_disk(path):
                file.seek(0)
                write_header()
                file.close()
                if count:
                    temporary.replace(path)
        finally:
            # What a full disk has refused it refuses again.
            with suppress(OSError):
                file.close()
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def explaining_disk(path: Path) -> Iterator[None]:
    """Turn what a disk says against a file into one line, which names the machine: it may be one of many."""
    try:
        yield
    except OSError as error:
        raise PipelineError(
            f"{path} cannot be written on {socket.gethostname()}: {error.strerror or error}; make room there, and run "
            "it again: what is done is kept."
        ) from error


def move_shards(files: Iterable[Path], folder: Path) -> None:
    """Move finished shards into a folder of their own, in the place of what is there."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for path in files:
        path.replace(folder / path.name)
