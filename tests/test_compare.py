import json
import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from experiment_repository import ROOT, Repository, Row

from fusionseq.compare import main, read_experiments
from fusionseq.errors import PipelineError
from fusionseq.experiments import Experiment
from fusionseq.pairing import build_report
from fusionseq.paths import Paths

SEEDS = ("0", "1", "2")
NUM_MODELS = 6


def set_parameters(repository: Repository, *edits: tuple[str, str]) -> None:
    text = repository.params.read_text(encoding="utf-8")
    for old, new in edits:
        assert old in text
        text = text.replace(old, new, 1)
    repository.params.write_text(text, encoding="utf-8")


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """Experiments with planted differences. Leave it as it is."""
    repository = Repository(tmp_path_factory.mktemp("experiments"))

    def worsen() -> None:
        repository.turn_wrong("fusion", 12, SEEDS)
        set_parameters(repository, ("units: 256", "units: 16"), ("learning_rate: 2.0e-4", "learning_rate: 1e-05"))

    def exchange() -> None:
        repository.write_rows("fusion", repository.read_rows("sequential"))
        content = repository.read_statistics()
        content["models"]["fusion"]["loss"] = content["models"]["sequential"]["loss"]
        repository.write_statistics(content)

    def drop_models() -> None:
        content = repository.read_statistics()
        content["models"] = {"zoo" if name == "stacked" else name: value for name, value in content["models"].items()}
        del content["models"]["ensemble"]
        repository.write_statistics(content)
        repository.predictions("stacked").rename(repository.predictions("zoo"))

    def reorder() -> None:
        repository.map_rows(lambda row: row)
        for model in repository.models:
            repository.write_rows(model, repository.read_rows(model)[::-1])

    def drop_images(row: Row) -> Row | None:
        return None if row["image"] < "digit-0100.png" else row

    def rename_class(row: Row) -> Row:
        return row | {key: "nine" for key in ("actual", "predicted") if row[key] == "9"}

    def relabel(row: Row) -> Row:
        return row | {"actual": "0"} if row["image"] == "digit-0004.png" else row

    def reclassify() -> None:
        # A class of another name that is predicted alone.
        repository.map_rows(lambda row: row | {"predicted": "ten"} if row["image"] == "digit-0004.png" else row)

    plants = {
        "worse": worsen,
        "one-seed-worse": lambda: repository.turn_wrong("fusion", 12, SEEDS[:1]),
        "exchanged": exchange,
        "other-models": drop_models,
        "reordered": reorder,
        "other-split": lambda: repository.map_rows(drop_images),
        "other-names": lambda: repository.map_rows(rename_class),
        "other-labels": lambda: repository.map_rows(relabel),
        "other-classes": reclassify,
        "other-seeds": lambda: repository.map_rows(lambda row: row | {"seed": str(2 * int(row["seed"]))}),
        "single-seed": lambda: repository.map_rows(lambda row: row if row["seed"] == "0" else None),
    }
    for tag, change in plants.items():
        repository.plant(tag, change)
    return repository


@cache
def read_planted(root: Path, revision: str) -> Experiment:
    (experiment,) = read_experiments(Paths(root), [revision])
    return experiment


def compare_planted(repository: Repository, *revisions: str) -> dict[str, Any]:
    """Compare revisions that no test changes."""
    return build_report([read_planted(repository.root, revision) for revision in revisions])


def build(repository: Repository, *revisions: str) -> dict[str, Any]:
    return build_report(read_experiments(Paths(repository.root), revisions))


def of_model(report: dict[str, Any], model: str, revision: str) -> dict[str, Any]:
    (found,) = (row for row in report["comparisons"] if (row["model"], row["revision"]) == (model, revision))
    return dict(found)


def read_committed() -> dict[str, Any]:
    content: dict[str, Any] = json.loads((ROOT / "reports" / "statistics.json").read_text(encoding="utf-8"))
    return content


def test_means_are_those_of_the_statistics(repository: Repository) -> None:
    report = compare_planted(repository, "base")
    (described,) = report["revisions"]
    assert (described["num_images"], described["seeds"]) == (360, [0, 1, 2])
    for name, of_statistics in read_committed()["models"].items():
        for metric in ("accuracy", "macro_f1", "loss"):
            expected = {key: of_statistics[metric][key] for key in ("mean", "std")}
            assert described["models"][name][metric] == expected
    assert (report["comparisons"], report["left_out"], report["parameters"]) == ([], [], {})


