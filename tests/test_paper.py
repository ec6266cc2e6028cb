"""What the paper says, by its source and as it is typeset."""

import math
import os
import re
import shutil
import subprocess
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from paper_values import (
    PAPER,
    PUBLISHED,
    SECTIONS,
    SIX_MODELS,
    SIX_P_VALUES,
    TEMPLATE,
    make_statistics,
    make_values,
    write_figures,
)
from pypdf import PdfReader

from fusionseq.reporting import render

ONE_SEED = ({"fusion": [354], "sequential": [340]}, {"sequential": 0.01})


def write(values: dict[str, Any]) -> str:
    """The paper's text, on one line."""
    return " ".join(render(TEMPLATE, values, SECTIONS).split())


def write_paper(statistics: dict[str, Any]) -> str:
    return write(make_values(statistics))


STRANGERS = {"efficientnetv2b0": [350, 351, 349], "a_stranger_to_all": [330, 331, 329]}
EIGHT = (SIX_MODELS | STRANGERS, SIX_P_VALUES | dict.fromkeys(STRANGERS, 0.0005))
TEN_SEEDS = (
    {name: [correct[0] - seed % 3 for seed in range(10)] for name, correct in SIX_MODELS.items()},
    SIX_P_VALUES,
)


def get_section(text: str, title: str) -> str:
    start = text.index(rf"\section{{{title}}}")
    return text[start : text.index(r"\section", start + 1)]


def get_table(text: str, label: str) -> str:
    start = text.index(rf"\label{{{label}}}")
    return text[start : text.index(r"\end{tabular}", start)]


@pytest.mark.parametrize(("correct", "p_values"), [ONE_SEED, (SIX_MODELS, SIX_P_VALUES), EIGHT, TEN_SEEDS])
def test_every_model_is_in_every_table(correct: dict[str, list[int]], p_values: dict[str, float]) -> None:
    text = write_paper(make_statistics(correct, p_values))
    assert get_table(text, "tab:models").count(r"\\") == 2 + len(correct)
    assert get_table(text, "tab:calibration").count(r"\\") == 2 + len(correct)
    assert get_table(text, "tab:paired").count(r"\\") == 2 + len(p_values)
    assert get_table(text, "tab:seeds").count(r"\\") == 2 + len(correct["fusion"])
    num_trained = len(correct) - ("ensemble" in correct)
    assert get_table(text, "tab:parameters").count(r"\\") == 2 + num_trained
    assert get_table(text, "tab:cost").count(r"\\") == 4 + num_trained


def test_claims_stand_in_abstract_results_and_conclusion() -> None:
    values = make_values(make_statistics(SIX_MODELS, SIX_P_VALUES))
    text, claims = write(values), values["claims"]
    abstract = text[text.index(r"\begin{abstract}") : text.index(r"\end{abstract}")]
    places = {
        abstract: ("verdict", "order", "seeds", "attribution"),
        get_section(text, "Conclusion"): ("conclusion", "order", "seeds", "attribution"),
        get_section(text, "Threats to validity"): ("detectable",),
        get_section(text, "Results"): tuple(set(claims) - {"conclusion", "detectable"}),
    }
    for place, names in places.items():
        for name in names:
            assert " ".join(claims[name].sentence.split()) in place, name


def test_rows_hold_what_was_measured() -> None:
    text = write_paper(make_statistics(SIX_MODELS, SIX_P_VALUES, [0.3, 0.01, 0.9]))
    pm = r"${}\pm{}$"
    assert rf"Fusion & 98.24{pm}0.32 & [96.2, 99.2] & 98.23{pm}0.32 & [96.1, 99.3] & 16.1 & 0.197 & 18.1 \\" in text
    # Of the ensemble, the sums of its members; what was not timed is a dash.
    assert rf"Ensemble & 98.06{pm}0.28 & [96.1, 99.1] & 98.05{pm}0.28 & [96.0, 99.2] & 18.7 & 0.225 & 18.1 \\" in text
    assert re.search(r"Wide head & \S+ & \S+ \S+ & \S+ & \S+ \S+ & 2\.59 & 0\.0281 & -- ", text)
    assert (
        r"Sequential & 1.57 & [0.8, 2.4] & 1.57 & [0.8, 2.4] & $0.002$ & $0.012$ & $0.250$ & 0.90 & [0.60, 1.00] & 1 \\"
        in text
    )
    assert rf"VGG16 & 0.0722{pm}0.0028 & 0.0322{pm}0.0028 & 0.0422{pm}0.0028 & 1.20 & 0.0622 & 0.0322 \\" in text
    assert r"1 & 98.61 & [96.61, 99.61] & 96.11 & [94.11, 97.11] & 12 & 3 & $< 0.001$ & $0.010$ \\" in text
    assert "corrected for 15 tests" in text


