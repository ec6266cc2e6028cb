import json
import math
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from fusionseq.catalog import BACKBONES
from fusionseq.errors import PipelineError
from fusionseq.reporting import escape_latex, render

PAPER = Path(__file__).parents[1] / "paper"
TEMPLATE = (PAPER / "report.tex.jinja").read_text(encoding="utf-8")
PUBLISHED = yaml.safe_load((PAPER / "published.yaml").read_text(encoding="utf-8"))
RECORD = {"sha256": "0" * 64, "validation_accuracy": {"vgg16": 0.97, "mobilenetv2": 0.96}, "num_classes": 52}
BENCHMARK = json.loads((Path(__file__).parent / "benchmark.json").read_text(encoding="utf-8"))
NUM_IMAGES = 360


def summarize(values: list[float]) -> dict[str, float]:
    mean = sum(values) / len(values)
    if len(values) == 1:
        return {"mean": mean}
    return {"mean": mean, "std": math.sqrt(sum((value - mean) ** 2 for value in values) / (len(values) - 1))}


def make_model(correct: list[int], loss: float) -> dict[str, Any]:
    per_seed: list[dict[str, Any]] = [
        {
            "seed": seed,
            "accuracy": of_seed / NUM_IMAGES,
            "macro_f1": of_seed / NUM_IMAGES - 0.0001,
            "loss": loss,
            "num_correct": of_seed,
            "accuracy_interval": [of_seed / NUM_IMAGES - 0.02, of_seed / NUM_IMAGES + 0.01],
        }
        for seed, of_seed in enumerate(correct)
    ]
    return {
        **{metric: summarize([row[metric] for row in per_seed]) for metric in ("accuracy", "macro_f1", "loss")},
        "per_seed": per_seed,
        "confusion": [[1, 0], [0, 1]],
        "layers": [
            {"part": "MobileNetV2, frozen", "output": "3 × 3 × 96", "parameters": 541_952},
            {"part": "MobileNetV2, fine-tuned", "output": "2 × 2 × 1280", "parameters": 1_716_032},
            {"part": "Pooled features", "output": "1280", "parameters": 0},
            {"part": "Hidden layer", "output": "256", "parameters": 327_936},
            {"part": "Dropout", "output": "256", "parameters": 0},
            {"part": "Softmax", "output": "10", "parameters": 2_570},
        ],
        "parameters": {
            "total": 2_588_490,
            "backbones": 2_257_984,
            "hidden": 327_936,
            "trainable_frozen": 330_506,
            "trainable_fine_tuning": 1_998_346,
        },
        "operations": {
            "forward": 28_100_000,
            "frozen_phase": 1_330_000,
            "fine_tuning": 25_000_000,
            "end_to_end_frozen_phase": 28_800_000,
            "end_to_end_fine_tuning": 45_000_000,
        },
    }


DUPLICATES = ("identical_files", "groups", "images_in_groups", "groups_of_several_classes", "excluded")


def make_statistics(fusion: list[int], sequential: list[int], p_values: list[float]) -> dict[str, Any]:
    """Models that classify these numbers of images correctly, by seed; only the p-values are free."""
    models = {"fusion": make_model(fusion, 0.05), "sequential": make_model(sequential, 0.15)}
    lead = sum(fusion) - sum(sequential)
    differences = {
        f"{metric}_difference": models["fusion"][metric]["mean"] - models["sequential"][metric]["mean"]
        for metric in ("accuracy", "macro_f1", "loss")
    }
    per_seed = [
        {"seed": seed, "only_first": first, "only_second": second, "p_value": p_value}
        for seed, (first, second, p_value) in enumerate(zip(fusion, sequential, p_values, strict=True))
    ]
    return {
        "seeds": list(range(len(fusion))),
        "confidence": 0.95,
        "test": {"num_images": NUM_IMAGES, "num_classes": 2},
        "models": models,
        "comparison": {
            "first": "fusion",
            "second": "sequential",
            **differences,
            "better": "fusion" if lead > 0 else "sequential" if lead < 0 else None,
            "num_significant": sum(p_value < 0.05 for p_value in p_values) if lead else 0,
            "per_seed": per_seed,
        },
    }


