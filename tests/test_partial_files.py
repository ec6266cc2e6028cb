from collections.abc import Iterator
from pathlib import Path

import pytest

from fusionseq.partial_files import PartialFile, Version

URL = "http://files.example/x.h5"
VERSION = Version(URL, '"abc"', 6)


@pytest.fixture
def part(tmp_path: Path) -> PartialFile:
    """Three bytes of six."""
    part = PartialFile(tmp_path / "x.h5")
    part.begin(VERSION)
    part.append([b"ab", b"c"])
    return part


def test_part_is_known_to_the_next_run_and_named_like_the_whole(part: PartialFile, tmp_path: Path) -> None:
    again = PartialFile(tmp_path / "x.h5")
    assert again.size == 3
    assert again.read_version(URL) == VERSION
    assert again.path.suffix == ".h5"
    assert not (tmp_path / "x.h5").exists()


def test_finishing_leaves_the_whole_alone(part: PartialFile, tmp_path: Path) -> None:
    part.append([b"def"])
    part.finish()
    assert [path.name for path in tmp_path.iterdir()] == ["x.h5"]
    assert (tmp_path / "x.h5").read_bytes() == b"abcdef"


def test_beginning_again_forgets_what_was_there(part: PartialFile) -> None:
    part.begin(Version(URL, '"xyz"', None))
    assert part.size == 0
    assert part.read_version(URL) == Version(URL, '"xyz"', None)


def test_version_that_cannot_be_continued_is_not_kept(part: PartialFile, tmp_path: Path) -> None:
    part.begin(None)
    part.append([b"abc"])
    assert part.read_version(URL) is None
    assert [path.name for path in tmp_path.iterdir()] == [part.path.name]


def test_nothing_is_there_at_first_and_after_discarding(part: PartialFile, tmp_path: Path) -> None:
    part.discard()
    assert list(tmp_path.iterdir()) == []
    assert part.size == 0
    assert part.read_version(URL) is None


def test_part_of_another_address_is_not_continued(part: PartialFile) -> None:
    assert part.read_version("http://mirror.example/x.h5") is None


def test_more_than_the_whole_is_not_continued(part: PartialFile) -> None:
    part.append([b"def"])
    assert part.read_version(URL) == VERSION
    part.append([b"g"])
    assert part.read_version(URL) is None


@pytest.mark.parametrize("content", ["", "[1]", '{"url": "http://files.example/x.h5"}', "\x00"])
def test_damaged_version_is_no_version(part: PartialFile, content: str) -> None:
    part.path.with_name(f"{part.path.name}.json").write_text(content, encoding="utf-8")
    assert part.read_version(URL) is None


def test_what_arrived_before_an_interruption_is_kept(part: PartialFile) -> None:
    def arrive() -> Iterator[bytes]:
        yield b"de"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        part.append(arrive())
    assert part.path.read_bytes() == b"abcde"
    assert part.read_version(URL) == VERSION