def test_one_seed_has_no_deviation_and_no_plural() -> None:
    text = write_paper(make_statistics(*ONE_SEED))
    assert r"{}\pm{}" not in text
    for many in ("over the seeds", "with each of", "different seeds", "one seeds", "over seeds", "seeds and images"):
        assert many not in text.replace("nothing can be tested over seeds", "")
    assert "Each model is trained once, with seed 0," in text
    assert "There is a single training of each model" in text


def test_several_seeds_have_a_deviation() -> None:
    text = write_paper(make_statistics(SIX_MODELS, SIX_P_VALUES))
    assert r"0.9824${}\pm{}$0.0032" in text
    assert "Each model is trained with three seeds (0, 1 and 2)." in text
    assert r"its $p$-value cannot be smaller than \num{0.25}" in text


def test_models_are_described_where_they_are_there() -> None:
    two, eight = write_paper(make_statistics(*ONE_SEED)), write_paper(make_statistics(*EIGHT))
    assert r"The sequential model \emph{is} MobileNetV2 alone" in two
    assert "This run has no further models, so that nothing in it separates fusion from capacity." in two
    for sentence in (
        "The second backbone alone, with the same head, cut and training",
        r"the first three blocks of VGG16, from the image to \texttt{block3\_pool}, which stay frozen; a learned "
        "pointwise convolution",
        r"461{,}162 against 461{,}578, a difference of \ensuremath{-}416.",
        "The mean of the probabilities that Sequential and VGG16 give, seed by seed",
        r"\emph{a\_stranger\_to\_all}. In the words of its definition: a\_stranger\_to\_all, a stranger.".replace(
            "}. In", ".} In"
        ),
        r"\paragraph{efficientnetv2b0.} The fusion model outperforms the model efficientnetv2b0",
    ):
        assert sentence not in two
        assert sentence in eight


OFF = "No epoch is selected and no training is stopped early"


@pytest.mark.parametrize(
    ("section", "changes", "mode", "present", "absent"),
    [
        (
            "training",
            {},
            "cached",
            ["Images are not augmented.", "passes the frozen layers once.", OFF, "The rate stays the same throughout"],
            ["stored in half precision", "smoothed", "Weights decay"],
        ),
        (
            "training",
            {
                "augmentation": {
                    "horizontal_flip": True,
                    "rotation": 10.0,
                    "translation": 0.1,
                    "crop": 0.2,
                    "colour": 0.3,
                    "mixup": 0.2,
                }
            },
            "streaming",
            [
                "mirrored, rotated, shifted, cropped, changed in colour and mixed in pairs",
                "at most 10.0 degrees",
                "Images stream through the whole model.",
                r"with parameter \num{0.2}",
            ],
            ["Images are not augmented.", "passes the frozen layers once."],
        ),
        (
            "training",
            {"early_stopping": {"patience": 3}},
            "cached",
            ["has not fallen for three epochs in a row~\\citep{prechelt1998}, and the weights of its epoch with"],
            [OFF],
        ),
        (
            "training",
            {"label_smoothing": 0.1, "weight_decay": 0.01, "learning_rate_schedule": "cosine"},
            "cached",
            [r"a share of 10\% of each is spread evenly", r"Kernels decay at a rate of \num{0.01}", "half a cosine"],
            ["stays the same throughout"],
        ),
        ("features", {"dtype": "float16"}, "cached", ["stored in half precision"], []),
        ("runtime", {"precision": "mixed_bfloat16"}, "cached", [r"mixed precision (\texttt{mixed\_bfloat16})"], []),
        ("runtime", {"deterministic": False}, "cached", ["need not agree"], ["Only deterministic kernels"]),
    ],
)
def test_text_follows_how_the_run_was_carried_out(
    section: str, changes: dict[str, Any], mode: str, present: list[str], absent: list[str]
) -> None:
    values = make_values(make_statistics(*ONE_SEED)) | {"mode": mode}
    values["params"][section] |= changes
    text = write(values)
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
    values = make_values(make_statistics(*ONE_SEED))
    values["params"]["data"] = {"source": origin["source"]}
    values["params"]["split"] |= split
    values["manifest"] = {"origin": origin, "skipped": []}
    values["duplicates"] |= other.pop("duplicates", {})
    text = write(values | other)
    for sentence in present:
        assert sentence in text
    for sentence in absent:
        assert sentence not in text


