"""A person's own images: a folder for each class, or a CSV file of paths and labels. They are read, and nothing else.

Source: the source paper, Section 4, for what a dataset is; the layout is that of most image folders.
"""

import csv
import os
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from fusionseq.datasets import Dataset, EncodedImage
from fusionseq.errors import BadImageError, PipelineError
from fusionseq.image_files import read_image

# What file managers leave behind; hidden files are left out as well.
_NOT_LOOKED_AT = frozenset({"Thumbs.db", "desktop.ini", "__MACOSX"})
_COLUMNS = ("path", "label")


def load_image_folder(folder: Path, labels: str | None) -> Dataset:
    """Find the images of a folder.

    Parameters
    ----------
    folder
        Holds a folder for each class, whose images may lie in further folders; or the CSV file and, somewhere below,
        the images that it names. Hidden files and what file managers leave behind are not looked at.
    labels
        Name of the CSV file, with the columns "path", relative to `folder`, and "label"; None takes the folders.

    Returns
    -------
    Dataset
        Images in the order of their names, or of the rows; classes in the order of their code points.

    Raises
    ------
    PipelineError
        The folder, its layout or the CSV file is not as described, or there are fewer than two classes.
    """
    check_names(folder)
    pairs = _list_folders(folder) if labels is None else _read_labels(folder, labels)
    class_names = sorted({label for _, label in pairs})
    if len(class_names) < 2:
        raise PipelineError(
            f"{folder} must have at least two classes with files in them: one folder for each, or a CSV file that "
            f"data.labels in params.yaml names. Got {class_names[0] if class_names else 'none'!r}."
        )
    _check_spelling(class_names)
    return Dataset(
        class_names=tuple(class_names),
        num_images=len(pairs),
        images=_read_images(folder, pairs, class_names),
        origin={"source": "imagefolder", "layout": "folders" if labels is None else "table"},
    )


def check_names(folder: Path) -> None:
    """Find a name that is not UTF-8, which neither DVC nor a table could spell.

    Raises
    ------
    PipelineError
        There is one, or no such folder.
    """
    if not folder.is_dir():
        raise PipelineError(f"{folder} (data.path) is not a folder; name the folder of your images in params.yaml.")
    for parent, folders, files in os.walk(folder, onerror=_refuse):
        for name in (*folders, *files):
            try:
                name.encode()
            except UnicodeEncodeError as error:
                path = os.fsencode(Path(parent, name))
                raise PipelineError(f"the name of the file {path!r} is not UTF-8; rename it.") from error


def _refuse(error: OSError) -> None:
    raise PipelineError(f"{error.filename} cannot be read ({error.strerror}); change its permissions.") from error


def _is_looked_at(name: str) -> bool:
    return not name.startswith(".") and name not in _NOT_LOOKED_AT


def _list_folders(folder: Path) -> list[tuple[str, str]]:
    """List path and class of each file."""
    pairs = []
    for entry in sorted(
        filter(lambda entry: _is_looked_at(entry.name), folder.iterdir()), key=lambda entry: entry.name
    ):
        if not entry.is_dir():
            raise PipelineError(
                f"{entry} lies in no folder of a class; move it into one, or out of {folder}, or name a CSV file of "
                "labels in data.labels in params.yaml."
            )
        pairs += [(name, entry.name) for name in _list_files(folder, entry)]
    return pairs


def _list_files(folder: Path, class_folder: Path) -> Iterator[str]:
    for parent, folders, files in os.walk(class_folder, onerror=_refuse):
        for name in folders:
            # A link can lead back above itself.
            if _is_looked_at(name) and Path(parent, name).is_symlink():
                raise PipelineError(f"{Path(parent, name)} is a link to a folder; put the folder itself in its place.")
        folders[:] = sorted(filter(_is_looked_at, folders))
        for name in sorted(filter(_is_looked_at, files)):
            yield Path(parent, name).relative_to(folder).as_posix()


def _read_labels(folder: Path, labels: str) -> list[tuple[str, str]]:
    """Read path and class of each row."""
    table = folder / labels
    rows: dict[str, tuple[int, str]] = {}
    try:
        # Spreadsheets put a byte order mark in front.
        with table.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            missing = set(_COLUMNS) - set(reader.fieldnames or ())
            if missing:
                raise PipelineError(
                    f"{table}: the first line must name the columns path and label. Got "
                    f"{', '.join(reader.fieldnames or ()) or 'nothing'}."
                )
            for row in reader:
                path, label = ((row[column] or "").strip() for column in _COLUMNS)
                line = f"{table}, line {reader.line_num}"
                _check_row(path, label, line)
                if path in rows:
                    raise PipelineError(f"{line}: {path} stands in line {rows[path][0]} already; keep one of them.")
                rows[path] = reader.line_num, label
    except UnicodeDecodeError as error:
        raise PipelineError(f"{table} is not UTF-8; save it as UTF-8.") from error
    except (OSError, csv.Error) as error:
        raise PipelineError(f"{table} (data.labels) cannot be read: {error}; it must be a CSV file.") from error
    return [(path, label) for path, (_, label) in rows.items()]


def _check_row(path: str, label: str, line: str) -> None:
    if not path or not label:
        raise PipelineError(f"{line}: path and label must not be empty. Got {path!r} and {label!r}.")
    if PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
        raise PipelineError(f"{line}: the path must lead into the folder of the file. Got {path!r}.")


def _check_spelling(class_names: Sequence[str]) -> None:
    seen: dict[str, str] = {}
    for name in class_names:
        other = seen.setdefault(unicodedata.normalize("NFC", name), name)
        if other != name:
            raise PipelineError(
                f"two classes are spelled {name!r} with different code points ({other!a} and {name!a}); make them one."
            )


def _read_images(
    folder: Path, pairs: Sequence[tuple[str, str]], class_names: Sequence[str]
) -> Iterator[EncodedImage | BadImageError]:
    labels = {name: label for label, name in enumerate(class_names)}
    for name, class_name in pairs:
        try:
            yield EncodedImage(name, labels[class_name], read_image(folder / name, name), subset="")
        except BadImageError as error:
            yield error