def make_values(statistics: dict[str, Any]) -> dict[str, Any]:
    """Everything that the paper's template takes."""
    params = yaml.safe_load((PAPER.parent / "params.yaml").read_text(encoding="utf-8"))
    recipe = yaml.safe_load((PAPER.parent / "pretraining" / "params.yaml").read_text(encoding="utf-8"))
    return {
        "params": params,
        "statistics": statistics,
        "benchmark": BENCHMARK,
        "mode": "cached",
        "manifest": {"origin": {"source": "digits"}, "skipped": []},
        "skipped": [],
        "duplicates": dict.fromkeys(DUPLICATES, 0),
        "published": PUBLISHED,
        "embedded": {
            "sha256": "0" * 64,
            "validation_accuracy": {"vgg16": 0.97, "mobilenetv2": 0.96},
            "num_classes": 52,
        },
        "recipe": recipe,
        "backbones": BACKBONES,
        "class_names": ("cat & dog", "猫"),
        "counts": {"train": [540, 538], "validation": [180, 179], "test": [180, 180]},
        "digests": dict.fromkeys(("code", "parameters", "environment", "data", "timings", "results"), "0123456789ab"),
    }


def write_paper(statistics: dict[str, Any]) -> str:
    """The paper's text, on one line."""
    return " ".join(render(TEMPLATE, make_values(statistics)).split())


def fill(template: str, **values: object) -> str:
    return render(template, values)


@pytest.mark.parametrize("special", list('\\{}$&#%_~^[]*<>|"`'))
def test_special_character_does_not_pass_as_it_is(special: str) -> None:
    assert escape_latex(special) != special


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("50 % of a_b & c", r"50 \% of a\_b \& c"),
        ("\\input{x}", r"\textbackslash{}input\{x\}"),
        ("[a]*", "{[}a{]}{*}"),
        ("a--b---c, ''d'',,", "a-{}-b-{}-{}-c, '{}'d'{}',{},"),
        ("one\n\n\ttwo", "one two"),
        ("Niño Łódź ẞ 3 × 3", "Niño Łódź ẞ 3 × 3"),
        ("e\u0301", "é"),
        ("a猫犬b", r"a\texttt{[U+732B U+72AC]}b"),
        ("\x00\ud800\u200b", r"\texttt{[U+0000 U+D800 U+200B]}"),
        ("😀", r"\texttt{[U+1F600]}"),
        ("", ""),
    ],
)
def test_text_is_escaped(text: str, expected: str) -> None:
    assert fill(r"\VAR{text}", text=text) == expected


def test_latex_is_not_escaped_again() -> None:
    assert fill(r"\VAR{text|latex}", text=" $x_1$\n") == "$x_1$"
    assert fill(r"\VAR{0.5|percent(1)}, \VAR{1234|integer}") == r"50.0\%, 1{,}234"


@pytest.mark.parametrize("expression", ["value", "value * 2", "0.5", "value|abs"])
def test_bare_float_is_refused(expression: str) -> None:
    with pytest.raises(PipelineError, match=r"line 2 .*fixed\(4\)"):
        fill("a\n\\VAR{" + expression + "}", value=0.25)


@pytest.mark.parametrize("value", [None, True, [1], {"a": 1}])
def test_what_is_neither_text_nor_number_is_refused(value: object) -> None:
    with pytest.raises(PipelineError, match="only text and numbers"):
        fill(r"\VAR{value}", value=value)


@pytest.mark.parametrize("expression", ["missing", "known.missing", "missing|latex", "missing|fixed(2)", "known['a']"])
def test_undefined_name_is_refused(expression: str) -> None:
    with pytest.raises(PipelineError, match="line 1 "):
        fill("\\VAR{" + expression + "}", known={})


def test_malformed_template_is_refused() -> None:
    with pytest.raises(PipelineError, match="line 3 "):
        fill("a\nb\n\\BLOCK{if}")


