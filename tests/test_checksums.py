import json
from pathlib import Path

import pytest

from fusionseq.checksums import Checksums
from fusionseq.errors import PipelineError

ONE, OTHER = "1" * 64, "2" * 64


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the digests are kept."""
    return tmp_path / "checksums.json"


def test_first_digest_is_recorded_and_known_to_others(path: Path) -> None:
    assert Checksums(path).read("a") is None
    Checksums(path).check("a", ONE)
    assert Checksums(path).read("a") == ONE
    assert Checksums(path).read("b") is None


def test_another_digest_is_refused_and_not_recorded(path: Path) -> None:
    Checksums(path).check("a", ONE)
    for hold in (Checksums(path).check, Checksums(path).compare):
        with pytest.raises(PipelineError, match=rf"^a has sha256 {OTHER}, but checksums\.json has {ONE}") as caught:
            hold("a", OTHER)
        assert "\n" not in str(caught.value)
    assert Checksums(path).read("a") == ONE


def test_comparing_records_nothing(path: Path) -> None:
    Checksums(path).compare("a", ONE)
    assert not path.exists()
    Checksums(path).check("a", ONE)
    Checksums(path).compare("a", ONE)
    Checksums(path).compare("b", OTHER)
    assert Checksums(path).read("b") is None


def test_same_digests_are_the_same_bytes_in_whichever_order_they_came(path: Path, tmp_path: Path) -> None:
    for name in ("b", "a", "c"):
        Checksums(path).check(name, ONE)
    other = tmp_path / "other.json"
    for name in ("c", "b", "a"):
        Checksums(other).check(name, ONE)
    assert path.read_bytes() == other.read_bytes()
    assert list(json.loads(path.read_bytes())) == ["a", "b", "c"]


def test_known_file_leaves_the_list_alone(path: Path) -> None:
    # As a person may write it.
    path.write_text(f'{{"b": "{ONE}", "a": "{OTHER}"}}', encoding="utf-8")
    before = path.read_bytes()
    Checksums(path).check("a", OTHER)
    assert path.read_bytes() == before


@pytest.mark.parametrize("content", ["", "<<<<<<< HEAD", "[]", '{"a": 1}', "\x80"])
def test_damaged_list_is_one_line(path: Path, content: str) -> None:
    path.write_bytes(content.encode("latin-1"))
    expected = r"^checksums\.json must map .* `git checkout checksums\.json`\.$"
    with pytest.raises(PipelineError, match=expected):
        Checksums(path).read("a")
    with pytest.raises(PipelineError, match=expected):
        Checksums(path).check("a", ONE)
    assert path.read_bytes() == content.encode("latin-1")


def test_list_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "folder").write_bytes(b"")
    path = tmp_path / "folder" / "checksums.json"
    with pytest.raises(PipelineError, match=rf"^{path} cannot be written: .*permissions"):
        Checksums(path).check("a", ONE)
