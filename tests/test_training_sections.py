from typing import Any

import pytest

from fusionseq.errors import PipelineError
from fusionseq.params import validate_params


def put(params_content: dict[str, Any], path: str, value: object) -> dict[str, Any]:
    *sections, key = path.split(".")
    section = params_content["training"]
    for name in sections:
        section = section[name]
    section[key] = value
    return params_content


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("label_smoothing", 0.1),
        ("weight_decay", "1e-05"),
        ("learning_rate_schedule", "cosine"),
        ("learning_rate_schedule", "exponential"),
        ("early_stopping", {"patience": 3}),
        ("augmentation.crop", 0.2),
        ("augmentation.colour", 1),
        ("augmentation.mixup", 0.2),
    ],
)
def test_each_option_is_taken(params_content: dict[str, Any], path: str, value: object) -> None:
    training = validate_params(put(params_content, path, value), "params.yaml").training
    section, _, key = path.rpartition(".")
    taken = getattr(getattr(training, section) if section else training, key)
    assert (taken.model_dump() if key == "early_stopping" else taken) == (float(value) if value == "1e-05" else value)
    assert training.has_soft_labels is (key in {"label_smoothing", "mixup"})
    assert training.augmentation.is_interpolating is (key == "crop")


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("label_smoothing", 1, "training.label_smoothing: "),
        ("label_smoothing", True, "training.label_smoothing: a number was expected"),
        ("weight_decay", -1e-3, "training.weight_decay: "),
        ("learning_rate_schedule", "linear", "training.learning_rate_schedule: "),
        ("early_stopping", 3, "training.early_stopping must be a section with keys of its own. Got 3."),
        ("early_stopping", {}, "training.early_stopping.patience is missing."),
        ("early_stopping", {"patience": 0}, "training.early_stopping.patience: "),
        (
            "early_stopping",
            {"patience": 2, "monitor": "accuracy"},
            "training.early_stopping.monitor is not a parameter",
        ),
        ("augmentation.crop", 1, "training.augmentation.crop: "),
        ("augmentation.colour", 1.1, "training.augmentation.colour: "),
        ("augmentation.mixup", -0.1, "training.augmentation.mixup: "),
        ("augmentation.color", 0.1, "training.augmentation.color is not a parameter"),
        ("fine_tuning.learning_rate", 1, "training.fine_tuning.learning_rate must not exceed"),
    ],
)
def test_what_cannot_be_meant_is_one_line(
    params_content: dict[str, Any], path: str, value: object, expected: str
) -> None:
    with pytest.raises(PipelineError) as caught:
        validate_params(put(params_content, path, value), "params.yaml")
    assert expected in str(caught.value)