def test_planted_loss_is_shown_and_has_the_sign_of_the_revision(repository: Repository) -> None:
    found = of_model(compare_planted(repository, "base", "worse"), "fusion", "worse")
    assert found["accuracy_difference"]["mean"] == pytest.approx(-12 / 360)
    assert found["accuracy_difference"]["interval"][1] < 0
    assert found["macro_f1_difference"]["mean"] < 0
    assert (found["only_revision"], found["only_baseline"]) == (0, 36)
    # Twelve images, all on one side: both extremes of 2 ** 12 exchanges.
    assert found["p_value"] == pytest.approx(2 / 2**12)
    assert (found["better"], found["verdict"]) == ("base", "shown")


def test_the_other_way_round_is_a_gain(repository: Repository) -> None:
    forth = of_model(compare_planted(repository, "base", "worse"), "fusion", "worse")
    back = of_model(compare_planted(repository, "worse", "base"), "fusion", "base")
    assert back["accuracy_difference"]["mean"] == pytest.approx(12 / 360)
    assert back["accuracy_difference"]["interval"] == pytest.approx(
        [-end for end in forth["accuracy_difference"]["interval"][::-1]]
    )
    assert (back["only_revision"], back["only_baseline"], back["p_value"]) == (36, 0, forth["p_value"])
    assert (back["better"], back["verdict"]) == ("base", "shown")


def test_what_one_seed_alone_says_stays_open(repository: Repository) -> None:
    found = of_model(compare_planted(repository, "base", "one-seed-worse"), "fusion", "one-seed-worse")
    assert found["accuracy_difference"]["mean"] == pytest.approx(-4 / 360)
    # Resamples of the seeds that lack the worse one reach 0.
    assert found["accuracy_difference"]["interval"][1] == 0
    assert found["p_value_corrected"] < 0.05
    assert found["verdict"] == "open"


def test_correction_is_over_all_comparisons_that_are_printed(repository: Repository) -> None:
    of_one, of_two = (
        compare_planted(repository, "base", "worse"),
        compare_planted(repository, "base", "worse", "one-seed-worse"),
    )
    assert len(of_one["comparisons"]) == NUM_MODELS
    assert len(of_two["comparisons"]) == 2 * NUM_MODELS
    for report in (of_one, of_two):
        found = of_model(report, "fusion", "worse")
        assert found["p_value_corrected"] == pytest.approx(len(report["comparisons"]) * found["p_value"])


def test_two_models_as_two_revisions_are_compared_as_the_pipeline_compares_them(repository: Repository) -> None:
    found = of_model(compare_planted(repository, "exchanged", "base"), "fusion", "base")
    expected = read_committed()["comparisons"]["sequential"]
    assert expected["first"] == "fusion"
    assert found["p_value"] == pytest.approx(expected["p_value"])
    for metric in ("accuracy", "macro_f1", "loss"):
        assert found[f"{metric}_difference"]["mean"] == pytest.approx(expected[f"{metric}_difference"]["mean"])
    # Images are drawn in another order here.
    for metric in ("accuracy", "macro_f1"):
        interval = expected[f"{metric}_difference"]["interval"]
        assert found[f"{metric}_difference"]["interval"] == pytest.approx(interval, abs=2e-3)
    assert found["only_revision"] == sum(row["only_first"] for row in expected["per_seed"])
    assert found["only_baseline"] == sum(row["only_second"] for row in expected["per_seed"])


def test_same_predictions_are_equal_in_whatever_order_they_stand(repository: Repository) -> None:
    report = compare_planted(repository, "base", "reordered")
    assert len(report["comparisons"]) == NUM_MODELS
    for row in report["comparisons"]:
        assert (row["only_revision"], row["only_baseline"], row["p_value_corrected"]) == (0, 0, 1)
        assert row["accuracy_difference"] == {"mean": 0, "interval": [0, 0]}
        assert (row["better"], row["verdict"]) == (None, "equal")
    swapped = compare_planted(repository, "worse", "reordered")
    assert of_model(swapped, "fusion", "reordered") | {"revision": "base"} | {"better": "base"} == of_model(
        compare_planted(repository, "worse", "base"), "fusion", "base"
    )


def test_differing_parameters_are_named_with_their_values(repository: Repository) -> None:
    assert compare_planted(repository, "base", "worse")["parameters"] == {
        "head.units": {"base": 256, "worse": 16},
        "training.fine_tuning.learning_rate": {"base": 0.0002, "worse": 0.00001},
    }


