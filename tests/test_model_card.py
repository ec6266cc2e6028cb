from dataclasses import replace
from typing import Any

import pytest
import yaml
from conftest import CUTS, THREADS
from huggingface_hub import ModelCard as HubCard
from huggingface_hub import ModelCardData

from fusionseq.agreement import Agreement
from fusionseq.experiments import Summary
from fusionseq.export_formats import Format
from fusionseq.model_card import Export, ExportedFile, Provenance, describe_data, write_card
from fusionseq.model_files import Conditions, ModelCard
from fusionseq.model_results import ClassResult, ModelResults, SeedResults
from fusionseq.params import Params

STRANGE_NAMES = ("a|b", "<img src=x>\n# no heading", "`c`")
CARD = ModelCard("fusion", ("mobilenetv2", "vgg16"), 3, 48, STRANGE_NAMES, 256, 0.5, CUTS)
SEED_RESULTS = SeedResults(
    seed=3,
    accuracy=0.98765,
    accuracy_interval=(0.97, 0.99),
    macro_f1=0.87654,
    macro_f1_interval=(0.86, 0.89),
    loss=0.1,
    brier=0.2,
    calibration_error=0.03,
    num_correct=9,
    temperature=1.25,
    calibrated_calibration_error=0.01,
)
RESULTS = ModelResults(
    of_seed=SEED_RESULTS,
    accuracy=Summary(mean=0.9, std=0.01),
    macro_f1=Summary(mean=0.8, std=0.02),
    num_seeds=3,
    classes=tuple(ClassResult(name, 0.5, 120) for name in STRANGE_NAMES),
    num_test=360,
    num_validation=359,
    confidence=0.95,
    resamples=2000,
)
EXPORT = Export(
    card=CARD,
    conditions=Conditions(THREADS, "float32", deterministic=True, cut_dtype="float32"),
    parameters={"total": 17434250},
    phases={"frozen": 20, "fine-tuning": 6},
    agreements={Format.ONNX: Agreement(360, 360, 1.5e-6), Format.SAVED_MODEL: Agreement(360, 359, 0.0)},
    compared_with="the test subset",
    results=RESULTS,
    params=None,
    provenance=Provenance(
        commit="c" * 40,
        num_changes=0,
        code="abc",
        versions={"keras": "3.15.1"},
        trained=(ExportedFile("model.json", 1652, "d" * 64),),
        exported=(ExportedFile("model.onnx", 69607832, "e" * 64),),
    ),
)


@pytest.fixture
def params(params_content: dict[str, Any]) -> Params:
    return Params.model_validate(params_content | {"seeds": [3, 4]})


def find_tables(text: str) -> list[list[str]]:
    """Cells of every row of every table, by the bars that separate them."""
    rows = [line.replace(r"\|", "") for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row.split("|")[1:-1]] for row in rows]


def read_metadata(text: str) -> ModelCardData:
    """Read the metadata as the hub does."""
    data = HubCard(text).data
    assert isinstance(data, ModelCardData)
    return data


def test_the_hub_reads_the_metadata(params: Params) -> None:
    data = read_metadata(write_card(replace(EXPORT, params=params)))
    assert data.license == "mit"
    assert data.pipeline_tag == "image-classification"
    assert data.tags == ["keras", "onnx", "tensorflow"]
    assert data.eval_results is not None
    accuracy, macro_f1 = data.eval_results
    assert (accuracy.metric_type, accuracy.metric_value) == ("accuracy", 0.98765)
    assert (macro_f1.metric_type, macro_f1.metric_value, macro_f1.metric_args) == ("f1", 0.87654, {"average": "macro"})
    assert accuracy.dataset_type == "digits"
    assert accuracy.dataset_split == "test"
    assert data.model_name == "fusion-3"


def test_numbers_are_those_of_the_results() -> None:
    tables = find_tables(write_card(EXPORT))
    assert ["accuracy", "0.9877", "0.9700 to 0.9900"] in tables
    assert ["macro-F1", "0.8765", "0.8600 to 0.8900"] in tables
    assert ["loss (nats)", "0.1000", ""] in tables
    assert ["`model.onnx`", "69,607,832", f"`{'e' * 64}`"] in tables
    assert ["`model.json` of the trained model", "1,652", f"`{'d' * 64}`"] in tables


