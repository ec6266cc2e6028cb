"""What the page shows, part by part, made of values that were read from files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fusionseq.page.captions import Caption, find_caption
from fusionseq.page.charts import build_curve_spec, list_rows
from fusionseq.page.gallery import embed_pixels, embed_png
from fusionseq.page.histories import PANELS, find_boundaries, summarize_history, tabulate_curves
from fusionseq.page.icons import Look
from fusionseq.page.intervals import span_axis
from fusionseq.page.matrices import MAX_TABLE_CLASSES, list_confusions, shade_matrix
from fusionseq.page.results import Results


@dataclass(frozen=True)
class Picture:
    """A figure in the page; width and height in pixels."""

    name: str
    source: str
    width: int
    height: int
    caption: Caption


def embed_figures(figures: Mapping[str, bytes]) -> dict[str, list[Picture]]:
    """Embed PNG files, by the section of the page that each belongs to."""
    sections: dict[str, list[Picture]] = {}
    for name, content in figures.items():
        caption = find_caption(name)
        width, height = Image.open(BytesIO(content)).size
        sections.setdefault(caption.section, []).append(Picture(name, embed_png(content), width, height, caption))
    return sections


def name_classes(class_names: Sequence[str]) -> list[str]:
    """Name classes as the page shows them: what has no letter to be seen would leave its place empty."""
    return [name if name.strip() else "(blank)" for name in class_names]


def lay_out_accuracies(results: Results) -> dict[str, Any]:
    """Lay out accuracies and their differences: the axes that all models share."""
    intervals = [seed.accuracy_interval for model in results.models.values() for seed in model.per_seed]
    differences = [comparison.accuracy_difference.interval for comparison in results.comparisons.values()]
    return {
        "accuracy_axis": span_axis(end for interval in intervals for end in interval),
        "difference_axis": span_axis([0.0, *(end for interval in differences for end in interval)]),
    }


def lay_out_curves(history: Mapping[str, Sequence[Mapping[str, str]]], looks: Mapping[str, Look]) -> dict[str, Any]:
    """Lay out the training curves: their rows, the chart and the table of each panel."""
    points = summarize_history(history)
    of_trained = {name: looks[name] for name in history}
    boundaries = find_boundaries(history)
    return {
        "curve_looks": of_trained,
        "curve_rows": list_rows(points, of_trained),
        "curve_tables": tabulate_curves(points, list(history)),
        "curve_digits": {panel.column: panel.digits for panel in PANELS},
        "curve_specs": {panel.column: build_curve_spec(panel, points, of_trained, boundaries) for panel in PANELS},
    }


def lay_out_confusions(results: Results, class_names: Sequence[str]) -> dict[str, Any]:
    """Lay out the confusion of each model: as a table, or as a list where there are many classes."""
    matrices = {name: model.confusion for name, model in results.models.items()}
    if len(class_names) <= MAX_TABLE_CLASSES:
        return {"matrices": {name: shade_matrix(matrix) for name, matrix in matrices.items()}, "confusions": {}}
    lists = {name: list_confusions(matrix, class_names) for name, matrix in matrices.items()}
    return {"matrices": {}, "confusions": lists}


def lay_out_errors(
    results: Results,
    image_names: Sequence[str],
    class_names: Sequence[str],
    pixels: Sequence[NDArray[np.uint8]] | None,
) -> list[dict[str, Any]]:
    """Lay out the images that models get most wrong.

    Parameters
    ----------
    results
        Its errors, by their position in the test subset.
    image_names
        Of the test subset.
    class_names
        Any text.
    pixels
        Of each error, uint8 of shape (image_size, image_size, 3); None where they are not at hand.
    """
    return [
        {
            "image": image_names[error.position],
            "actual": class_names[error.actual],
            "source": None if pixels is None else embed_pixels(pixels[place]),
            "predictions": [
                {
                    "model": name,
                    "predicted": class_names[prediction.predicted],
                    "probability": prediction.probability,
                    "is_right": prediction.predicted == error.actual,
                }
                for name, prediction in error.predictions.items()
            ],
        }
        for place, error in enumerate(results.errors)
    ]


def group_parameters(parameters: Mapping[str, Any]) -> dict[str, list[tuple[str, Any]]]:
    """Group parameters with dotted names by their sections; those of none stand first, under ""."""
    sections: dict[str, list[tuple[str, Any]]] = {"": []}
    for name, value in parameters.items():
        section, dot, key = name.partition(".")
        sections.setdefault(section if dot else "", []).append((key if dot else name, value))
    return sections
