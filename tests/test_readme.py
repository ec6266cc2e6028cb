import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_readme_is_short() -> None:
    assert len(README.splitlines()) <= 120


STATISTICS = json.loads((ROOT / "reports" / "statistics.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("model", STATISTICS["models"])
def test_results_are_those_of_the_run(model: str) -> None:
    metrics = json.loads((ROOT / "reports" / "metrics.json").read_text(encoding="utf-8"))[model]
    summaries = (metrics[name] for name in ("accuracy", "macro_f1", "loss"))
    cells = [f"{summary['mean']:.4f} ± {summary['std']:.4f}" for summary in summaries]
    models = STATISTICS["models"]
    parameters = sum(models[name]["parameters"]["total"] for name in models[model]["members"] or [model])
    assert f"| {' | '.join([model, *cells, f'{parameters:,}'])} |" in README


def test_what_it_says_of_the_results_holds() -> None:
    comparisons = STATISTICS["comparisons"]
    assert comparisons["sequential"]["better"] == "fusion"
    assert comparisons["vgg16"]["better"] == "vgg16"


def test_every_file_and_target_that_it_names_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = re.findall(r"`?make ([a-z]+)\b", README)
    assert targets
    for target in targets:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    for path in re.findall(r"\]\(([^)]+)\)", README):
        assert (ROOT / path).exists(), path
    for module in re.findall(r"python -m (fusionseq\.\w+)", README):
        assert (ROOT / "src" / Path(*module.split("."))).with_suffix(".py").exists(), module