def test_comments_and_blocks_leave_no_trace() -> None:
    assert fill("a\n\\BLOCK{if true}\nb\n\\BLOCK{endif}\nc %% no\n") == "a\nb\nc\n"


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("0.98765|fixed(4)", "0.9877"),
        ("2|fixed(2)", "2.00"),
        ("(-0.25)|fixed(2)", r"\ensuremath{-}0.25"),
        ("(-0.00001)|fixed(2)", "0.00"),
        ("0.98765|percent(2)", r"98.77\%"),
        ("(1 - 0.95)|percent", r"5\%"),
        ("0.625|percent", r"62.5\%"),
        ("(-0.0312)|points(2)", r"\ensuremath{-}3.12"),
        ("999|integer", "999"),
        ("17434250|integer", "17{,}434{,}250"),
        ("0.001|number", r"\num{1e-3}"),
        ("0.00015|number", r"\num{1.5e-4}"),
        ("0.5|number", r"\num{0.5}"),
        ("0|number", r"\num{0}"),
        ("0.0018123|significant('milli')", "1.81"),
        ("1443439872|significant('giga')", "1.44"),
        ("922624|significant('giga')", "0.000923"),
        ("30700000000000|significant('giga')", "30{,}700"),
        ("1.4|significant", "1.40"),
        ("0.99996|significant", "1.00"),
        ("51.37|significant", "51.4"),
        ("1423.25|significant", "1{,}423"),
        ("0|significant", "0.00"),
        ("0.0123|pvalue", "$p = 0.012$"),
        ("0.001|pvalue", "$p = 0.001$"),
        ("0.00099|pvalue", "$p < 0.001$"),
        ("0|pvalue", "$p < 0.001$"),
        ("1|pvalue", "$p = 1.000$"),
        ("0.0123|pvalue(named=false)", "$0.012$"),
        ("0.0001|pvalue(named=false)", "$< 0.001$"),
        ("1|counted('seed')", "one seed"),
        ("3|counted('seed')", "three seeds"),
        ("24|counted('class', 'classes')", "24 classes"),
        ("21|in_words", "21"),
        ("['a', 'b_', 3]|listed", r"a, b\_ and 3"),
        ("['a', 'b']|listed", "a and b"),
        ("['a']|listed", "a"),
    ],
)
def test_numbers_are_formatted(expression: str, expected: str) -> None:
    assert fill("\\VAR{" + expression + "}") == expected


@pytest.mark.parametrize(
    "expression",
    [
        "nan|fixed(2)",
        "infinite|percent(1)",
        "'1'|fixed(1)",
        "true|fixed(1)",
        "1.5|integer",
        "1.01|pvalue",
        "nan|pvalue",
    ],
)
def test_what_is_no_such_number_is_refused(expression: str) -> None:
    with pytest.raises(PipelineError, match="line 1 "):
        fill("\\VAR{" + expression + "}", nan=math.nan, infinite=math.inf)


SAME_ORDER = "This is the order that the source paper reports."
WEAKER_ORDER = "This is the order that the source paper reports, but here it is not significant with every seed."
REVERSE_ORDER = "This is the reverse of the order that the source paper reports."
NO_ORDER = "The order that the source paper reports, with the fusion model ahead, does not show here."


def get_abstract(text: str) -> str:
    return text[text.index(r"\begin{abstract}") : text.index(r"\end{abstract}")]


def get_conclusion(text: str) -> str:
    return text[text.index(r"\section{Conclusion}") : text.index(r"\section*{Reproducing")]


