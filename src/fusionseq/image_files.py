"""Image files that a person names, wherever they lie."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from stat import S_ISDIR

from fusionseq.errors import BadImageError, PipelineError

# A photograph has a few million bytes. What has more than this would only fill the memory.
_MAX_BYTES = 2**28


def find_images(named: Sequence[Path]) -> list[Path]:
    """Find the files that are to be classified, each once.

    Parameters
    ----------
    named
        Files, and folders that are searched for all files in them and in their own folders, hidden ones left out.

    Returns
    -------
    list[Path]
        In the order they were named in, those of a folder sorted.

    Raises
    ------
    PipelineError
        One does not exist or cannot be searched, a folder holds no file, or a name is not UTF-8.
    """
    found: dict[Path, None] = {}
    for path in named:
        try:
            is_folder = S_ISDIR(path.stat().st_mode)
        except OSError as error:
            raise PipelineError(f"{path}: {error.strerror}; name an image or a folder of images.") from error
        files = sorted(_list_files(path)) if is_folder else [path]
        if not files:
            raise PipelineError(f"{path} holds no file that is not hidden; name a folder of images.")
        found |= dict.fromkeys(files)
    for path in found:
        try:
            str(path).encode()
        except UnicodeEncodeError as error:
            raise PipelineError(f"the name of the file {os.fsencode(path)!r} is not UTF-8; rename it.") from error
    return list(found)


def _list_files(folder: Path) -> Iterator[Path]:
    def refuse(error: OSError) -> None:
        raise PipelineError(f"{error.filename} cannot be read ({error.strerror}); change its permissions.") from error

    for parent, folders, files in os.walk(folder, onerror=refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in folders:
            # It may lead back above itself.
            if Path(parent, name).is_symlink():
                raise PipelineError(f"{Path(parent, name)} is a link to a folder; put the folder itself in its place.")
        yield from (Path(parent, name) for name in files if not name.startswith("."))


def read_image(path: Path, name: str) -> bytes:
    """Read the bytes of an image; `name` is what to call it in a message.

    Raises
    ------
    BadImageError
        The file cannot be read, or cannot be that of an image.
    """
    try:
        # A pipe or a device would be read for ever.
        if path.exists() and not path.is_file():
            raise BadImageError(name, "not a regular file")
        if path.stat().st_size > _MAX_BYTES:
            raise BadImageError(name, f"more than {_MAX_BYTES >> 20} MiB")
        return path.read_bytes()
    except OSError as error:
        raise BadImageError(name, (error.strerror or str(error)).lower()) from error
