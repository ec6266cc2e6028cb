"""Decoding that was killed goes on where it was, and what is finished is put into its place."""

import hashlib
import json
import math
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.lib.format import open_memmap

from fusionseq.artifacts import read_array
from fusionseq.errors import BadImageError, PipelineError
from fusionseq.preprocessing import Preprocessed
from fusionseq.processed_images import write_processed_images
from fusionseq.raw_images import RawImages


class UnfinishedImages:
    """Images that are being decoded, kept in a folder that is no output, since DVC deletes outputs when a stage starts.

    Parameters
    ----------
    scratch
        Folder of all work that was killed.
    raw
        The encoded images.
    image_size
        Height and width in pixels.
    """

    def __init__(self, scratch: Path, raw: RawImages, image_size: int) -> None:
        key = hashlib.sha256(str(image_size).encode())
        # One by one: together they would be the largest thing in memory.
        for named in zip(raw.names, raw.digests, strict=True):
            key.update(json.dumps(named).encode())
        self._folder = scratch / f"preprocess-{key.hexdigest()[:16]}"
        self._raw = raw
        self._shape = (len(raw), image_size, image_size, 3)
        self._rows = self._read_rows()

    @property
    def num_done(self) -> int:
        """Images that need not be decoded again."""
        return len(self._rows)

    def write(
        self, images: Iterable[Preprocessed | BadImageError], folder: Path, on_bad_image: Literal["error", "skip"]
    ) -> list[str]:
        """Write the images from `num_done` on, then put everything into its place.

        Returns
        -------
        list[str]
            Names of the images that were left out.

        Raises
        ------
        BadImageError
            An image cannot be decoded, and none is to be left out.
        PipelineError
            No image can be decoded.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        partial = self._folder / "images.npy"
        is_new = not self._rows or not partial.exists()
        array = open_memmap(partial, mode="w+" if is_new else "r+", dtype=np.uint8, shape=self._shape)
        row = sum(not reason for _, reason in self._rows)
        with (self._folder / "rows.jsonl").open("a", encoding="utf-8") as file:
            for image in images:
                if isinstance(image, Preprocessed):
                    array[row] = image.pixels
                    row += 1
                    entry = (image.perceptual_hash, "")
                elif on_bad_image == "error":
                    raise image
                else:
                    entry = ("", image.reason)
                self._rows.append(entry)
                # After the pixels: what stands here is done.
                file.write(json.dumps(entry) + "\n")
                file.flush()
        if not row:
            raise PipelineError("no image of the dataset can be decoded; look at data in params.yaml.")
        array.flush()
        del array
        _truncate(partial, row)
        return self._finish(partial, folder)

    def _finish(self, partial: Path, folder: Path) -> list[str]:
        raw = self._raw
        entries = zip(raw.names, raw.labels, raw.subsets, raw.digests, self._rows, strict=True)
        rows = ((*entry, perceptual_hash) for *entry, (perceptual_hash, reason) in entries if not reason)
        skipped = [(name, reason) for name, (_, reason) in zip(raw.names, self._rows, strict=True) if reason]
        write_processed_images(folder, partial, raw.class_names, rows, skipped)
        shutil.rmtree(self._folder, ignore_errors=True)
        return [name for name, _ in skipped]

    def _read_rows(self) -> list[tuple[str, str]]:
        """Read what is done; a line that was cut off is not."""
        path = self._folder / "rows.jsonl"
        if not path.exists() or not (self._folder / "images.npy").exists():
            shutil.rmtree(self._folder, ignore_errors=True)
            return []
        whole, _, cut_off = path.read_bytes().rpartition(b"\n")
        if cut_off:
            path.write_bytes(whole + b"\n")
        return [(perceptual_hash, reason) for perceptual_hash, reason in map(json.loads, whole.splitlines())]


def _truncate(path: Path, num_rows: int) -> None:
    """Shorten the array of a .npy file to its first rows, in place: a copy might not fit on the disk."""
    array = read_array(path)
    shape, dtype = (num_rows, *array.shape[1:]), array.dtype
    with path.open("r+b") as file:
        np.lib.format.read_magic(file)
        np.lib.format.read_array_header_1_0(file)
        start = file.tell()
        file.seek(0)
        np.lib.format.write_array_header_1_0(file, {"descr": dtype.str, "fortran_order": False, "shape": shape})
        # NumPy leaves room in the header for the length to change.
        if file.tell() != start:
            raise ValueError("the header of a .npy file has another length than the one before.")
        file.truncate(start + math.prod(shape) * dtype.itemsize)
