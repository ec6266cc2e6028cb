import base64
from io import BytesIO

import numpy as np
from page_values import STRANGE_NAMES, make_history, make_results
from PIL import Image

from fusionseq.page.icons import Look
from fusionseq.page.results import Results
from fusionseq.page.sheets import (
    embed_figures,
    group_parameters,
    lay_out_accuracies,
    lay_out_confusions,
    lay_out_curves,
    lay_out_errors,
    name_classes,
)


def make(num_classes: int = 3) -> Results:
    names = [str(number) for number in range(num_classes)]
    return Results.model_validate(make_results(names, 3, 2, has_errors=True))


def test_figures_go_to_their_sections_as_they_are() -> None:
    file = BytesIO()
    Image.new("RGB", (30, 20)).save(file, "PNG")
    sections = embed_figures({"differences": file.getvalue(), "samples": file.getvalue(), "mine": file.getvalue()})
    assert {name: [picture.name for picture in found] for name, found in sections.items()} == {
        "models": ["differences"],
        "data": ["samples", "mine"],
    }
    picture = sections["models"][0]
    assert (picture.width, picture.height) == (30, 20)
    assert base64.b64decode(picture.source.partition(",")[2]) == file.getvalue()


def test_all_models_share_axes_that_hold_their_intervals_and_zero() -> None:
    results = make()
    axes = lay_out_accuracies(results)
    ends = [end for model in results.models.values() for seed in model.per_seed for end in seed.accuracy_interval]
    assert (axes["accuracy_axis"].low, axes["accuracy_axis"].high) == (min(ends), max(ends))
    assert axes["difference_axis"].low <= 0 <= axes["difference_axis"].high


def test_models_without_a_history_have_no_curves() -> None:
    looks = {name: Look(name, "red", "M0,0Z") for name in ("fusion", "ensemble")}
    laid_out = lay_out_curves({"fusion": make_history()}, looks)
    assert list(laid_out["curve_looks"]) == ["fusion"]
    assert len(laid_out["curve_rows"]) == 4 * 3
    assert set(laid_out["curve_specs"]) == set(laid_out["curve_digits"])


def test_many_classes_are_listed_by_what_is_confused() -> None:
    few, many = (lay_out_confusions(make(number), [str(place) for place in range(number)]) for number in (40, 41))
    assert list(few["matrices"]) == ["fusion", "sequential", "vgg16"]
    assert few["confusions"] == many["matrices"] == {}
    assert many["confusions"]["fusion"][0].count == 56


def test_a_class_without_a_name_is_called_something() -> None:
    assert name_classes(["a", " ", "", "\u00a0"]) == ["a", "(blank)", "(blank)", "(blank)"]


def test_errors_have_names_and_pixels() -> None:
    results = Results.model_validate(make_results(STRANGE_NAMES, 2, 1, has_errors=True))
    images = [f"{number}.png" for number in range(360)]
    (error,) = lay_out_errors(results, images, STRANGE_NAMES, [np.zeros((4, 4, 3), np.uint8)])
    assert (error["image"], error["actual"]) == ("17.png", STRANGE_NAMES[1])
    assert error["source"].startswith("data:image/png;base64,")
    assert [(found["model"], found["predicted"], found["is_right"]) for found in error["predictions"]] == [
        ("fusion", STRANGE_NAMES[0], False),
        ("sequential", STRANGE_NAMES[1], True),
    ]
    assert lay_out_errors(results, images, STRANGE_NAMES, None)[0]["source"] is None


def test_parameters_are_grouped_by_section() -> None:
    parameters = {"data.path": "x", "seeds": [0], "training.frozen.epochs": 2, "data.source": "y"}
    assert group_parameters(parameters) == {
        "": [("seeds", [0])],
        "data": [("path", "x"), ("source", "y")],
        "training": [("frozen.epochs", 2)],
    }