def test_text_names_the_weights_that_were_downloaded() -> None:
    values = make_values(make_statistics(*ONE_SEED))
    values["params"]["weights"] = {"source": "imagenet", "address": "https://example.org"}
    files = {"mobilenetv2": {"size": 9406464, "sha256": "a" * 64}, "vgg16": {"size": 58889256, "sha256": "b" * 64}}
    values["embedded"] = {"source": "imagenet", "files": files}
    text = write(values)
    assert r"MobileNetV2 & 9.41 MB of weights & \texttt{aaaaaaaaaaaa} \\" in text
    assert r"VGG16 & 58.9 MB of weights & \texttt{bbbbbbbbbbbb} \\" in text
    assert "The weights are those that Keras publishes" in text
    assert "rendered letters" not in text


def test_names_of_classes_are_escaped() -> None:
    text = write_paper(make_statistics(*ONE_SEED))
    assert r"540 (cat \& dog)" in text
    assert r"538 (\texttt{[U+732B]})" in text


def test_words_are_not_joined_where_blocks_end() -> None:
    text = write_paper(make_statistics(SIX_MODELS, SIX_P_VALUES))
    body = text[text.index(r"\maketitle") :]
    names = r"\\begin\{tikzpicture\}.*?\\end\{tikzpicture\}|\\[A-Za-z]+\*?(?:\[[^]]*\])?\{[^}]*\}"
    assert re.findall(r"[a-z][.,;:][A-Za-z]{2,}", re.sub(names, "", body)) == []


def test_source_papers_numbers_are_computed_from_its_own() -> None:
    text = write_paper(make_statistics(*ONE_SEED))
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


def test_threats_are_facts_of_the_run() -> None:
    values = make_values(make_statistics(SIX_MODELS, SIX_P_VALUES))
    values["counts"] |= {"test": [200, 160]}
    values["duplicates"] |= {"groups": 2, "images_in_groups": 5}
    text = get_section(write(values), "Threats to validity")
    assert "there are from nine to 15, depending on the seed." in text.replace("from 9 to", "from nine to")
    assert "The largest class of the test subset has 200 images, the smallest 160." in text
    assert "two groups of duplicates with five images were found" in text
    assert r"no $p$-value below \num{0.25}, whatever the data" in text
    assert "a difference of 1.89 percentage points or more" in text
    assert "should correct anew" in text


@pytest.mark.parametrize(
    ("data", "models", "present"),
    [
        (
            {"source": "digits"},
            (SIX_MODELS, SIX_P_VALUES),
            [
                r"\item[Yes.] \emph{The data can be had.} They are part of scikit-learn",
                r"\item[Yes.] \emph{The number of runs is exact.} 15 trainings: five models, each with three seeds "
                "(0, 1 and 2).",
                r"\item[Yes.] \emph{Central tendency and variation are given.}",
                r"\item[In part.] \emph{Average time, or energy, is given.} The record of the benchmark has times for "
                "three of the five trained models",
                r"\item[In part.] \emph{Dependencies are specified.} Every Python package is locked with its hash, "
                r"digest \texttt{0123456789ab};",
            ],
        ),
        (
            {"source": "imagefolder"},
            ONE_SEED,
            [
                r"\item[No.] \emph{The data can be had.} They are a person's own",
                r"\item[In part.] \emph{Central tendency and variation are given.}",
                r"\emph{The number of runs is exact.} Two trainings: two models, each with one seed (0).",
                "The record of the benchmark has times for all trained models",
            ],
        ),
    ],
)
def test_checklist_is_filled_from_facts(data: dict[str, Any], models: Any, present: list[str]) -> None:
    values = make_values(make_statistics(*models))
    values["params"]["data"] = data
    values["manifest"] = {"origin": FOLDER if data["source"] == "imagefolder" else {"source": "digits"}, "skipped": []}
    text = write(values)
    checklist = text[text.index(r"\label{sec:checklist}") :]
    for answer in present:
        assert answer in checklist


