"""All that DVC's users do with experiments, on this project: every stage is real, on a dozen images of 32 pixels."""

import json
import re
import shutil
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from dvc_session import SEED, Clone, make_clone, open_session

from fusionseq.artifacts import read_json

pytestmark = pytest.mark.skipif(shutil.which("latexmk") is None, reason="latexmk is not installed")

SEQUENTIAL = f"train_sequential@{SEED}"
UP_TO_DATE = "Data and pipelines are up to date."
BAD_VALUE = "error: params.yaml: split.train: Input should be a valid number, unable to parse string as a number. Got"
DEADLINE_S = 1800


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory, runtime: None) -> Iterator[Clone]:
    """The project, reproduced and committed."""
    folder = tmp_path_factory.mktemp("walk")
    with open_session(folder) as session:
        clone = make_clone(folder / "a place with spaces", session)
        yield clone
        # No worker outlives its queue's folder.
        clone.dvc("queue", "stop", "--kill")


@pytest.fixture(scope="module")
def colleague(clone: Clone) -> Clone:
    """Another clone: Git goes through a bare repository, DVC through a folder, and no data is there yet."""
    folder = clone.root.parent
    clone.git("clone", "--quiet", "--bare", str(clone.root), str(folder / "origin.git"))
    clone.git("remote", "add", "origin", str(folder / "origin.git"))
    clone.git("clone", "--quiet", str(folder / "origin.git"), str(folder / "colleague"))
    colleague = Clone(folder / "colleague", clone.session)
    colleague.name_author()
    for one in (clone, colleague):
        one.dvc("remote", "add", "--local", "--default", "shared", str(folder / "shared"))
    clone.dvc("push")
    return colleague


# The tests run in this order, each in the workspace as the last commit has it.


def test_nothing_is_left_to_do(clone: Clone) -> None:
    assert clone.dvc("status").strip() == UP_TO_DATE
    assert clone.dvc("repro").splitlines()[-1] == UP_TO_DATE
    assert clone.changes == []


def test_the_graph_is_the_pipeline(clone: Clone) -> None:
    edges = set(re.findall(r'"(.+)" -> "(.+)";', clone.dvc("dag", "--dot")))
    stages = ("fetch", "preprocess", "split", SEQUENTIAL, "evaluate", "figures", "paper")
    assert edges >= set(pairwise(stages))
    assert edges >= {("backbones", "features"), ("features", SEQUENTIAL), ("features", f"train_fusion@{SEED}")}
    drawn = clone.dvc("dag", "figures")
    assert "| evaluate |" in drawn
    assert "paper" not in drawn


def test_an_experiment_in_the_workspace_changes_what_it_computes(clone: Clone) -> None:
    subsets = clone.root / "data" / "splits" / "subsets.csv"
    before = subsets.read_bytes()
    output = clone.dvc("exp", "run", "--name", "shuffled", "--set-param", "split.seed=5", "split")
    assert re.findall(r"Running stage '(.+)'", output) == ["split"]
    assert subsets.read_bytes() != before
    # No file is new, nothing is in the index, and what else stands in params.yaml is as it was written.
    assert clone.changes == [" M dvc.lock", " M params.yaml"]
    assert re.findall(r"^[+-] .*", clone.git("diff", "params.yaml"), re.MULTILINE) == ["-  seed: 0", "+  seed: 5"]
    clone.restore()
    assert subsets.read_bytes() == before


def test_a_change_by_hand_is_saved_as_an_experiment(clone: Clone) -> None:
    path = clone.root / "params.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("confidence: 0.95", "confidence: 0.9"), encoding="utf-8")
    clone.dvc("exp", "save", "--name", "by-hand")
    assert find_experiments(clone)["by-hand"]["params"]["params.yaml"]["data"]["statistics"]["confidence"] == 0.9
    clone.restore()


def find_experiments(clone: Clone) -> dict[str, Any]:
    """Read the table of experiments: what it says of each, by name."""
    table = clone.read_json("exp", "show", "--json", "--hide-failed", "--hide-queued")
    workspace, head = table
    assert (workspace["rev"], head["name"]) == ("workspace", "main")
    return {experiment["name"]: experiment["revs"][0]["data"] for experiment in head["experiments"] or ()}


def test_an_experiment_in_a_temporary_folder_leaves_the_workspace_alone(clone: Clone) -> None:
    # A list is a value, where values with commas between them would be two experiments.
    change = "ensemble=[fusion,sequential]"
    output = clone.dvc("exp", "run", "--temp", "--name", "together", "--set-param", change, "evaluate")
    assert re.findall(r"Running stage '(.+)'", output) == ["evaluate"]
    assert clone.changes == []
    found = find_experiments(clone)["together"]
    assert found["params"]["params.yaml"]["data"]["ensemble"] == ["fusion", "sequential"]
    metrics = found["metrics"]["reports/metrics.json"]["data"]
    assert set(metrics) == {"fusion", "sequential", "ensemble"}
    assert 0 <= metrics["ensemble"]["accuracy"]["mean"] <= 1


