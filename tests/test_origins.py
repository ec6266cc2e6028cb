import hashlib
import json
from dataclasses import replace

import pytest
from page_values import LOCK, OUTPUTS

from fusionseq.page.origins import (
    LockedFile,
    LockEntry,
    Origin,
    find_changed,
    find_code,
    find_origins,
    find_outdated,
    list_entries,
)


def test_entries_have_their_digests() -> None:
    train, evaluate = list_entries(LOCK)
    assert (train.name, train.command, train.inputs) == ("train_fusion@0", "train", ())
    assert evaluate.command == "one\ntwo"
    assert evaluate.outputs[1] == LockedFile("reports/statistics.json", "1" * 32)
    (folder,) = list_entries({"stages": {"a": {"cmd": "x", "outs": [{"path": "b", "md5": "c.dir", "nfiles": 2}]}}})
    assert folder.outputs == (LockedFile("b", "c.dir", 2),)


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


MEMBERS = {"0.dir": {"weights": "a", "live/loss": "b"}, "1.dir": {"weights": "c", "live/loss": "b"}}


def make_entries(read: LockedFile) -> list[LockEntry]:
    """Two models, and a stage that reads something."""
    models = [LockEntry(f"train@{seed}", "x", (), (LockedFile(f"models/{seed}", f"{seed}.dir", 2),)) for seed in (0, 1)]
    return [*models, LockEntry("evaluate", "x", (LockedFile("code", "2"), read), ())]


@pytest.mark.parametrize(
    ("read", "is_outdated"),
    [("0.dir", False), ("old.dir", True)],
)
def test_a_stage_that_read_what_was_made_anew_since_is_named(read: str, is_outdated: bool) -> None:
    entries = make_entries(LockedFile("models/0", read, 2))
    assert find_outdated(entries, ["evaluate"], MEMBERS.get) == (("evaluate", "models/0") if is_outdated else None)
    assert find_outdated(entries, ["figures"], MEMBERS.get) is None


def test_a_folder_of_several_outputs_is_known_by_their_files() -> None:
    listing = [
        {"md5": MEMBERS[f"{seed}.dir"][name], "relpath": f"{seed}/{name}"}
        for seed in (0, 1)
        for name in ("live/loss", "weights")
    ]
    digest = hashlib.md5(json.dumps(listing).encode(), usedforsecurity=False).hexdigest()
    same = LockedFile("models", f"{digest}.dir", 4)
    assert find_outdated(make_entries(same), ["evaluate"], MEMBERS.get) is None
    other = replace(same, md5="old.dir")
    assert find_outdated(make_entries(other), ["evaluate"], MEMBERS.get) == ("evaluate", "models")
    # Nothing can be told where there is more in it, or no list of its files.
    assert find_outdated(make_entries(replace(other, num_files=5)), ["evaluate"], MEMBERS.get) is None
    assert find_outdated(make_entries(other), ["evaluate"], {"0.dir": MEMBERS["0.dir"]}.get) is None
