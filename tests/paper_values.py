"""Invented results, and all else that the paper's template takes."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pypdf import PdfWriter

from fusionseq.catalog import BACKBONES
from fusionseq.claims import choose_claims

ROOT = Path(__file__).parents[1]
PAPER = ROOT / "paper"
TEMPLATE = (PAPER / "report.tex.jinja").read_text(encoding="utf-8")
SECTIONS = {path.name: path.read_text(encoding="utf-8") for path in sorted(PAPER.glob("sections/*.tex.jinja"))}
PUBLISHED = yaml.safe_load((PAPER / "published.yaml").read_text(encoding="utf-8"))
BENCHMARK = json.loads((Path(__file__).parent / "benchmark.json").read_text(encoding="utf-8"))
RECORD = {"sha256": "0" * 64, "validation_accuracy": {"vgg16": 0.97, "mobilenetv2": 0.96}, "num_classes": 52}
DUPLICATES = ("identical_files", "groups", "images_in_groups", "groups_of_several_classes", "excluded")
FIGURES = (
    "class_distribution", "samples", "training_curves", "confusion_matrices", "metric_comparison", "differences",
    "reliability", "class_f1", "errors",
)  # fmt: skip

CONFIDENCE = 0.95
NUM_IMAGES = 360
TITLES = {
    "fusion": ("Fusion", "MobileNetV2 and VGG16 in parallel"),
    "sequential": ("Sequential", "MobileNetV2 alone"),
    "vgg16": ("VGG16", "VGG16 alone"),
    "stacked": ("Stacked", "the first blocks of VGG16 and the last of MobileNetV2, one behind the other"),
    "wide_head": ("Wide head", "MobileNetV2 alone with a wider hidden layer"),
    "ensemble": ("Ensemble", "mean of the probabilities of Sequential and VGG16"),
}
SIX_MODELS = {
    "fusion": [353, 355, 353],
    "sequential": [348, 346, 350],
    "vgg16": [352, 353, 351],
    "stacked": [344, 345, 341],
    "wide_head": [348, 349, 348],
    "ensemble": [353, 354, 352],
}
SIX_P_VALUES = {"sequential": 0.012, "vgg16": 0.41, "stacked": 0.0005, "wide_head": 0.031, "ensemble": 1.0}


def summarize(values: Sequence[float]) -> dict[str, float]:
    """Summary over seeds; one seed has no deviation."""
    ordered, mean = sorted(values), sum(values) / len(values)
    middle = (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2
    summary = {"mean": mean, "min": ordered[0], "median": middle, "max": ordered[-1]}
    if len(values) > 1:
        summary["std"] = math.sqrt(sum((value - mean) ** 2 for value in values) / (len(values) - 1))
    return summary


def make_model(name: str, correct: Sequence[int]) -> dict[str, Any]:
    """One model that classifies these numbers of images correctly, by seed; what is worse is also less calibrated."""
    per_seed: list[dict[str, Any]] = [
        {
            "seed": seed,
            "accuracy": number / NUM_IMAGES,
            "macro_f1": number / NUM_IMAGES - 0.0001,
            "loss": 1.05 - number / NUM_IMAGES,
            "brier": 1.01 - number / NUM_IMAGES,
            "calibration_error": 1.02 - number / NUM_IMAGES,
            "num_correct": number,
            "accuracy_interval": [number / NUM_IMAGES - 0.02, min(1, number / NUM_IMAGES + 0.01)],
            "macro_f1_interval": [number / NUM_IMAGES - 0.021, min(1, number / NUM_IMAGES + 0.011)],
            "temperature": 1.2,
            "calibrated_loss": 1.04 - number / NUM_IMAGES,
            "calibrated_calibration_error": 1.01 - number / NUM_IMAGES,
        }
        for seed, number in enumerate(correct)
    ]
    metrics = ("accuracy", "macro_f1", "loss", "brier", "calibration_error", "temperature")
    title, description = TITLES.get(name, (name, f"{name}, a stranger"))
    model = {
        "title": title,
        "description": description,
        "members": ["sequential", "vgg16"] if name == "ensemble" else [],
        **{metric: summarize([row[metric] for row in per_seed]) for metric in metrics},
        "per_seed": per_seed,
        "confusion": [[1, 0], [0, 1]],
        "class_f1": [summarize([0.98, 0.97]), summarize([0.96, 0.95])],
        "reliability": [{"confidence": 0.9, "accuracy": 0.95, "num_images": 540}] * 2,
    }
    return model if name == "ensemble" else model | make_contents(name)


def make_contents(name: str) -> dict[str, Any]:
    """What is counted of a trained model."""
    factor = 7 if name in {"fusion", "vgg16"} else 1
    return {
        "layers": [
            {"part": "MobileNetV2, frozen", "output": "3 × 3 × 96", "parameters": 541_952},
            {"part": "MobileNetV2, fine-tuned", "output": "2 × 2 × 1280", "parameters": 1_716_032},
            {"part": "Pooled features", "output": "1280", "parameters": 0},
            {"part": "Hidden layer", "output": "256", "parameters": 327_936},
            {"part": "Dropout", "output": "256", "parameters": 0},
            {"part": "Softmax", "output": "10", "parameters": 2_570},
        ],
        "parameters": {
            "total": factor * 2_257_984 + 330_506,
            "backbones": factor * 2_257_984,
            "hidden": 327_936,
            "trainable_frozen": {"fusion": 461_578, "wide_head": 461_162}.get(name, 330_506),
            "trainable_fine_tuning": 1_998_346,
        },
        "operations": {
            "forward": factor * 28_100_000,
            "frozen_phase": 1_330_000,
            "fine_tuning": 25_000_000,
            "end_to_end_frozen_phase": factor * 28_800_000,
            "end_to_end_fine_tuning": factor * 45_000_000,
        },
    }


def make_comparison(
    second: str, models: Mapping[str, Any], p_value: float, seed_p_values: Sequence[float], num_comparisons: int
) -> dict[str, Any]:
    """Fusion against a second model; intervals hold zero where the p-value is large."""
    of_fusion, of_second = models["fusion"]["per_seed"], models[second]["per_seed"]
    leads = [first["num_correct"] - other["num_correct"] for first, other in zip(of_fusion, of_second, strict=True)]
    num_seeds = len(leads)
    mean = sum(leads) / num_seeds / NUM_IMAGES
    is_significant = p_value < 1 - CONFIDENCE
    half_width = abs(mean) / 2 if is_significant else abs(mean) + 0.01
    interval = [mean - half_width, mean + half_width]
    shown = sum(
        p_of_seed < 1 - CONFIDENCE and lead * mean > 0 for p_of_seed, lead in zip(seed_p_values, leads, strict=True)
    )
    smallest = None if num_seeds == 1 else 2 / 2**num_seeds
    return {
        "first": "fusion",
        "second": second,
        "better": "fusion" if mean > 0 else second if mean < 0 else None,
        "accuracy_difference": {"mean": mean, "interval": interval},
        "macro_f1_difference": {"mean": mean, "interval": interval},
        "loss_difference": {"mean": models["fusion"]["loss"]["mean"] - models[second]["loss"]["mean"]},
        "p_value": p_value / num_comparisons,
        "p_value_corrected": p_value,
        "seeds_p_value": smallest,
        "seeds_p_value_corrected": None if smallest is None else min(1.0, num_comparisons * smallest),
        "seeds_smallest_p_value": smallest,
        "seeds_interval": None if smallest is None else [mean - 0.02, mean + 0.02],
        "outperforming": {
            "probability": 0.5 + 0.4 * (mean > 0) - 0.4 * (mean < 0),
            "interval": ([0.6, 1.0] if mean > 0 else [0.0, 0.4]) if is_significant and mean else [0.3, 0.9],
        },
        "verdict": "equal" if not mean else "shown" if is_significant else "open",
        "num_significant": shown,
        "num_significant_uncorrected": max(shown, min(num_seeds, 1)),
        "discordant_share": 0.025,
        "smallest_difference": 0.0189,
        "power": 0.37,
        "per_seed": [
            {
                "seed": seed,
                "only_first": max(lead, 0) + 3,
                "only_second": max(-lead, 0) + 3,
                "p_value": p_of_seed / num_comparisons / num_seeds,
                "p_value_corrected": p_of_seed,
                "accuracy_difference": lead / NUM_IMAGES,
                "accuracy_difference_interval": [lead / NUM_IMAGES - 0.012, lead / NUM_IMAGES + 0.012],
                "macro_f1_difference": lead / NUM_IMAGES,
                "macro_f1_difference_interval": [lead / NUM_IMAGES - 0.012, lead / NUM_IMAGES + 0.012],
            }
            for seed, (lead, p_of_seed) in enumerate(zip(leads, seed_p_values, strict=True))
        ],
    }


def make_statistics(
    correct: Mapping[str, Sequence[int]], p_values: Mapping[str, float], seed_p_values: Sequence[float] | None = None
) -> dict[str, Any]:
    """Statistics of models that classify these numbers of the test images correctly, by seed.

    Parameters
    ----------
    correct
        By the names of the models, the first being fusion.
    p_values
        Of fusion against each other model, corrected.
    seed_p_values
        Of fusion against the sequential model with each seed, corrected; by default that over all seeds.
    """
    models = {name: make_model(name, of_model) for name, of_model in correct.items()}
    num_seeds, num_comparisons = len(correct["fusion"]), len(correct) - 1
    comparisons = {}
    for name, p_value in p_values.items():
        of_seeds = seed_p_values if seed_p_values is not None and name == "sequential" else [p_value] * num_seeds
        comparisons[name] = make_comparison(name, models, p_value, of_seeds, num_comparisons)
    return {
        "seeds": list(range(num_seeds)),
        "confidence": CONFIDENCE,
        "resamples": 2000,
        "wanted_power": 0.8,
        "test": {"num_images": NUM_IMAGES, "num_classes": 2, "num_validation": 359},
        "models": models,
        "comparisons": comparisons,
        "corrections": {"num_comparisons": num_comparisons, "num_seed_tests": num_comparisons * num_seeds},
        "errors": [
            {
                "position": 17,
                "actual": 1,
                "fusion": {"predicted": 0, "probability": 0.93, "probability_of_actual": 0.02},
                "sequential": {"predicted": 1, "probability": 0.51, "probability_of_actual": 0.51},
            }
        ],
    }


def read_params() -> dict[str, Any]:
    """The embedded default."""
    params: dict[str, Any] = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    return params


def write_figures(folder: Path) -> None:
    """Figures of some size, by the names that the paper includes."""
    folder.mkdir(parents=True)
    figure = PdfWriter()
    figure.add_blank_page(width=450, height=200)
    for name in FIGURES:
        figure.write(folder / f"{name}.pdf")


def make_values(statistics: dict[str, Any]) -> dict[str, Any]:
    """Everything that the paper's template takes."""
    params = read_params()
    backbones = {name: BACKBONES[name].title for name in params["backbones"]}
    return {
        "params": params,
        "statistics": statistics,
        "models": list(statistics["models"]),
        "claims": choose_claims(statistics, backbones),
        "benchmark": BENCHMARK,
        "mode": "cached",
        "manifest": {"origin": {"source": "digits"}, "skipped": []},
        "skipped": [],
        "duplicates": dict.fromkeys(DUPLICATES, 0),
        "published": PUBLISHED,
        "embedded": RECORD,
        "recipe": yaml.safe_load((ROOT / "pretraining" / "params.yaml").read_text(encoding="utf-8")),
        "backbones": BACKBONES,
        "class_names": ("cat & dog", "猫"),
        "counts": {"train": [540, 538], "validation": [180, 179], "test": [180, 180]},
        "digests": dict.fromkeys(("code", "parameters", "environment", "data", "timings", "results"), "0123456789ab"),
    }