def test_cost_is_counted_in_the_run_and_timed_in_the_record() -> None:
    statistics = make_statistics(SIX_MODELS, SIX_P_VALUES)
    statistics["models"]["fusion"]["operations"] |= {"forward": 1_443_439_872, "frozen_phase": 1_850_368}
    text = get_section(write_paper(statistics), "Cost")
    assert r"Fusion & 1.44 & 0.00185 & 0.202 & 0.0250 & 0.315 & 18.1 & 0.0912 & 3.25 & 1{,}423 \\" in text
    assert r"Stacked & 0.0281 & 0.00133 & 0.0288 & 0.0250 & 0.0450 & -- & -- & -- & -- \\" in text
    assert "Ensemble" not in text
    assert "takes 51.4 times the operations" in text
    assert "measured on 2026-11-22, with 512 images of 96 by 96 pixels in batches of 32" in text
    assert (
        "(Intel(R) Xeon(R) Processor, two cores, two threads; Python 3.11.7, TensorFlow 2.21.0, Keras 3.15.1)" in text
    )
    assert "took a share of 0.26 of the time of the listings of the source paper" in text
    assert "For three seeds, which share that pass, it was 0.21. These times include building graphs." in text
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
    values = make_values(make_statistics(*ONE_SEED))
    values["params"]["image_size"] = image_size
    text = get_section(write(values), "Cost")
    assert expected in text
    assert f"counted for this run, with images of {image_size} by {image_size} pixels" in text


