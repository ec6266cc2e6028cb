import math

from page_values import make_history

from fusionseq.page.histories import PANELS, find_boundaries, summarize_history, tabulate_curves


def test_points_are_means_over_the_seeds_that_trained() -> None:
    history = make_history(3, (0, 2))
    # The second seed stops early.
    points = summarize_history({"fusion": [row for row in history if row["epoch"] != "3" or row["seed"] == "0"]})
    of_loss = [point for point in points if point.panel == "loss"]
    assert [(point.epoch, point.low, point.high) for point in of_loss] == [
        (1, 2.0, 2.02), (2, 0.125, 0.145), (3, 2 / 81, 2 / 81),
    ]  # fmt: skip
    assert math.isclose(of_loss[0].mean, 2.01)
    accuracy = next(point for point in points if point.panel == "accuracy")
    assert math.isclose(accuracy.mean, 70), "in per cent"


def test_a_training_that_diverged_has_no_points_where_it_did() -> None:
    history = make_history()
    history[1] |= {"loss": "nan", "validation_loss": "inf"}
    points = summarize_history({"fusion": history})
    assert [point.epoch for point in points if point.panel == "loss"] == [1, 3]
    assert [point.epoch for point in points if point.panel == "accuracy"] == [1, 2, 3]
    table = next(table for table in tabulate_curves(points, ["fusion"]) if table.panel is PANELS[2])
    assert table.rows[1] == (2, [None])


def test_boundaries_are_where_any_seed_begins_to_be_fine_tuned() -> None:
    late = [row | {"phase": "frozen" if row["epoch"] != "3" else "fine-tuning"} for row in make_history()]
    assert find_boundaries({"fusion": make_history(), "zoo": late}) == [1.5, 2.5]


def test_tables_have_a_row_for_each_epoch_and_a_column_for_each_model() -> None:
    points = summarize_history({"fusion": make_history(3), "zoo": make_history(2)})
    tables = tabulate_curves(points, ["fusion", "zoo"])
    assert [table.panel for table in tables] == list(PANELS)
    assert tables[0].rows == [(1, [1.0, 1.0]), (2, [0.5, 0.5]), (3, [1 / 3, None])]
    assert PANELS[0].format(1 / 3) == "0.3333"
