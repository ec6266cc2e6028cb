"""The README.md beside an exported model: a model card as the Hugging Face hub reads it.

Source: M. Mitchell et al., Model Cards for Model Reporting, FAT* 2019.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING

from fusionseq.agreement import MAX_DIFFERENCE, Agreement
from fusionseq.catalog import BACKBONES
from fusionseq.export_formats import CLASS_NAMES, INPUT, OUTPUT, Format
from fusionseq.markdown import Markdown, render_markdown
from fusionseq.model_catalog import describe_model, find_model

if TYPE_CHECKING:
    from fusionseq.model_files import Conditions, ModelCard
    from fusionseq.model_results import ModelResults
    from fusionseq.params import Params

# Of LICENSE, by its name on the hub.
LICENCE = "mit"
_TASK = "image-classification"
_TAGS = {Format.ONNX: "onnx", Format.SAVED_MODEL: "tensorflow"}


@dataclass(frozen=True)
class ExportedFile:
    """A file of the export or of the trained model.

    Attributes
    ----------
    name
        Its path from the folder of the export, or its name in the folder of the trained model.
    size
        Bytes.
    sha256
        Digest, in hexadecimal.
    """

    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Provenance:
    """Where an export comes from.

    Attributes
    ----------
    commit
        Hash of the last commit of the checkout that exported it; None outside Git.
    num_changes
        Files of that checkout that are not as in that commit.
    code
        Digest of the checkout's code; None where it holds none.
    versions
        Of the packages, by their names.
    trained, exported
        Files of the trained model, and of the export.
    """

    commit: str | None
    num_changes: int
    code: str | None
    versions: Mapping[str, str]
    trained: tuple[ExportedFile, ...]
    exported: tuple[ExportedFile, ...]


@dataclass(frozen=True)
class Export:
    """All that a model card tells.

    Attributes
    ----------
    card, conditions, parameters
        What model.json tells.
    phases
        Epochs of each phase that was trained, by its name.
    agreements
        How far each format is from Keras.
    compared_with
        Which images that was found out with, such as "the test subset".
    results
        Those of this very model; None where there are none.
    params
        Choices of the experiment that it belongs to; None where they are not known.
    provenance
        Where it comes from.
    """

    card: "ModelCard"
    conditions: "Conditions"
    parameters: Mapping[str, int]
    phases: Mapping[str, int]
    agreements: Mapping[Format, Agreement]
    compared_with: str
    results: "ModelResults | None"
    params: "Params | None"
    provenance: Provenance


def name_export(architecture: str, seed: int) -> str:
    """Name the folder of an export, such as "fusion-0"."""
    return f"{architecture}-{seed}"


def write_card(export: Export) -> str:
    """Fill the template of the model card.

    Returns
    -------
    str
        Markdown after a block of YAML.
    """
    card, params = export.card, export.params
    values = {
        "metadata": Markdown(_build_metadata(export)),
        "title": find_model(card.architecture).title,
        "description": describe_model(card.architecture, card.backbones),
        "card": card,
        "conditions": export.conditions,
        "parameters": export.parameters,
        "phases": export.phases,
        "cuts": {BACKBONES[name].title: layer for name, layer in card.first_trained_layer.items()},
        "agreements": export.agreements,
        "bound": MAX_DIFFERENCE,
        "compared_with": export.compared_with,
        "formats": Format,
        "names": {"input": Markdown(INPUT), "output": Markdown(OUTPUT), "class_names": Markdown(CLASS_NAMES)},
        "files": {str(of_format): Markdown(of_format.file_name) for of_format in Format},
        "results": export.results,
        "params": params,
        "data": None if params is None else describe_data(params),
        "provenance": export.provenance,
    }
    return render_markdown((files("fusionseq") / "model_card.md.jinja").read_text(encoding="utf-8"), values)


def describe_data(params: "Params") -> str:
    """Name the dataset of an experiment, without anything of the machine that it was on."""
    data = params.data
    if data.source == "huggingface":
        return f"{data.name} of the Hugging Face hub, revision {data.revision}"
    return "UCI handwritten digits, as scikit-learn ships them" if data.source == "digits" else "a folder of images"


def _build_metadata(export: Export) -> str:
    """Build the block of YAML that the hub reads."""
    # It imports what talks to the hub, which takes a moment.
    from huggingface_hub import EvalResult, ModelCardData

    results, params = export.results, export.params
    hub_name = params.data.name if params is not None and params.data.source == "huggingface" else None
    evaluations = []
    if results is not None:
        # The hub wants a type of every dataset.
        kind = "unknown" if params is None else hub_name or params.data.source
        name = "not recorded" if params is None else describe_data(params)
        accuracy, macro_f1 = results.of_seed.accuracy, results.of_seed.macro_f1
        evaluations = [
            EvalResult(_TASK, kind, name, "accuracy", accuracy, dataset_split="test"),
            EvalResult(_TASK, kind, name, "f1", macro_f1, dataset_split="test", metric_args={"average": "macro"}),
        ]
    metadata = ModelCardData(
        license=LICENCE,
        pipeline_tag=_TASK,
        tags=["keras", *(_TAGS[of_format] for of_format in export.agreements)],
        datasets=None if hub_name is None else [hub_name],
        metrics=["accuracy", "f1"] if evaluations else None,
        model_name=name_export(export.card.architecture, export.card.seed) if evaluations else None,
        eval_results=evaluations or None,
    )
    return str(metadata.to_yaml()).rstrip("\n")
