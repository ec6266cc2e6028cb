import pytest
from page_values import LOCK, OUTPUTS

from fusionseq.page.origins import LockedFile, Origin, find_changed, find_code, find_origins, list_entries


def test_entries_have_their_digests() -> None:
    train, evaluate = list_entries(LOCK)
    assert (train.name, train.command, train.inputs) == ("train_fusion@0", "train", ())
    assert evaluate.command == "one\ntwo"
    assert evaluate.outputs[1] == LockedFile("reports/statistics.json", "1" * 32)


def test_results_are_traced_to_their_stage() -> None:
    origins = find_origins(list_entries(LOCK), OUTPUTS)
    assert origins["reports/history"] == Origin("reports/history", "0" * 32, "evaluate")
    assert origins["reports/history"].anchor == "file-reports-history"


def test_what_no_stage_made_has_no_origin() -> None:
    with pytest.raises(KeyError):
        find_origins(list_entries(LOCK), ["reports/else"])


def test_the_code_is_that_of_the_stage_that_depends_on_all_of_it() -> None:
    entries = list_entries(LOCK)
    assert (find_code(entries, "src"), find_code(entries, "lib")) == ("1" * 32, None)


@pytest.mark.parametrize("lock", [{}, {"stages": {"a": {}}}, {"stages": {"a": {"cmd": "x", "outs": [{}]}}}])
def test_another_lock_is_not_read(lock: dict[str, object]) -> None:
    with pytest.raises(LookupError):
        list_entries(lock)


@pytest.mark.parametrize(
    ("edit", "changed"),
    [
        ({}, None),
        ({"head.units": 16}, "head.units"),
        ({"rate": 1e-4}, "rate"),
        ({"seeds": [0, 1]}, "seeds"),
        ({"unread": 5}, None),
    ],
)
def test_a_parameter_of_another_value_than_in_the_lock_is_named(edit: dict[str, object], changed: str | None) -> None:
    of_file = {"head": {"units": 8}, "rate": "1e-05", "seeds": [0], "augmentation.crop": None}
    lock = {"stages": {"train": {"params": {"params.yaml": of_file}}, "old": {"params": {"params.yaml": {"x": 1}}}}}
    now = {"head.units": 8, "rate": 1e-05, "seeds": [0], "augmentation.crop": None, "unread": 1}
    assert find_changed(lock, ["train", "new"], now | edit) == changed


def test_a_parameter_that_is_gone_is_named() -> None:
    lock = {"stages": {"train": {"params": {"params.yaml": {"units": 8}}}}}
    assert find_changed(lock, ["train"], {}) == "units"
