import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import yaml
from results_repository import ROOT, git, lock_results, make_results_repository, read_lock
from sharded import write_shards

from fusionseq.artifacts import Subsets, read_table, write_subsets
from fusionseq.errors import PipelineError
from fusionseq.page.rendering import render_page
from fusionseq.paths import Paths
from fusionseq.report import collect_values

# A row has its first field alone.
CUT_SUBSETS = b"image,label,class,subset\na,0,x,train\nb"
LIBRARY = "window.vegaEmbed = () => {};"


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The committed results. Leave them as they are."""
    return make_results_repository(tmp_path_factory.mktemp("results") / "a folder <b>")


@pytest.fixture
def copy(repository: Path, tmp_path: Path) -> Path:
    """A copy to spoil."""
    return Path(shutil.copytree(repository, tmp_path / "copy"))


def write_data(root: Path, *, is_of_this_run: bool = True) -> None:
    """Write images and subsets as `preprocess` and `split` would: the test images, and one more."""
    rows = read_table(root / "reports" / "predictions" / "fusion.csv")[:360]
    names = [row["image"] for row in rows]
    if not is_of_this_run:
        names.reverse()
    labels = np.array([int(row["actual"]) for row in rows] + [0])
    subset = np.array(["test"] * 360 + ["train"])
    classes = tuple(map(str, range(10)))
    write_subsets(Paths(root).subsets, Subsets(classes, (*names, "other.png"), labels, subset))
    write_shards(Paths(root).processed, np.arange(361 * 4 * 4 * 3, dtype=np.uint8).reshape(361, 4, 4, 3), 100, 340)


def test_the_page_holds_the_committed_results_and_where_they_come_from(repository: Path) -> None:
    values = collect_values(Paths(repository))
    page = render_page(values, LIBRARY)
    statistics = json.loads((repository / "reports" / "statistics.json").read_text(encoding="utf-8"))
    for model in statistics["models"].values():
        assert f"{100 * model['accuracy']['mean']:.2f}%" in page
        assert f"{100 * model['macro_f1']['mean']:.2f}%" in page
        for seed in model["per_seed"]:
            low, high = (f"{100 * end:.2f}%" for end in seed["macro_f1_interval"])
            assert f"{low} to {high}" in page
    assert values["answers"]["verdict"].details[-30:] in page
    for stage, outputs in read_lock(repository).items():
        assert f"<code>{stage}</code>" in page
        assert all(digest in page for path, digest in outputs.items() if path.startswith("reports/"))
    assert git(repository, "rev-parse", "HEAD") in page
    assert page.count('<img src="data:image/png') == len(list((ROOT / "reports" / "figures").glob("*.png")))
    assert 'data-model="ensemble"' not in page, "nothing is trained for it"
    assert "resamples</th><td><code>2000</code>" in page
    assert "this checkout does not hold" in page, "data/ is not there"


def test_the_same_results_give_the_same_bytes_anywhere_and_no_trace_of_the_place(repository: Path, copy: Path) -> None:
    one, other = (render_page(collect_values(Paths(root)), LIBRARY) for root in (repository, copy))
    assert one == other
    assert not [part for part in (*repository.parts[1:], os.uname().nodename) if len(part) > 6 and part in one]


def test_images_of_the_errors_are_shown_where_they_are(copy: Path) -> None:
    write_data(copy)
    values = collect_values(Paths(copy))
    assert len(values["errors"]) == 8
    assert all(error["source"] for error in values["errors"])
    assert "this checkout does not hold" not in render_page(values, LIBRARY)


def test_images_of_another_run_are_not_shown(copy: Path) -> None:
    write_data(copy, is_of_this_run=False)
    with pytest.raises(PipelineError, match=r"subsets\.csv is not of the run .*`make reproduce`"):
        collect_values(Paths(copy))


@pytest.mark.parametrize(
    "content", [b"", b"image,label,class,subset\na,x,b,test\n", b"\xff\xfe", b"image,la", CUT_SUBSETS]
)
def test_damaged_subsets_are_one_line(copy: Path, content: bytes) -> None:
    write_data(copy)
    Paths(copy).subsets.write_bytes(content)
    with pytest.raises(PipelineError, match=r"^data/splits/subsets\.csv is .*`make reproduce`\.$"):
        collect_values(Paths(copy))


def test_the_graph_is_that_of_dvc(repository: Path) -> None:
    values = collect_values(Paths(repository))
    assert values["needs"] == {"evaluate": ["split"], "figures": ["evaluate"], "split": [], "train": ["split"]}
    assert {stage.name: stage.num_items for stage in values["stages"]}["train"] == 2
    assert values["descriptions"]["evaluate"] == "Evaluate <every> model"


def test_results_that_are_not_committed_have_no_commit(copy: Path) -> None:
    (copy / "reports" / "metrics.json").write_text("{}\n")
    lock_results(copy)
    assert collect_values(Paths(copy))["commit"] is None
    shutil.rmtree(copy / ".git")
    (copy / ".dvc" / "config").write_text("[core]\n    no_scm = true\n    analytics = false\n")
    assert collect_values(Paths(copy))["commit"] is None


def test_the_commit_is_told_of_a_signed_one_too(copy: Path) -> None:
    header, blank, message = git(copy, "cat-file", "commit", "HEAD").partition("\n\n")
    signature = "gpgsig -----BEGIN PGP SIGNATURE-----\n \n x\n -----END PGP SIGNATURE-----"
    (copy.parent / "signed").write_text(f"{header}\n{signature}{blank}{message}\n")
    commit = git(copy, "hash-object", "-t", "commit", "-w", str(copy.parent / "signed"))
    git(copy, "update-ref", "HEAD", commit)
    program = copy.parent / "gpg"
    program.write_text("#!/bin/sh\necho 'gpg: Signature made today' >&2\n")
    program.chmod(0o755)
    git(copy, "config", "gpg.program", str(program))
    git(copy, "config", "log.showSignature", "true")
    assert "Signature made" in git(copy, "log", "-1", "--format=%H")
    assert collect_values(Paths(copy))["commit"] == commit


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-200])


def edit(root: Path, change: Callable[[dict[str, object]], object]) -> None:
    """Change statistics.json, as another version of the program would have written it."""
    path = root / "reports" / "statistics.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    change(content)
    path.write_text(json.dumps(content), encoding="utf-8")
    lock_results(root)


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (lambda root: (root / "reports/statistics.json").unlink(), r"reports/statistics\.json does not exist"),
        (lambda root: shutil.rmtree(root / "reports/figures"), "reports/figures does not exist"),
        (lambda root: cut(root / "reports/statistics.json"), r"reports/statistics\.json is not as dvc\.lock has it"),
        (lambda root: cut(root / "reports/history/fusion.csv"), r"reports/history/fusion\.csv is not as dvc\.lock"),
        (lambda root: (root / "dvc.lock").unlink(), r"has no digest in dvc\.lock"),
        (
            lambda root: edit(root, lambda content: content.pop("comparisons")),
            "no results of this version.*comparisons",
        ),
        (
            lambda root: edit(root, lambda content: content.pop("wanted_power")),
            r"reports/statistics\.json holds no results of this version of the program \(.*finite number",
        ),
    ],
    ids=["missing", "no figures", "half", "half a table", "no lock", "older", "lacks what a claim needs"],
)
def test_results_that_cannot_be_shown_are_one_line(copy: Path, spoil: Callable[[Path], object], expected: str) -> None:
    spoil(copy)
    with pytest.raises(PipelineError, match=f"{expected}.*`make reproduce`") as caught:
        collect_values(Paths(copy))
    assert "\n" not in str(caught.value)


def test_tables_of_another_run_are_one_line(copy: Path) -> None:
    path = copy / "reports" / "probabilities" / "fusion.csv"
    path.write_text(path.read_text(encoding="utf-8").replace(",9\n", "\n", 1), encoding="utf-8")
    lock_results(copy)
    with pytest.raises(PipelineError, match=r"fusion\.csv and reports/statistics\.json are not of one run.*`make repr"):
        collect_values(Paths(copy))


def test_results_of_other_parameters_are_not_shown(copy: Path) -> None:
    params = copy / "params.yaml"
    text = params.read_text(encoding="utf-8")
    assert "seeds: [0, 1, 2]" in text
    params.write_text(text.replace("seeds: [0, 1, 2]", "seeds: [0, 1]"), encoding="utf-8")
    with pytest.raises(PipelineError, match=r"^the results are of another value of seeds .*`make reproduce`\.$"):
        collect_values(Paths(copy))


def make_again(root: Path, stages: Sequence[str]) -> None:
    """Have dvc.lock hold what lies there, but for the stages that have not run since."""
    path = root / "dvc.lock"
    before = yaml.safe_load(path.read_text(encoding="utf-8"))["stages"]
    lock_results(root)
    lock = yaml.safe_load(path.read_text(encoding="utf-8"))
    lock["stages"] |= {stage: before[stage] for stage in stages}
    path.write_text(yaml.safe_dump(lock), encoding="utf-8")


def test_results_from_before_the_last_split_are_not_shown(copy: Path) -> None:
    (copy / "data" / "splits" / "note.txt").write_text("another")
    make_again(copy, ["evaluate"])
    with pytest.raises(PipelineError, match=r"^evaluate ran before data/splits was last made; run `make reproduce`\.$"):
        collect_values(Paths(copy))


def test_figures_of_earlier_results_are_not_shown(copy: Path) -> None:
    path = copy / "reports" / "statistics.json"
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8"))), encoding="utf-8")
    make_again(copy, ["figures"])
    with pytest.raises(
        PipelineError, match=r"^figures ran before reports/statistics\.json was last made; .*reproduce`\."
    ):
        collect_values(Paths(copy))


def test_results_of_earlier_models_are_not_shown(copy: Path) -> None:
    definition = copy / "dvc.yaml"
    content = yaml.safe_load(definition.read_text(encoding="utf-8"))
    content["stages"]["train"]["outs"] = ["data/models/fusion/${item.seed}"]
    content["stages"]["evaluate"]["deps"].append("data/models")
    definition.write_text(yaml.safe_dump(content), encoding="utf-8")
    models = [copy / "data" / "models" / "fusion" / seed for seed in "01"]
    for model in models:
        (model / "live").mkdir(parents=True)
        (model / "live" / "loss.tsv").write_text("1")
        (model / "weights").write_text(model.name)
    lock_results(copy)
    assert collect_values(Paths(copy))["entries"]
    (models[1] / "weights").write_text("2")
    make_again(copy, ["evaluate"])
    with pytest.raises(PipelineError, match=r"^evaluate ran before data/models was last made; run `make reproduce`\.$"):
        collect_values(Paths(copy))
    # A clone that has the results alone cannot tell.
    shutil.rmtree(copy / ".dvc" / "cache")
    assert collect_values(Paths(copy))["entries"]


def test_without_a_stage_that_makes_results_it_is_one_line(copy: Path) -> None:
    (copy / "dvc.yaml").write_text("stages: {}\n")
    with pytest.raises(PipelineError, match=r"no stage of dvc\.yaml makes reports/statistics\.json"):
        collect_values(Paths(copy))


def test_the_command_says_one_line_and_ends_with_1(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "fusionseq.report"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: DVC cannot read a pipeline here")
    assert done.stderr.count("\n") == 1


def test_it_starts_in_a_moment_and_without_keras() -> None:
    code = (
        "import sys, time; import fusionseq.report, fusionseq.page.sheets, fusionseq.plotting.style; "
        "assert not {'keras', 'tensorflow', 'dvc', 'vl_convert'} & set(sys.modules); print(time.process_time())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, env={"PYTHONPATH": str(ROOT / "src")}
    )
    assert float(done.stdout) < 2