@pytest.mark.parametrize(
    ("fusion", "sequential", "p_values", "abstract", "order", "conclusion"),
    [
        (
            [354, 355, 356],
            [340, 341, 342],
            [0.01, 0.02, 0.0001],
            r"The fusion model outperforms the sequential one: its mean test accuracy over three seeds is 98.61\% "
            r"against 94.72\%, and with each of them an exact McNemar test on the same images finds the difference "
            r"significant at the 5\% level.",
            SAME_ORDER,
            "adding the pooled features of VGG16 to those of MobileNetV2 raised the accuracy by 3.89 percentage points",
        ),
        (
            [354, 355],
            [340, 341],
            [0.01, 0.02],
            r"mean test accuracy over two seeds is 98.47\% against 94.58\%, and with both of them an exact McNemar",
            SAME_ORDER,
            "raised the accuracy by 3.89 percentage points",
        ),
        (
            [354, 355, 356],
            [348, 349, 350],
            [0.01, 0.2, 0.3],
            r"The fusion model has the higher mean test accuracy over three seeds, 98.61\% against 96.94\%, but only "
            "with one of them does an exact McNemar test on the same images find it significantly better",
            WEAKER_ORDER,
            "whether a single comparison would have shown it depends on the seed",
        ),
        (
            [354, 355, 356],
            [353, 354, 355],
            [1.0, 1.0, 1.0],
            "but with none of them does an exact McNemar test on the same images find it significantly better",
            WEAKER_ORDER,
            "This run does not show that either architecture is better. Nor does it show",
        ),
        (
            [340, 341],
            [354, 355],
            [0.01, 0.02],
            r"The sequential model outperforms the fusion one: its mean test accuracy over two seeds is 98.47\% "
            r"against 94.58\%",
            REVERSE_ORDER,
            "MobileNetV2 alone did better by 3.89 percentage points than together with VGG16",
        ),
        (
            [348, 349, 350],
            [354, 355, 356],
            [0.01, 0.2, 0.01],
            r"The sequential model has the higher mean test accuracy over three seeds, 98.61\% against 96.94\%, but "
            "only with two of them",
            REVERSE_ORDER,
            "this is weak evidence in favour of the sequential model",
        ),
        (
            [353, 354],
            [354, 355],
            [1.0, 1.0],
            r"The sequential model has the higher mean test accuracy over two seeds, 98.47\% against 98.19\%, but "
            "with none",
            REVERSE_ORDER,
            "in favour of the sequential model could with each seed also have come about by chance.",
        ),
        (
            [354, 355],
            [355, 354],
            [1.0, 0.01],
            r"Over two seeds, both models have the same mean test accuracy, 98.47\%.",
            NO_ORDER,
            "neither raised nor lowered the mean accuracy",
        ),
        (
            [354],
            [340],
            [0.0123],
            r"its test accuracy is 98.33\% against 94.44\%, and an exact McNemar test on the same images finds the "
            r"difference significant at the 5\% level ($p = 0.012$).",
            SAME_ORDER,
            "A single seed says nothing of how much the result would vary",
        ),
        (
            [340],
            [345],
            [0.3],
            r"The sequential model has the higher test accuracy, 95.83\% against 94.44\%, but an exact McNemar test on "
            r"the same images does not find the difference significant at the 5\% level ($p = 0.300$).",
            REVERSE_ORDER,
            "in favour of the sequential model could also have come about by chance.",
        ),
        (
            [350],
            [350],
            [1.0],
            r"Both models classify the same share of the test images correctly, 97.22\%.",
            NO_ORDER,
            "Nothing here speaks for paying that price.",
        ),
    ],
)
def test_each_outcome_has_its_sentences(
    fusion: list[int], sequential: list[int], p_values: list[float], abstract: str, order: str, conclusion: str
) -> None:
    text = write_paper(make_statistics(fusion, sequential, p_values))
    assert abstract in get_abstract(text)
    assert order in get_abstract(text)
    assert conclusion in get_conclusion(text)
    is_settled = sum(fusion) != sum(sequential) and max(p_values) < 0.05
    # The introduction has the word in quotation marks, where it says that it is chosen.
    assert ("outperforms the" in text) == is_settled


def test_one_seed_has_no_deviation_and_no_plural() -> None:
    text = write_paper(make_statistics([354], [340], [0.01]))
    assert r"{}\pm{}" not in text
    for many in ("over the seeds", "over seeds", "with each of them", "different seeds", "one seeds"):
        assert many not in text
    assert "Each model is trained once, with seed 0," in text


def test_several_seeds_have_a_deviation() -> None:
    text = write_paper(make_statistics([354, 355, 356], [340, 341, 342], [0.01, 0.02, 0.03]))
    assert r"0.9861${}\pm{}$0.0028" in text
    assert "Each model is trained with three seeds (0, 1 and 2)." in text