def test_class_names_break_no_table() -> None:
    text = write_card(EXPORT)
    rows = [row for row in find_tables(text) if row[1:] == ["0.5000", "120"]]
    assert [row[0] for row in rows] == ["`ab`", "`<img src=x> # no heading`", "`` `c` ``"]
    # Nowhere else either, nor at the start of a line.
    assert text.count("<img") == 1
    assert not any(line.startswith("# no") for line in text.splitlines())


def test_without_results_no_number_is_printed() -> None:
    text = write_card(replace(EXPORT, results=None))
    assert "holds no results of this very model" in text
    assert "accuracy" not in text
    assert "model-index" not in yaml.safe_load(text.split("---\n")[1])
    assert [row for row in find_tables(text) if len(row) == 1][2:] == [
        ["`ab`"],
        ["`<img src=x> # no heading`"],
        ["`` `c` ``"],
    ]


def test_a_single_seed_has_no_deviation() -> None:
    lonely = replace(RESULTS, num_seeds=1, accuracy=Summary(mean=0.9), macro_f1=Summary(mean=0.8))
    text = write_card(replace(EXPORT, results=lonely))
    assert "the only seed of its architecture" in text
    assert "±" not in text


def test_each_format_is_told_of_where_it_is_there() -> None:
    text = write_card(replace(EXPORT, agreements={Format.SAVED_MODEL: Agreement(8, 8, 0.0)}))
    assert "saved_model.load" in text
    assert "onnx" not in text.split("## Provenance")[0]
    assert "onnx" not in yaml.safe_load(text.split("---\n")[1])["tags"]


def test_choices_are_told_where_they_are_known(params: Params) -> None:
    text = write_card(replace(EXPORT, params=params))
    assert "UCI handwritten digits" in text
    assert "Learning rates 0.001 and 0.0001 (constant), batches of 32" in text
    assert "On photographs expect chance" in text
    assert "does not tell which images" not in text
    assert "MobileNetV2 from `block_16_expand` on and VGG16 from `block5_conv3` on are fine-tuned (6 epochs)" in text
    unknown = write_card(EXPORT)
    assert "does not tell which images" in unknown
    assert "Learning rates" not in unknown


def test_another_precision_is_a_limit() -> None:
    half = replace(EXPORT.conditions, precision="mixed_float16")
    assert "`mixed_float16`" in write_card(replace(EXPORT, conditions=half))
    assert "computes in" not in write_card(EXPORT)


def test_one_is_told_as_one() -> None:
    provenance = replace(EXPORT.provenance, num_changes=1)
    text = write_card(replace(EXPORT, phases={"frozen": 1, "fine-tuning": 2}, provenance=provenance))
    assert "the backbones are frozen (1 epoch)," in text
    assert "fine-tuned (2 epochs)." in text
    assert "with 1 file that is not as in it." in text


def test_a_folder_outside_git_is_told_of_without_a_commit() -> None:
    text = write_card(replace(EXPORT, provenance=replace(EXPORT.provenance, commit=None, code=None)))
    assert "Commit" not in text
    assert "Digest of the code" not in text


def test_data_is_named_without_anything_of_the_machine(params_content: dict[str, Any]) -> None:
    own = {"source": "imagefolder", "path": "/home/me/my images", "labels": None, "on_bad_image": "error"}
    assert describe_data(Params.model_validate(params_content | {"data": own})) == "a folder of images"
    hub = {
        "source": "huggingface",
        "path": "requirements.txt",
        "name": "Bingsu/Cat_and_Dog",
        "revision": "0" * 40,
        "config": None,
        "image_column": None,
        "label_column": None,
        "on_bad_image": "error",
    }
    params = Params.model_validate(params_content | {"data": hub, "seeds": [3]})
    text = write_card(replace(EXPORT, params=params))
    assert read_metadata(text).datasets == ["Bingsu/Cat_and_Dog"]
    assert r"Bingsu/Cat\_and\_Dog of the Hugging Face hub" in text