def test_experiments_are_compared(clone: Clone) -> None:
    # DVC compares lists as text.
    change = {"ensemble": {"old": "[]", "new": "['fusion', 'sequential']"}}
    assert clone.read_json("params", "diff", "--json", "HEAD", "together") == {"params.yaml": change}
    of_metrics = clone.read_json("metrics", "diff", "--json", "HEAD", "together")["reports/metrics.json"]
    assert {name.split(".")[0] for name in of_metrics} == {"ensemble"}
    assert clone.read_json("exp", "diff", "--json", "HEAD", "together") == {
        "metrics": {"reports/metrics.json": of_metrics},
        "params": {"params.yaml": change},
    }
    shown = clone.read_json("metrics", "show", "--json")[""]["data"]["reports/metrics.json"]["data"]
    assert shown == read_json(clone.root / "reports" / "metrics.json")


def count_points(plot: dict[str, Any]) -> dict[str, int]:
    """Count what a plot draws of each revision."""
    revisions = [point["rev"] for point in plot["data"]["values"]]
    return {revision: revisions.count(revision) for revision in sorted(set(revisions))}


def test_plots_hold_the_data(clone: Clone) -> None:
    data = clone.read_json("plots", "diff", "--json", "HEAD", "together")["data"]
    # A confusion matrix of the test images, and curves of two epochs of training and validation.
    confusion, curves = "reports/predictions/fusion.csv", f"Loss of fusion, seed {SEED}"
    for name, number in ((confusion, 3), (curves, 4)):
        counts: dict[str, int] = {}
        for plot in data[name]:
            counts |= count_points(plot["content"])
        assert counts == {"HEAD": number, "together": number}
    clone.dvc("plots", "show", "--out", "../plots")
    page = (clone.root.parent / "plots" / "index.html").read_text(encoding="utf-8")
    drawn = [json.loads(text) for text in re.findall(r"var spec = (\{.*\});$", page, re.MULTILINE)]
    assert len(drawn) == len(data)
    assert all(count_points(plot)["workspace"] for plot in drawn)
    assert clone.changes == []


def test_a_bad_value_is_one_line(clone: Clone) -> None:
    before = set(find_experiments(clone))
    output = clone.fail("exp", "run", "--set-param", "split.train=abc", "split")
    assert f"{BAD_VALUE} 'abc'.\n" in output
    assert "exited with 1" in output
    # DVC leaves the value where it was asked to put it, and has taken away the outputs of the stage that failed.
    assert clone.changes == [" M params.yaml"]
    assert not (clone.root / "data" / "splits").exists()
    assert set(find_experiments(clone)) == before
    clone.restore()
    assert clone.dvc("status").strip() == UP_TO_DATE


def test_an_unknown_key_is_refused(clone: Clone) -> None:
    output = clone.fail("exp", "run", "--set-param", "head.dropot=0.1")
    assert "Key 'dropot' is not in struct" in output
    assert clone.changes == []
    # DVC takes it where it is told to add one; the first stage that runs does not.
    output = clone.fail("exp", "run", "--temp", "--set-param", "+dropot=0.1")
    assert re.findall(r"Running stage '(.+)'", output) == ["paper"]
    assert re.search(r"^error: params\.yaml: dropot is not a parameter", output, re.MULTILINE)
    assert clone.changes == []


def test_two_workers_work_a_queue_off_with_its_own_code(clone: Clone) -> None:
    stage = clone.root / "src" / "fusionseq" / "stages" / "split.py"
    original = stage.read_text(encoding="utf-8")
    stage.write_text(original.replace('"split: %d', '"split as it was queued: %d'), encoding="utf-8")
    queue = ("exp", "run", "--queue", "--set-param")
    grid, of_range = (
        re.findall(r"Queued experiment '(.+)'", clone.dvc(*queue, change, "split"))
        for change in ("split.near_duplicates=4,abc", "split.seed=range(1,4)")
    )
    clone.dvc(*queue, "head.dropout=0.00001", "--name", "small", SEQUENTIAL)
    assert read_queue(clone) == dict.fromkeys([*grid, *of_range, "small"], "Queued")
    clone.dvc("queue", "remove", *of_range[1:])
    queued = [*grid, of_range[0], "small"]
    assert read_queue(clone) == dict.fromkeys(queued, "Queued")
    stage.write_text(original.replace('"split: %d', '"split as it is now: %d'), encoding="utf-8")

    assert "Started '2' new experiments task queue workers." in clone.dvc("queue", "start", "--jobs", "2")
    wait_for_queue(clone, set(queued) - {grid[1]})
    assert read_queue(clone) == dict.fromkeys(queued, "Success") | {grid[1]: "Failed"}

    for name in (grid[0], of_range[0]):
        log = clone.dvc("queue", "logs", name)
        assert "split as it was queued: 6 train" in log
        assert "split as it is now" not in log
    log = clone.dvc("queue", "logs", grid[1])
    assert re.search(r"^error: params\.yaml: split\.near_duplicates: .* Got 'abc'\.$", log, re.MULTILINE)
    assert clone.changes == [" M src/fusionseq/stages/split.py"]
    stage.write_text(original, encoding="utf-8")
    found = {name: data["params"]["params.yaml"]["data"] for name, data in find_experiments(clone).items()}
    assert found[grid[0]]["split"]["near_duplicates"] == 4
    assert found[of_range[0]]["split"]["seed"] == 1
    assert not {*of_range[1:], grid[1]} & set(found)


