"""Results as they may be at worst, and the page that they make."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from paper_values import SIX_MODELS, make_statistics

from fusionseq.page.answers import build_answers
from fusionseq.page.graph import draw_graph, find_needs, group_items
from fusionseq.page.icons import build_looks
from fusionseq.page.origins import find_code, find_origins, list_entries
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
from fusionseq.plotting.style import choose_colours, choose_markers

# Markup, an attribute's end, an entity, right to left, a script, an emoji, no text at all, and a long one.
STRANGE_NAMES = (
    "<script>alert(1)</script>", '" onmouseover="alert(1)', "&amp; {{ 7 * 7 }}", "قطة", "猫", "🐈", " ",
    "a_very_long_name_of_a_class_that_no_column_can_hold",
)  # fmt: skip
BACKBONES = {"mobilenetv2": "MobileNetV2", "vgg16": "VGG16"}
CITATIONS = {"bouthillier2021": "Bouthillier et al. (2021)"}
OUTPUTS = ("reports/history", "reports/statistics.json", "reports/figures")
LOCK = {
    "stages": {
        "train_fusion@0": {"cmd": "train", "outs": [{"path": "data/models/fusion/0", "md5": "0" * 32}]},
        "evaluate": {
            "cmd": ["one", "two"],
            "deps": [{"path": "src", "md5": "1" * 32}],
            "outs": [{"path": path, "md5": str(place) * 32} for place, path in enumerate(OUTPUTS)],
        },
    }
}
STAGES = [
    ("fetch", [], ["data/raw"]),
    ("train_fusion@0", ["data/raw"], ["data/models/fusion/0"]),
    ("train_fusion@1", ["data/raw"], ["data/models/fusion/1"]),
    ("evaluate", ["data/models", "data/raw"], list(OUTPUTS)),
]


def make_history(num_epochs: int = 3, seeds: Sequence[int] = (0,)) -> list[dict[str, str]]:
    """Curves of one model that fine-tunes from the second epoch on."""
    return [
        {
            "seed": str(seed),
            "phase": "frozen" if epoch == 1 else "fine-tuning",
            "epoch": str(epoch),
            "loss": str(2.0 / epoch**4 + seed / 100),
            "accuracy": str(1 - 0.3 / epoch),
            "validation_loss": str(1.0 / epoch),
            "validation_accuracy": str(1 - 0.4 / epoch),
        }
        for seed in seeds
        for epoch in range(1, num_epochs + 1)
    ]


def make_results(class_names: Sequence[str], num_models: int, num_seeds: int, *, has_errors: bool) -> dict[str, Any]:
    """Statistics with as many classes; every share of a row is predicted as another class, to shade all cells."""
    names = list(SIX_MODELS)[:num_models]
    correct = {name: SIX_MODELS[name][:num_seeds] for name in names}
    statistics = make_statistics(correct, dict.fromkeys(names[1:], 0.01))
    number = len(class_names)
    confusion = [[max(0, 64 - 8 * abs(row - column)) for column in range(number)] for row in range(number)]
    for model in statistics["models"].values():
        model["confusion"] = confusion
        model["title"] = f"{model['title']} <b>"
    statistics["test"]["num_classes"] = number
    statistics["errors"] = statistics["errors"] if has_errors else []
    return statistics


def make_page_values(
    class_names: Sequence[str] = STRANGE_NAMES,
    num_models: int = 3,
    num_seeds: int = 1,
    *,
    has_errors: bool = True,
    has_pixels: bool = True,
    figures: dict[str, bytes] | None = None,
) -> dict[str, Any]:
    """Everything that the page takes."""
    class_names = name_classes(class_names)
    statistics = make_results(class_names, num_models, num_seeds, has_errors=has_errors)
    results = Results.model_validate(statistics)
    looks = build_looks(results.titles, choose_colours(results.models), choose_markers(results.models))
    images = [f"{place}<i>.png" for place in range(results.test.num_images)]
    pixels = [np.full((8, 8, 3), 90, np.uint8)] * len(results.errors) if has_pixels else None
    stages = group_items(STAGES)
    needs = find_needs(stages)
    entries = list_entries(LOCK)
    return {
        "results": results,
        "class_names": class_names,
        "looks": looks,
        "answers": build_answers(statistics, BACKBONES, CITATIONS),
        "figures": embed_figures(figures or {}),
        "errors": lay_out_errors(results, images, class_names, pixels),
        "parameters": group_parameters({"seeds": [0], "head.units": 16, "data.path": "<p>"}),
        **lay_out_accuracies(results),
        **lay_out_curves({name: make_history() for name in results.models}, looks),
        **lay_out_confusions(results, class_names),
        "stages": stages,
        "needs": needs,
        "drawing": draw_graph(needs),
        "descriptions": {stage.name: "What it <does>" for stage in stages},
        "entries": entries,
        "origins": find_origins(entries, OUTPUTS),
        "code": find_code(entries, "src"),
        "commit": None,
    }
