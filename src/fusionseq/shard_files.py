"""Arrays on disk in shards: a folder of .npy files, read as one array that need not fit in memory."""

import math
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
        kinds = [_read_header(path) for path in self._files]
        shape, self.dtype = kinds[0]
        for path, (of_shard, dtype) in zip(self._files, kinds, strict=True):
            if (of_shard[1:], dtype) != (shape[1:], self.dtype):
                raise PipelineError(f"{path} is not of one kind with {self._files[0].name} beside it.")
        self._ends = np.cumsum([of_shard[0] for of_shard, _ in kinds])
        self.shape: tuple[int, ...] = (int(self._ends[-1]), *shape[1:])
        self._map = lru_cache(_MAPPED)(lambda number: read_array(self._files[number]))

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
            wanted = np.atleast_1d(rows)
            if isinstance(rows, tuple) or (len(wanted) and wanted.dtype.kind not in "iu"):
                raise IndexError("rows are read by their positions alone.")
            wanted = wanted.astype(np.int64)
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


def _read_header(path: Path) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Read shape and dtype of an array, and hold the length of its file against them."""
    try:
        with path.open("rb") as file:
            npy.read_magic(file)
            shape, is_fortran, dtype = npy.read_array_header_1_0(file)
            size = file.tell() + math.prod(shape) * dtype.itemsize
            if is_fortran or not shape or not shape[0] or path.stat().st_size != size:
                raise ValueError("its length is not that of its rows")
    except (OSError, ValueError, EOFError) as error:
        raise PipelineError(f"{path} is damaged: {error}. Remove it and run `dvc repro`.") from error
    return shape, dtype


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
        # Its folder may be none.
        with suppress(OSError):
            temporary.unlink()


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