@pytest.mark.parametrize(
    ("section", "changes", "mode", "present", "absent"),
    [
        (
            "training",
            {},
            "cached",
            ["Images are not augmented.", "passes the frozen layers once."],
            ["stored in half precision"],
        ),
        (
            "training",
            {"augmentation": {"horizontal_flip": True, "rotation": 10.0, "translation": 0.1}},
            "streaming",
            ["mirrored, rotated and shifted", r"at most 10.0 degrees", "Images stream through the whole model."],
            ["Images are not augmented.", "passes the frozen layers once."],
        ),
        ("features", {"dtype": "float16"}, "cached", ["stored in half precision"], []),
        ("runtime", {"precision": "mixed_bfloat16"}, "cached", [r"mixed precision (\texttt{mixed\_bfloat16})"], []),
        ("runtime", {"deterministic": False}, "cached", ["need not agree"], ["Only deterministic kernels"]),
    ],
)
def test_text_follows_how_the_run_was_carried_out(
    section: str, changes: dict[str, Any], mode: str, present: list[str], absent: list[str]
) -> None:
    values = make_values(make_statistics([340], [330], [0.01])) | {"mode": mode}
    values["params"][section] |= changes
    text = " ".join(render(TEMPLATE, values).split())
    for sentence in present:
        assert sentence in text
    for sentence in absent:
        assert sentence not in text


HUB = {
    "source": "huggingface",
    "name": "Bingsu/Cat_and_Dog",
    "revision": "0123456789abcdef" * 2 + "01234567",
    "splits": {"train": 8000, "test": 2000},
}
FOLDER = {"source": "imagefolder", "layout": "folders"}
SKIPPED = [{"image": f"50%_off/{row}.jpg", "reason": "empty file"} for row in range(3)]


@pytest.mark.parametrize(
    ("origin", "split", "other", "present", "absent"),
    [
        (
            HUB,
            {"use": "source", "near_duplicates": 4},
            {"duplicates": {"groups": 7, "images_in_groups": 15, "groups_of_several_classes": 1, "excluded": 3}},
            [
                r"\texttt{Bingsu/Cat\_and\_Dog} on the Hugging Face hub, in the revision \texttt{0123456789ab}.",
                "The test subset is the one that the dataset came with",
                "split at random into ours and a validation subset, in the proportion",
                "or whose perceptual hashes differ in at most four bits,",
                "15 images form seven groups of such duplicates, one of them across classes.",
                "three images with a duplicate in the test subset, or in the validation subset, are in no other",
                "Ours is the one that fits its numbers",
            ],
            ["scikit-learn ships", "The images are split at random", "So are the validation"],
        ),
        (
            HUB | {"splits": {"train": 1, "validation": 1, "test": 1}},
            {"use": "source"},
            {},
            ["So are the validation and the training subset."],
            ["split at random into ours", "perceptual"],
        ),
        (HUB, {"use": "ours"}, {}, ["are merged and not used. The images are split at random"], ["came with (\\cref"]),
        (
            FOLDER,
            {},
            {"skipped": SKIPPED},
            [
                "The images are a person's own. They come in one folder for each class.",
                r"were three files that could not be read or decoded, such as 50\%\_off/0.jpg. This run uses",
                "In this run, no image has a duplicate.",
            ],
            ["was one file", "Ours is the one that fits", "A table that comes"],
        ),
        (
            FOLDER | {"layout": "table"},
            {},
            {"skipped": SKIPPED[:1]},
            [
                "A table that comes with them tells the class of each.",
                "was one file that could not be read or decoded:",
            ],
            ["one folder for each class"],
        ),
    ],
)
def test_text_follows_where_the_images_come_from(
    origin: dict[str, Any], split: dict[str, Any], other: dict[str, Any], present: list[str], absent: list[str]
) -> None:
    values = make_values(make_statistics([340], [330], [0.01]))
    values["params"]["data"] = {"source": origin["source"]}
    values["params"]["split"] |= split
    values["manifest"] = {"origin": origin, "skipped": []}
    values["duplicates"] |= other.pop("duplicates", {})
    text = " ".join(render(TEMPLATE, values | other).split())
    for sentence in present:
        assert sentence in text
    for sentence in absent:
        assert sentence not in text