@pytest.mark.parametrize(
    ("revision", "reason"),
    [
        (
            "other-split",
            "base and other-split are not paired, since their test images differ (another split or data set): 360 and ",
        ),
        (
            "other-names",
            "base and other-names are not paired, since they differ on the class of 36 of their 360 test images.",
        ),
        (
            "other-labels",
            "base and other-labels are not paired, since they differ on the class of 1 of their 360 test images.",
        ),
        (
            "other-classes",
            "base and other-classes are not paired, since they were trained to tell other classes apart.",
        ),
        (
            "other-seeds",
            "base and other-seeds are not paired, since their training seeds differ: 0, 1, 2 against 0, 2, 4.",
        ),
    ],
)
def test_what_cannot_be_paired_is_left_out_with_a_sentence(repository: Repository, revision: str, reason: str) -> None:
    report = compare_planted(repository, "base", revision, "worse")
    (left_out,) = report["left_out"]
    assert left_out["revision"] == revision
    assert left_out["reason"].startswith(reason)
    # Its metrics are shown, and the other revision is compared all the same.
    assert [row["revision"] for row in report["revisions"]] == ["base", revision, "worse"]
    assert [row["revision"] for row in report["comparisons"]] == ["worse"] * NUM_MODELS


def test_a_model_of_one_revision_alone_is_shown_without_a_comparison(repository: Repository) -> None:
    report = compare_planted(repository, "base", "other-models")
    assert "zoo" in report["revisions"][1]["models"]
    assert [row["model"] for row in report["comparisons"]] == ["fusion", "sequential", "vgg16", "wide_head"]
    assert [row["reason"] for row in report["left_out"]] == [
        "base has stacked, ensemble, and other-models has not.",
        "other-models has zoo, and base has not.",
    ]


def test_one_seed_has_no_deviation_and_is_compared(repository: Repository) -> None:
    repository.git("checkout", "--quiet", "--force", "single-seed")
    repository.turn_wrong("vgg16", 10, SEEDS[:1])
    try:
        report = build(repository, "single-seed", "workspace")
    finally:
        repository.restore()
    assert "std" not in report["revisions"][1]["models"]["vgg16"]["accuracy"]
    assert of_model(report, "vgg16", "workspace")["verdict"] == "shown"


def test_the_working_tree_is_read_as_it_is(repository: Repository) -> None:
    repository.turn_wrong("stacked", 9, SEEDS)
    try:
        report = build(repository, "HEAD", "workspace")
    finally:
        repository.restore()
    assert report["revisions"][0]["commit"] == repository.git("rev-parse", "base")
    assert report["revisions"][1]["commit"] is None
    assert of_model(report, "stacked", "workspace")["only_baseline"] == 27


def test_experiments_and_abbreviations_are_read_by_their_names(repository: Repository) -> None:
    from dvc.repo import Repo

    repository.turn_wrong("fusion", 5, SEEDS)
    with Repo(str(repository.root)) as repo:
        repo.experiments.save(name="brave-idea")
    repository.restore()
    report = build(repository, repository.git("rev-parse", "--short", "base"), "brave-idea", "worse~1")
    assert of_model(report, "fusion", "brave-idea")["only_baseline"] == 15
    assert report["revisions"][2]["commit"] == repository.git("rev-parse", "worse~1")


def refuse(repository: Repository, *revisions: str) -> str:
    with pytest.raises(PipelineError) as caught:
        build(repository, *revisions)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_unknown_revisions_are_refused(repository: Repository) -> None:
    assert refuse(repository, "base", "nowhere").startswith("nowhere is not known; name a Git revision")


def test_a_revision_twice_is_refused(repository: Repository) -> None:
    assert refuse(repository, "base", "worse", "base") == "name each revision once. Got base more than once."


def test_folders_outside_a_repository_are_refused(tmp_path: Path) -> None:
    for revision in ("HEAD", "workspace"):
        with pytest.raises(PipelineError, match=f"^{revision} is not known"):
            read_experiments(Paths(tmp_path), [revision])


def test_revisions_without_git_are_refused(tmp_path: Path) -> None:
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc" / "config").write_text("[core]\n    no_scm = true\n    analytics = false\n")
    with pytest.raises(PipelineError, match=r"^HEAD is not known"):
        read_experiments(Paths(tmp_path), ["HEAD"])


@pytest.mark.parametrize("name", ["params.yaml", "reports/statistics.json", "reports/predictions/vgg16.csv"])
def test_missing_files_are_refused(repository: Repository, name: str) -> None:
    (repository.root / name).unlink()
    try:
        message = refuse(repository, "workspace")
    finally:
        repository.restore()
    assert message.startswith(f"workspace: {name} cannot be read; commit the results")


