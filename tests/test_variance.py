import copy
import json
import subprocess
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from numpy.typing import NDArray

from fusionseq.errors import PipelineError
from fusionseq.paths import Paths
from fusionseq.variance import build_variances, compute_variance_components, format_variances, main, read_splits

SOURCE = Path(__file__).parent.parent / "src"
# Accuracy of each seed: one row for each split.
ACCURACY = {
    "fusion": np.array([[0.90, 0.92, 0.94], [0.80, 0.84, 0.82], [0.95, 0.95, 0.98]]),
    "sequential": np.array([[0.88, 0.90, 0.92], [0.79, 0.83, 0.81], [0.90, 0.90, 0.93]]),
}


def make_statistics(split: int, accuracy: dict[str, NDArray[np.float64]] = ACCURACY) -> dict[str, Any]:
    return {
        "seeds": [0, 1, 2],
        "models": {
            name: {
                "per_seed": [{"accuracy": value, "macro_f1": value - 0.01, "loss": 1 - value} for value in rows[split]]
            }
            for name, rows in accuracy.items()
        },
    }


class Repository:
    """A real Git repository with the results of an experiment in each commit."""

    def __init__(self, root: Path, params: dict[str, Any]) -> None:
        self.root = root
        self.params = params
        (root / ".dvc").mkdir()
        (root / ".dvc" / "config").write_text("[core]\n    analytics = false\n")
        self.git("init", "--quiet")
        # In the repository itself, since DVC commits its experiments, too, and a machine may know nobody's name.
        for key, value in (("user.name", "A"), ("user.email", "a@example.org"), ("commit.gpgsign", "false")):
            self.git("config", key, value)
        (root / "reports").mkdir()

    def git(self, *arguments: str) -> None:
        subprocess.run(["git", *arguments], cwd=self.root, check=True, capture_output=True)

    def write(self, split_seed: int, statistics: object, **changes: Any) -> None:
        params = copy.deepcopy(self.params) | changes
        params["split"]["seed"] = split_seed
        (self.root / "params.yaml").write_text(yaml.safe_dump(params))
        (self.root / "reports" / "statistics.json").write_text(json.dumps(statistics))

    def commit(self, tag: str, split_seed: int, statistics: object, **changes: Any) -> None:
        self.write(split_seed, statistics, **changes)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", tag)
        self.git("tag", tag)


@pytest.fixture
def repository(tmp_path: Path, params_content: dict[str, Any]) -> Repository:
    repository = Repository(tmp_path, params_content)
    for split in range(3):
        repository.commit(f"split-{split}", split, make_statistics(split))
    return repository


SPLITS = ("split-0", "split-1", "split-2")


def test_components_by_hand() -> None:
    # Means of the splits: 2, 6, 4, so their variance is 4. Within: 1, 4 and 1, in the mean 2. 4 - 2 / 3 = 10 / 3.
    found = compute_variance_components(np.array([[1.0, 2, 3], [4, 6, 8], [3, 4, 5]]))
    assert found.mean == pytest.approx(4)
    assert found.seed_variance == pytest.approx(2)
    assert found.split_variance == pytest.approx(10 / 3)
    assert not found.is_negative


def test_components_are_those_of_the_analysis_of_variance_table() -> None:
    from scipy.stats import f_oneway

    values = ACCURACY["fusion"]
    found = compute_variance_components(values)
    # F is the mean square between over the one within, which are I * (split) + (seed) and (seed).
    ratio = f_oneway(*values).statistic
    assert 1 + 3 * found.split_variance / found.seed_variance == pytest.approx(ratio)


def test_components_are_those_of_a_mixed_model() -> None:
    import statsmodels.formula.api as smf

    values = ACCURACY["fusion"] * 100
    data = {"value": values.ravel(), "split": np.repeat(np.arange(3), 3)}
    with warnings.catch_warnings():
        # The search for the maximum tries other methods where one does not end.
        warnings.simplefilter("ignore")
        # On equal numbers, restricted maximum likelihood and the method of moments agree where no estimate is negative.
        fitted = smf.mixedlm("value ~ 1", data, groups=data["split"]).fit(reml=True)
    found = compute_variance_components(values)
    assert found.seed_variance == pytest.approx(fitted.scale, rel=1e-3)
    assert found.split_variance == pytest.approx(float(np.asarray(fitted.cov_re)[0, 0]), rel=1e-3)
    assert found.mean == pytest.approx(float(fitted.fe_params.iloc[0]))


def test_negative_estimate_is_zero_and_said_so() -> None:
    found = compute_variance_components(np.array([[1.0, 3], [3, 1]]))
    assert (found.split_variance, found.is_negative) == (0.0, True)
    assert found.seed_variance == pytest.approx(2)


def test_no_spread_at_all_is_no_negative_estimate() -> None:
    found = compute_variance_components(np.full((2, 3), 0.5))
    assert (found.split_variance, found.seed_variance, found.is_negative) == (0.0, 0.0, False)


def test_planted_variances_are_found() -> None:
    generator = np.random.default_rng(0)
    values = generator.normal(scale=2, size=(3000, 1)) + generator.normal(scale=3, size=(3000, 4))
    found = compute_variance_components(values)
    assert found.split_variance == pytest.approx(4, rel=0.1)
    assert found.seed_variance == pytest.approx(9, rel=0.1)


@pytest.mark.parametrize("shape", [(1, 3), (3, 1)])
def test_one_split_or_seed_has_no_variance(shape: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="two splits and two seeds"):
        compute_variance_components(np.zeros(shape))