def test_text_names_the_weights_that_were_downloaded() -> None:
    values = make_values(make_statistics([340], [330], [0.01]))
    values["params"]["weights"] = {"source": "imagenet", "address": "https://example.org"}
    files = {"mobilenetv2": {"size": 9406464, "sha256": "a" * 64}, "vgg16": {"size": 58889256, "sha256": "b" * 64}}
    values["embedded"] = {"source": "imagenet", "files": files}
    text = " ".join(render(TEMPLATE, values).split())
    assert r"MobileNetV2 & 9.41 MB of weights & \texttt{aaaaaaaaaaaa} \\" in text
    assert r"VGG16 & 58.9 MB of weights & \texttt{bbbbbbbbbbbb} \\" in text
    assert "The weights are those that Keras publishes" in text
    assert "rendered letters" not in text


def test_names_of_classes_are_escaped() -> None:
    text = write_paper(make_statistics([354], [340], [0.01]))
    assert r"540 (cat \& dog)" in text
    assert r"538 (\texttt{[U+732B]})" in text


def test_words_are_not_joined_where_blocks_end() -> None:
    text = write_paper(make_statistics([354, 355], [340, 341], [0.01, 0.02]))
    body = text[text.index(r"\maketitle") :]
    names = r"\\begin\{tikzpicture\}.*?\\end\{tikzpicture\}|\\[A-Za-z]+\*?(?:\[[^]]*\])?\{[^}]*\}"
    assert re.findall(r"[a-z][.,;:][A-Za-z]{2,}", re.sub(names, "", body)) == []


def test_source_papers_numbers_are_computed_from_its_own() -> None:
    text = write_paper(make_statistics([354], [340], [0.01]))
    assert "whole numbers of images out of 2{,}000, namely 1{,}995 and 1{,}979," in text
    assert "the two models made five and 21 errors" in text


def test_source_papers_p_values_are_those_of_every_overlap() -> None:
    num_images = PUBLISHED["inference"]["num_test_images"]
    few, many = (
        round((1 - PUBLISHED["results"][name]["accuracy"]["value"]) * num_images) for name in ("fusion", "sequential")
    )
    p_values = []
    for shared in range(few + 1):
        only_few, pairs = few - shared, few + many - 2 * shared
        p_values.append(2 * sum(math.comb(pairs, k) for k in range(only_few + 1)) / 2**pairs)
    assert min(p_values) == pytest.approx(PUBLISHED["inference"]["smallest_p_value"], rel=0.05)
    assert max(p_values) == pytest.approx(PUBLISHED["inference"]["largest_p_value"], rel=0.05)


def get_cost(text: str) -> str:
    return text[text.index(r"\section{Cost}") : text.index(r"\section{Limits}")]


def test_cost_is_counted_in_the_run_and_timed_in_the_record() -> None:
    statistics = make_statistics([354], [340], [0.01])
    statistics["models"]["fusion"]["operations"] |= {"forward": 1_443_439_872, "frozen_phase": 1_850_368}
    text = get_cost(write_paper(statistics))
    assert r"Prediction & 1.44 & 0.0281 & 51.4 \\" in text
    assert r"Frozen phase, per epoch, from stored activations & 0.00185 & 0.00133 & 1.39 \\" in text
    assert "takes 51.4 times the operations" in text
    assert r"Prediction (ms) & 18.1 & 2.12 & 8.53 \\" in text
    assert r"Fine-tuning, one epoch of all images (s) & 3.25 & 0.612 & 5.30 \\" in text
    assert r"Peak memory (MiB) & 1{,}423 & 802 & 1.78 \\" in text
    assert "measured on 2026-11-22, with 512 images of 96 by 96 pixels in batches of 32" in text
    assert (
        "(Intel(R) Xeon(R) Processor, two cores, two threads; Python 3.11.7, TensorFlow 2.21.0, Keras 3.15.1)" in text
    )
    assert "for five epochs in each phase and with the pass through the frozen layers included, was 3.9 times" in text
    assert "it was 4.8 times as fast as three trainings of the listings. These times include building graphs." in text
    assert "training from the cut takes 2.0 times as long as its operations" in text
    assert "the pass through the frozen layers takes 1.2 times as long as its own." in text