def test_revisions_without_reports_are_refused(repository: Repository) -> None:
    repository.git("checkout", "--quiet", "--orphan", "bare")
    repository.git("rm", "-r", "--quiet", "--force", "reports")
    repository.git("commit", "--quiet", "--message", "bare")
    repository.restore()
    assert refuse(repository, "bare").startswith("bare: reports/statistics.json cannot be read")


@pytest.mark.parametrize("share", [0.0, 0.3, 0.999])
@pytest.mark.parametrize("name", ["reports/statistics.json", "reports/predictions/vgg16.csv"])
def test_half_written_files_are_refused(repository: Repository, name: str, share: float) -> None:
    path = repository.root / name
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    try:
        message = refuse(repository, "workspace")
    finally:
        repository.restore()
    assert message.startswith(f"workspace: {name} ")
    assert message.endswith("run that experiment anew.")


def test_files_of_different_runs_are_refused(repository: Repository) -> None:
    repository.predictions("fusion").write_bytes(repository.predictions("vgg16").read_bytes())
    try:
        message = refuse(repository, "workspace")
    finally:
        repository.restore()
    assert message.startswith("workspace: statistics.json and the predictions of fusion are not of one run")


def test_a_table_that_ends_with_the_first_seed_is_refused(repository: Repository) -> None:
    path = repository.predictions("fusion")
    path.write_text("".join(path.read_text(encoding="utf-8").splitlines(keepends=True)[: 1 + 360]), encoding="utf-8")
    try:
        message = refuse(repository, "workspace")
    finally:
        repository.restore()
    assert message.startswith("workspace: statistics.json and the predictions of fusion are not of one run")


def test_models_of_different_images_are_refused(repository: Repository) -> None:
    rows = repository.read_rows("vgg16")
    repository.write_rows("vgg16", [row for row in rows if row["image"] != rows[0]["image"]])
    try:
        message = refuse(repository, "workspace")
    finally:
        repository.restore()
    assert message.startswith("workspace: statistics.json and the predictions of vgg16 are not of one run")


def run(
    repository: Repository,
    arguments: Sequence[str],
    monkeypatch: pytest.MonkeyPatch,
    capsysbinary: pytest.CaptureFixture[bytes],
) -> str:
    monkeypatch.chdir(repository.root)
    monkeypatch.setattr(sys, "argv", ["compare", *arguments])
    main()
    return capsysbinary.readouterr().out.decode()


def test_all_three_formats_say_the_same(
    repository: Repository, monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    arguments = ["base", "worse", "other-split"]
    text = run(repository, arguments, monkeypatch, capsysbinary)
    markdown = run(repository, [*arguments, "--format", "markdown"], monkeypatch, capsysbinary)
    content = run(repository, [*arguments, "--format", "json"], monkeypatch, capsysbinary)
    assert json.loads(content) == compare_planted(repository, *arguments)
    # Of the results that this commit holds.
    accuracy = json.loads((ROOT / "reports" / "metrics.json").read_text(encoding="utf-8"))["fusion"]["accuracy"]
    for cells in (
        ("fusion", "base", f"{accuracy['mean']:.4f} ± {accuracy['std']:.4f}"),
        ("fusion", "worse", "-3.33", "36 (0 : 36)", "< 0.001", "0.003", "shown"),
        ("head.units", "256", "16"),
    ):
        for output in (text, markdown):
            lines = [line for line in output.splitlines() if all(cell in line for cell in cells)]
            assert len(lines) == 1, (cells, output)
    assert "test images differ" in text
    assert "test images differ" in markdown
    # The same bytes again.
    assert run(repository, arguments, monkeypatch, capsysbinary) == text


def test_errors_are_one_line_and_a_status(repository: Repository) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "fusionseq.compare", "base", "nowhere"],
        cwd=repository.root, check=False, capture_output=True, text=True, env={"PYTHONPATH": str(ROOT / "src")},
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: nowhere is not known")
    assert len(done.stderr.splitlines()) == 1


def test_markdown_is_the_same_in_any_locale(
    repository: Repository, monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    arguments = ["base", "worse", "--format", "markdown"]
    done = subprocess.run(
        [sys.executable, "-m", "fusionseq.compare", *arguments],
        cwd=repository.root, check=True, capture_output=True,
        env={"PYTHONPATH": str(ROOT / "src"), "PYTHONIOENCODING": "utf-16"},
    )  # fmt: skip
    assert done.stdout.decode("utf-8") == run(repository, arguments, monkeypatch, capsysbinary)