def test_models_and_differences_are_read_from_commits(repository: Repository) -> None:
    variances = build_variances(read_splits(Paths(repository.root), SPLITS))
    assert (variances["split_seeds"], variances["seeds"]) == ([0, 1, 2], [0, 1, 2])
    assert list(variances["models"]) == ["fusion", "sequential"]
    assert list(variances["differences"]) == ["fusion - sequential"]
    expected = compute_variance_components(ACCURACY["fusion"])
    assert variances["models"]["fusion"]["accuracy"]["split_variance"] == pytest.approx(expected.split_variance)
    # Much of the spread is common to both models: seeds do not change the difference at all.
    difference = variances["differences"]["fusion - sequential"]["accuracy"]
    assert difference["mean"] == pytest.approx(np.mean(ACCURACY["fusion"] - ACCURACY["sequential"]))
    assert difference["seed_variance"] == pytest.approx(0, abs=1e-12)
    assert difference["split_variance"] == pytest.approx(np.var([0.02, 0.01, 0.05], ddof=1))


def test_experiments_are_read_by_their_names(repository: Repository) -> None:
    from dvc.repo import Repo

    (repository.root / "dvc.yaml").write_text("stages: {}\n")
    repository.commit("base", 0, make_statistics(0))
    for split in (1, 2):
        repository.write(split, make_statistics(split))
        with Repo(str(repository.root)) as repo:
            repo.experiments.save(name=f"other-{split}")
    repository.git("checkout", "--quiet", "--force", "base")
    found = read_splits(Paths(repository.root), ("HEAD", "other-1", "other-2"))
    assert [split.split_seed for split in found] == [0, 1, 2]
    assert found[2].values["fusion"]["accuracy"] == ACCURACY["fusion"][2].tolist()


def refuse(repository: Repository, revisions: Sequence[str]) -> str:
    with pytest.raises(PipelineError) as caught:
        read_splits(Paths(repository.root), revisions)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_the_same_split_twice_is_refused(repository: Repository) -> None:
    assert "split-1 and split-1 hold the same split" in refuse(repository, ("split-0", "split-1", "split-1"))


def test_one_revision_is_refused(repository: Repository) -> None:
    assert "two revisions" in refuse(repository, ("split-0",))


def test_other_parameters_are_refused(repository: Repository) -> None:
    repository.commit("larger", 3, make_statistics(0), image_size=64)
    message = refuse(repository, ("split-0", "split-1", "larger"))
    assert "split-0 and larger must differ in split.seed alone" in message
    assert message.endswith("They differ in image_size of params.yaml.")


def test_other_shares_of_a_split_are_refused(repository: Repository) -> None:
    split = repository.params["split"] | {"train": 0.5, "test": 0.3}
    repository.commit("shares", 3, make_statistics(0), split=split)
    assert "They differ in split of params.yaml." in refuse(repository, ("split-0", "shares"))


def test_other_models_and_seeds_are_refused(repository: Repository) -> None:
    repository.commit("fewer", 3, make_statistics(0, {"fusion": ACCURACY["fusion"]}))
    assert "They differ in their models." in refuse(repository, ("split-0", "fewer"))
    repository.commit("seeds", 4, make_statistics(0) | {"seeds": [0, 1, 7]})
    assert "the seeds of statistics.json" in refuse(repository, ("split-0", "seeds"))


def test_one_seed_is_refused(repository: Repository) -> None:
    one = {name: rows[:, :1] for name, rows in ACCURACY.items()}
    for split in range(2):
        repository.commit(f"one-{split}", split, make_statistics(split, one) | {"seeds": [0]})
    assert "seeds must be two at least" in refuse(repository, ("one-0", "one-1"))


def test_unknown_revision_and_foreign_content_are_refused(repository: Repository) -> None:
    assert "nowhere is not known" in refuse(repository, ("split-0", "nowhere"))
    repository.commit("foreign", 3, {"models": {"fusion": []}})
    assert "foreign: statistics.json holds no results" in refuse(repository, ("split-0", "foreign"))
    repository.git("rm", "--quiet", "reports/statistics.json")
    repository.git("commit", "--quiet", "--message", "none")
    assert "HEAD: reports/statistics.json cannot be read" in refuse(repository, ("split-0", "HEAD"))


def test_table_names_models_differences_and_negative_estimates() -> None:
    components = {"mean": 0.95, "split_variance": 0.0004, "seed_variance": 0.0001, "is_negative": False}
    negative = components | {"split_variance": 0.0, "is_negative": True}
    table = format_variances(
        {
            "split_seeds": [0, 1],
            "seeds": [3, 4],
            "models": {"a": {"accuracy": components}},
            "differences": {"a - b": {"accuracy": negative}},
        }
    )
    assert table.splitlines() == [
        "split.seed 0, 1; seeds 3, 4",
        "",
        "a",
        "                 mean   sd, splits   sd, seeds",
        "  accuracy     0.9500       0.0200      0.0100",
        "",
        "a - b",
        "                 mean   sd, splits   sd, seeds",
        "  accuracy     0.9500       0.0000      0.0100  estimate of splits below 0, taken for 0",
    ]


def test_command_prints_a_table_or_json(
    repository: Repository, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(repository.root)
    monkeypatch.setattr(sys, "argv", ["variance", *SPLITS])
    main()
    assert "fusion - sequential" in capsys.readouterr().out
    monkeypatch.setattr(sys, "argv", ["variance", *SPLITS, "--json"])
    main()
    variances = json.loads(capsys.readouterr().out)
    assert variances["models"]["fusion"]["accuracy"]["mean"] == pytest.approx(0.9)


def test_refusal_is_one_line_and_a_status(repository: Repository) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "fusionseq.variance", "split-0", "nowhere"],
        cwd=repository.root, check=False, capture_output=True, text=True, env={"PYTHONPATH": str(SOURCE)},
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.startswith("error: nowhere is not known")
    assert len(done.stderr.splitlines()) == 1