def read_queue(clone: Clone) -> dict[str, str]:
    """Read the state of each experiment of the queue, by name."""
    # Whatever its exit status: behind this table, DVC sometimes reads the answer of a worker before that is written.
    _, output = clone.session.run(clone.root, ("queue", "status"))
    lines = [line.split() for line in output.splitlines() if re.match(r"[0-9a-f]{7} ", line)]
    assert lines, output
    return {line[1]: line[-1] for line in lines}


def wait_for_queue(clone: Clone, results: set[str]) -> None:
    """Wait until every experiment of the queue has ended, well or not; those that end well have a reference in Git."""
    end = time.monotonic() + DEADLINE_S
    # Git answers for nothing, and DVC only in a second.
    while not results <= set(re.findall(r"refs/exps/.*/(.+)", clone.git("for-each-ref", "refs/exps"))):
        assert time.monotonic() < end, clone.session.run(clone.root, ("queue", "status"))
        time.sleep(0.5)
    while {"Queued", "Running"} & set(read_queue(clone).values()):
        assert time.monotonic() < end
        time.sleep(0.5)


def model_folder(clone: Clone) -> Path:
    return clone.root / "data" / "models" / "sequential" / str(SEED)


def test_a_small_number_is_a_number_to_every_stage(clone: Clone) -> None:
    """DVC writes 1e-05, which YAML 1.1 reads as text."""
    clone.dvc("exp", "apply", "small")
    assert "dropout: 1e-05\n" in (clone.root / "params.yaml").read_text(encoding="utf-8")
    assert read_json(model_folder(clone) / "model.json")["dropout"] == 0.00001
    # The code goes with it, as of when it was queued.
    assert "split as it was queued" in (clone.root / "src" / "fusionseq" / "stages" / "split.py").read_text("utf-8")
    clone.restore()


def test_an_experiment_becomes_a_branch(clone: Clone) -> None:
    clone.dvc("exp", "branch", "shuffled", "kept")
    assert "  seed: 5\n" in clone.git("show", "kept:params.yaml")
    assert clone.git("rev-parse", "--abbrev-ref", "HEAD").strip() == "main"
    assert clone.git("merge-base", "main", "kept") == clone.git("rev-parse", "main")


def test_a_clone_without_data_has_nothing_to_run(colleague: Clone) -> None:
    assert not (colleague.root / "data").exists()
    output = colleague.dvc("repro", "--pull", "--allow-missing")
    assert "Running stage" not in output
    assert colleague.changes == []
    colleague.dvc("pull")
    assert colleague.dvc("status").strip() == UP_TO_DATE
    assert colleague.changes == []


def test_an_experiment_goes_to_a_colleague(clone: Clone, colleague: Clone) -> None:
    clone.dvc("exp", "push", "origin", "small", "together")
    assert set(colleague.dvc("exp", "list", "--name-only", "origin").split()) == {"small", "together"}
    colleague.dvc("exp", "pull", "origin", "small")
    assert set(find_experiments(colleague)) == {"small"}
    colleague.dvc("exp", "apply", "small")
    # The weights came through the folder, and are those that its lock names.
    assert read_json(model_folder(colleague) / "model.json")["dropout"] == 0.00001
    assert colleague.dvc("status", SEQUENTIAL).strip() == UP_TO_DATE


def test_experiments_are_removed(clone: Clone) -> None:
    clone.dvc("exp", "remove", "shuffled")
    assert "shuffled" not in find_experiments(clone)
    clone.dvc("queue", "remove", "--failed")
    assert set(read_queue(clone).values()) == {"Success"}
    clone.dvc("exp", "remove", "--all-commits")
    assert find_experiments(clone) == {}
    # The branch is the person's own.
    assert clone.git("rev-parse", "--verify", "kept")
    assert clone.dvc("status").strip() == UP_TO_DATE
    assert clone.changes == []
