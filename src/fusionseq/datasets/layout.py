"""Which files of a dataset repository make up which split, by the rules of the library `datasets`.

The library is shown a folder with the dataset's card and empty files in place of the data. So it resolves
configurations, splits and features as it does on the hub, before anything large is fetched and without a connection.

Source: https://huggingface.co/docs/datasets/repository_structure.
"""

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from fusionseq.datasets.repository import Repository
from fusionseq.errors import PipelineError

if TYPE_CHECKING:
    from datasets import DatasetBuilder, Features

_CARD = "README.md"
# What the library reads when it resolves a dataset.
_DESCRIPTIONS = (_CARD, ".huggingface.yaml", "dataset_infos.json")
# The hub's own conversion has no card: CONFIGURATION/SPLIT/NUMBER.parquet.
_CONVERTED = re.compile(r"([^/]+)/[^/]+/\d+\.parquet")
_PARTIAL = re.compile(r"[^/]+/partial-[^/]+/\d+\.parquet")
_CONVERSION = (
    "the hub itself converts most datasets: name the full commit hash of the branch refs/convert/parquet as "
    "data.revision in params.yaml"
)


@dataclass(frozen=True)
class Layout:
    """One configuration of a dataset.

    Attributes
    ----------
    config
        Its name.
    splits
        Paths of the parquet files of each split, in order.
    features
        Columns as the card describes them; None where it does not, and the files do.
    num_images
        How many rows the card claims, None where it does not.
    license
        Identifier that the card gives.
    """

    config: str
    splits: Mapping[str, tuple[str, ...]]
    features: "Features | None"
    num_images: int | None
    license: str | None


def read_layout(repository: Repository, config: str | None) -> Layout:
    """Resolve a configuration of a dataset.

    Parameters
    ----------
    repository
        Of which the card is fetched.
    config
        Name of the configuration; None where there is a single one.

    Raises
    ------
    PipelineError
        The dataset needs a script or is not made of parquet files, or the configuration is missing or unknown.
    """
    _check_format(repository)
    # The library takes brackets in a path for a pattern, and the cache may lie anywhere.
    with TemporaryDirectory(prefix="fusionseq-") as temporary:
        root = Path(temporary).resolve() / "dataset"
        for path in repository.files:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            description = repository.fetch(path).location.read_bytes() if path in _DESCRIPTIONS else b""
            (root / path).write_bytes(description)
        try:
            return _resolve(repository, root, config)
        except PipelineError:
            raise
        # The card is free text, and the library raises whatever it comes across.
        except Exception as error:
            reason = (str(error) or type(error).__name__).splitlines()[0].replace(str(root), repository.name)
            raise PipelineError(
                f"the library datasets finds no data in {repository.name}: {reason}; name another dataset or revision "
                "in params.yaml."
            ) from error


def _check_format(repository: Repository) -> None:
    name = repository.name
    if f"{name.split('/')[1]}.py" in repository.files:
        raise PipelineError(f"the dataset {name} needs a script of its own, and no foreign code is run; {_CONVERSION}.")
    if not any(path.endswith(".parquet") for path in repository.files):
        raise PipelineError(f"the dataset {name} holds no parquet file, and nothing else is read; {_CONVERSION}.")
    if any(_PARTIAL.fullmatch(path) for path in repository.files):
        raise PipelineError(
            f"the hub has converted but a part of the dataset {name} to parquet; name a revision or another dataset "
            "that holds all of it as parquet files."
        )


def _resolve(repository: Repository, root: Path, config: str | None) -> Layout:
    # It would log which other libraries it has found.
    logging.getLogger("datasets").setLevel(logging.WARNING)
    from datasets import get_dataset_config_names, load_dataset_builder

    cache_dir = str(root.parent / "cache")
    converted = [_CONVERTED.fullmatch(path) for path in repository.files if path.endswith(".parquet")]
    if _CARD not in repository.files and all(converted):
        config = _choose(repository, sorted({match[1] for match in converted if match}), config)
        builder = load_dataset_builder(str(root), data_dir=config, cache_dir=cache_dir)
    else:
        config = _choose(repository, get_dataset_config_names(str(root)), config)
        builder = load_dataset_builder(str(root), config, cache_dir=cache_dir)
    counts = [split.num_examples for split in (builder.info.splits or {}).values()]
    return Layout(
        config=config,
        splits=_list_splits(repository, root, builder),
        features=builder.info.features,
        num_images=sum(counts) if counts else None,
        license=_read_license(root / _CARD),
    )


def _choose(repository: Repository, available: Sequence[str], config: str | None) -> str:
    if config is None and len(available) == 1:
        return available[0]
    if config is None or config not in available:
        raise PipelineError(
            f"params.yaml: data.config must be one of the configurations of {repository.name}: "
            f"{', '.join(available)}. Got {config or 'null'}."
        )
    return config


def _list_splits(repository: Repository, root: Path, builder: "DatasetBuilder") -> dict[str, tuple[str, ...]]:
    name = repository.name
    if builder.name != "parquet":
        raise PipelineError(f"the data of {name} are files of the kind {builder.name}, not parquet; {_CONVERSION}.")
    if builder.config.filters is not None:
        raise PipelineError(f"the card of {name} leaves out rows by a filter, which is not supported; {_CONVERSION}.")
    splits = {}
    for split, files in builder.config.data_files.items():
        paths = [Path(file) for file in files]
        if not all(path.is_relative_to(root) for path in paths):
            raise PipelineError(f"the card of {name} names data outside of the dataset; name another dataset.")
        if paths:
            splits[str(split)] = tuple(path.relative_to(root).as_posix() for path in paths)
    if not splits:
        raise PipelineError(f"no file of {name} matches what its card names; name another dataset or revision.")
    return splits


def _read_license(card: Path) -> str | None:
    from huggingface_hub import DatasetCard

    if not card.exists():
        return None
    # One identifier or several.
    found = DatasetCard(card.read_text(encoding="utf-8"), ignore_metadata_errors=True).data.get("license")
    return ", ".join(map(str, found)) if isinstance(found, list) else found