WHOLE = "\n".join((TEMPLATE, *SECTIONS.values()))
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
    r"\\(?:section|subsection|texttt|newlist|setlist)(?:\[[^]]*\])?\{[^}]*\}(?:\{[^}]*\})*",
    r"SHA-256|\b[A-Za-z]+\d+\b",  # names such as VGG16, F1 and MobileNetV2
)
# In expressions: digits to round to, comparisons with small numbers, positions, powers of ten that change a unit.
_NO_VALUES = (
    r"\w+\(\d\)",
    r"(?:==|!=|[<>]=?) [0-2]\b",
    r"\[:?\d+:?\]",
    r"\b1 [-/]",
    r'truncate\(24\)|truncate\(44\)|"truncate", 16, true, "…", 0',
    r"value=0",
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
    assert find_typed_numbers(WHOLE) == []


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
    assert find_typed_numbers(WHOLE.replace(r"\section{Results}", "\\section{Results}\nIt " + typed))


# Words that compare, but for the name of a probability and for a word in quotation marks.
_COMPARATIVES = re.compile(
    r"\b(?:outperform(?:s|ed)?|better|best|worse|worst|higher|lower|superior(?:ity)?|inferior|ahead|beats?|wins?|gains?"
    r"|improve\w*|advantage|significantly)\b(?!'')"
)
# What the source paper claims is told as its claim.
_TOLD = "Their paper reports a clear advantage for fusion"


def find_comparisons(template: str) -> list[str]:
    prose = re.sub(r"%%.*|\\(?:VAR|BLOCK)\{[^}]*\}", "", template)
    return _COMPARATIVES.findall(" ".join(prose.split()).replace(_TOLD, ""))


def test_superiority_is_claimed_by_claims_alone() -> None:
    assert find_comparisons(WHOLE) == []


@pytest.mark.parametrize("claimed", ["Fusion outperforms it.", "It is better.", "with a lower\nloss"])
def test_comparisons_are_found(claimed: str) -> None:
    assert find_comparisons(WHOLE + claimed)


def test_all_references_are_there_once() -> None:
    entries = re.findall(r"^@\w+\{(\w+),", (PAPER / "references.bib").read_text(encoding="utf-8"), re.MULTILINE)
    claims = "".join(
        path.read_text(encoding="utf-8") for path in (PAPER.parent / "src" / "fusionseq").glob("*claims.py")
    )
    cited = {name for names in re.findall(r"\\cite[pt]\{([^}]*)\}", WHOLE + claims) for name in names.split(",")}
    assert entries == sorted(set(entries))
    assert cited == set(entries)


needs_latex = pytest.mark.skipif(shutil.which("latexmk") is None, reason="latexmk is not installed")


def write_source(folder: Path, values: dict[str, Any]) -> Path:
    """The paper's source, with all that it includes beside it."""
    write_figures(folder / "reports" / "figures")
    (folder / "paper").mkdir()
    shutil.copyfile(PAPER / "references.bib", folder / "paper" / "references.bib")
    source = folder / "paper" / "report.tex"
    source.write_text(render(TEMPLATE, values, SECTIONS), encoding="utf-8")
    return source


def read_pdf(path: Path) -> str:
    """Text of a PDF with its white space, the hyphens at ends of lines and its ligatures undone."""
    lines = [line.strip() for page in PdfReader(path).pages for line in page.extract_text().splitlines()]
    text = re.sub(r"(?<=[a-z])-\n(?=[a-z])", "", "\n".join(lines))
    return unicodedata.normalize("NFKC", " ".join(text.split()))


def run_latex(source: Path, *options: str) -> str:
    """Run LaTeX once, which is a fraction of what the whole paper takes, and return what it reports."""
    command = ["pdflatex", *options, "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", source.name]
    environment = os.environ | {"max_print_line": "10000"}
    done = subprocess.run(
        command, cwd=source.parent, env=environment, capture_output=True, text=True, errors="replace", check=False
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def print_once(source: Path) -> str:
    """Text of the paper while its references have no numbers yet; each of them leads somewhere all the same."""
    report = run_latex(source)
    labels = re.findall(r"^\\newlabel\{([^}]*)\}", source.with_suffix(".aux").read_text(), re.MULTILINE)
    entries = re.findall(r"^@\w+\{(\w+),", (source.parent / "references.bib").read_text(), re.MULTILINE)
    references, citations = (set(re.findall(rf"{kind} `([^']*)'", report)) for kind in ("Reference", "Citation"))
    assert references
    assert references <= set(labels)
    assert citations
    assert citations <= set(entries)
    return read_pdf(source.with_suffix(".pdf"))


@needs_latex
@pytest.mark.parametrize(
    ("correct", "p_values", "present", "absent"),
    [
        (
            SIX_MODELS,
            SIX_P_VALUES,
            [
                "The fusion model outperforms the sequential one: its mean test accuracy over three seeds is 98.24% "
                "against 96.67%, a difference of 1.57 percentage points (95% interval from 0.79 to 2.36; p = 0.012, "
                "paired permutation test over images, corrected for five comparisons).",
                "The order of the two is the one that the source paper reports.",
                "Fusion is not shown to be better than VGG16 alone or the ensemble, however. That the gain is owed to "
                "joining features in parallel is thus not shown, nor is it excluded.",
                "raised the accuracy by 1.57 percentage points. It also multiplied the backbone parameters by 7.0.",
            ],
            ["does not show that either", "reverse"],
        ),
        (
            {"fusion": [340, 341, 342], "sequential": [354, 355, 356]},
            {"sequential": 0.004},
            [
                "The sequential model outperforms the fusion one: its mean test accuracy over three seeds is 98.61% "
                "against 94.72%, a difference of 3.89 percentage points (95% interval from 1.94 to 5.83; p = 0.004, "
                "paired permutation test over images).",
                "The order of the two is the reverse of the one that the source paper reports.",
                "MobileNetV2 alone did better by 3.89 percentage points than together with VGG16",
            ],
            ["does not show that either", "The fusion model outperforms"],
        ),
        (
            {"fusion": [340], "sequential": [345]},
            {"sequential": 0.3},
            [
                "This run does not show that either of the two models is better. The test accuracy of the sequential "
                "model is higher, 95.83% against 94.44%, but the evidence falls short: the difference is 1.39 "
                "percentage points (95% interval from −1.00 to 3.78; p = 0.300, exact McNemar test).",
                "the observed difference of 1.39 percentage points in favour of the sequential model could also have "
                "come about by chance. This run does not show that either architecture is better",
            ],
            ["model outperforms the"],
        ),
    ],
)
def test_verdict_is_printed(
    tmp_path: Path, correct: dict[str, list[int]], p_values: dict[str, float], present: list[str], absent: list[str]
) -> None:
    printed = print_once(write_source(tmp_path, make_values(make_statistics(correct, p_values))))
    for sentence in present:
        assert sentence in printed
    for sentence in absent:
        assert sentence not in printed


@needs_latex
@pytest.mark.parametrize("planted", [EIGHT, TEN_SEEDS], ids=["eight models", "ten seeds"])
def test_nothing_is_wider_than_the_text(tmp_path: Path, planted: Any) -> None:
    statistics = make_statistics(*planted)
    if planted is EIGHT:
        statistics["models"]["efficientnetv2b0"]["title"] = "EfficientNetV2B0 alone & with a long title of its own"
    source = write_source(tmp_path, make_values(statistics))
    report = run_latex(source, "-draftmode")
    too_wide = [float(points) for points in re.findall(r"Overfull \\hbox \(([\d.]+)pt too wide\)", report)]
    assert max(too_wide, default=0) <= 1, report