@pytest.mark.parametrize(
    ("image_size", "expected"),
    [
        (48, "(with images of 96 by 96 pixels, not of 48 by 48 as in this run). Training"),
        (96, "(with images of 96 by 96 pixels, as in this run). Training"),
    ],
)
def test_size_of_the_timed_images_is_told(image_size: int, expected: str) -> None:
    values = make_values(make_statistics([354], [340], [0.01]))
    values["params"]["image_size"] = image_size
    text = get_cost(" ".join(render(TEMPLATE, values).split()))
    assert expected in text
    assert f"counted for this run, with images of {image_size} by {image_size} pixels" in text
    assert "Measured, with images of 96 by 96 pixels" in text


# What may hold digits in the template without being a result.
_NO_RESULTS = (
    r"%.*",  # comments
    r"\\(?:documentclass|usepackage)\b.*",
    r"\\pdf\w+=?-?\d?",
    r"\\(?:re)?newcommand\{[^}]*\}\{[\d.]+\}",  # shares of a page that floats may take
    r"\\definecolor\{\w+\}\{HTML\}\{\w{6}\}",
    r"[a-z]![\d]+",  # shades
    r"-?\d*\.?\d+\s*(?:mm|cm|pt|em|ex|in|\\linewidth|\\textwidth)\b",
    r"\\(?:cmidrule(?:\(lr\))?|multicolumn)\{[\d-]+\}|\*\{\d\}",
    r"\\(?:citep?|citet|label|cref|Cref|includegraphics)(?:\[[^]]*\])?\{[^}]*\}",
    r"SHA-256|\b[A-Za-z]+\d+\b",  # names such as VGG16, F1 and MobileNetV2
)
# In expressions: digits to round to, comparisons with small numbers, positions, powers of ten that change a unit.
_NO_VALUES = (
    r"\w+\(\d\)",
    r"(?:==|!=|[<>]=?) [0-2]\b",
    r"\[:?\d+\]",
    r"\b1 [-/]",
    r"truncate\(24\)",
    r"\b[A-Za-z_]\w*",  # names, such as macro_f1
)


def find_typed_numbers(template: str) -> list[str]:
    """Digits that no value of a run stands behind."""
    expression = re.compile(r"\\(?:VAR|BLOCK)\{((?:[^{}]|\{[^{}]*\})*)\}")
    found = [
        number
        for content in expression.findall(template)
        for number in re.findall(r"\d[\d.,]*", re.sub("|".join(_NO_VALUES), "", content))
    ]
    return found + re.findall(r"\d[\d.,]*", re.sub("|".join(_NO_RESULTS), "", expression.sub("", template)))


def test_no_result_is_typed_into_the_template() -> None:
    assert find_typed_numbers(TEMPLATE) == []


@pytest.mark.parametrize(
    "typed",
    [
        "reached 0.97 on",
        r"is 98\,\% of",
        "of 1797 images",
        "made 5 errors",
        r"\VAR{0.97|fixed(2)}",
        r"\VAR{360|integer}",
        r"\BLOCK{if accuracy > 0.95}",
        r"is $p = 0.012$.",
    ],
)
def test_typed_results_are_found(typed: str) -> None:
    assert find_typed_numbers(TEMPLATE.replace(r"\section{Results}", "\\section{Results}\nIt " + typed))


def test_superiority_is_claimed_under_a_condition_only() -> None:
    claims = [match.start() for match in re.finditer(r"outperforms(?!'')", TEMPLATE)]
    assert claims
    for place in claims:
        before = TEMPLATE[:place]
        assert len(re.findall(r"\\BLOCK\{if ", before)) > len(re.findall(r"\\BLOCK\{endif", before))
