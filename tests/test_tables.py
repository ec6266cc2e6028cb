from pathlib import Path

import numpy as np
import pytest

from fusionseq.artifacts import Subsets, read_table, write_table
from fusionseq.statistics import Run
from fusionseq.tables import PREDICTION_COLUMNS, tabulate_predictions, tabulate_probabilities

SUBSETS = Subsets(
    class_names=("cat", "dog, wild"),
    names=("a.png", "b.png", "c.png", "d.png"),
    labels=np.array([1, 0, 1, 0]),
    subset=np.array(["test", "train", "test", "test"]),
)
TEST_LABELS = np.array([1, 1, 0])


def make_run(seed: int, probabilities: list[list[float]]) -> Run:
    array = np.array(probabilities, dtype=np.float32)
    return Run(seed, array, array)


def test_predictions_name_test_images_and_classes() -> None:
    runs = [make_run(3, [[0.2, 0.8], [0.6, 0.4], [0.9, 0.1]]), make_run(0, [[0.2, 0.8], [0.1, 0.9], [0.1, 0.9]])]
    assert PREDICTION_COLUMNS == ("image", "seed", "actual", "predicted")
    assert list(tabulate_predictions(SUBSETS, runs)) == [
        ("a.png", 3, "dog, wild", "dog, wild"),
        ("c.png", 3, "dog, wild", "cat"),
        ("d.png", 3, "cat", "cat"),
        ("a.png", 0, "dog, wild", "dog, wild"),
        ("c.png", 0, "dog, wild", "dog, wild"),
        ("d.png", 0, "cat", "dog, wild"),
    ]


def test_probabilities_survive_the_text_exactly(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    names = tuple(f"{row}.png" for row in range(400))
    labels = np.arange(400) % 7
    subsets = Subsets(tuple("abcdefg"), names, labels, np.full(400, "test"))
    logits = rng.normal(size=(400, 7)) * 20
    probabilities = (np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)).astype(np.float32)
    probabilities[0] = [1, 0, np.finfo(np.float32).smallest_subnormal, np.finfo(np.float32).tiny, 0.1, 1 / 3, 1e-7]
    runs = [Run(seed, probabilities, probabilities) for seed in (4, 2)]
    write_table(tmp_path / "p.csv", ("image", "seed", *subsets.class_names), tabulate_probabilities(subsets, runs))
    rows = read_table(tmp_path / "p.csv")
    assert [row["image"] for row in rows] == [*names, *names]
    assert [row["seed"] for row in rows] == ["4"] * 400 + ["2"] * 400
    back = np.array([[row[name] for name in subsets.class_names] for row in rows], dtype=np.float32)
    np.testing.assert_array_equal(back, np.concatenate([probabilities, probabilities]))


def test_probabilities_are_as_short_as_exactness_allows() -> None:
    run = make_run(0, [[0.5, 0.5], [0.1, 0.9], [1.0, 0.0]])
    assert next(tabulate_probabilities(SUBSETS, [run])) == ("a.png", 0, "5e-01", "5e-01")
    assert max(len(str(cell)) for row in tabulate_probabilities(SUBSETS, [run]) for cell in row[2:]) == 5


def test_run_of_another_number_of_images_is_refused() -> None:
    probabilities = np.full((2, 2), 0.5, dtype=np.float32)
    run = Run(0, probabilities, probabilities)
    with pytest.raises(ValueError, match="shorter"):
        list(tabulate_predictions(SUBSETS, [run]))
    with pytest.raises(ValueError, match="shorter"):
        list(tabulate_probabilities(SUBSETS, [run]))
