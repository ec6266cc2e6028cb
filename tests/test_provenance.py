import os
import shutil
from pathlib import Path

import pytest

from fusionseq.errors import PipelineError
from fusionseq.provenance import compute_digest


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "first"
    (folder / "src" / "inner").mkdir(parents=True)
    (folder / "src" / "a.py").write_bytes(b"a = 1\n")
    (folder / "src" / "inner" / "b.py").write_bytes(b"b = 2\n")
    (folder / "params.yaml").write_bytes(b"seeds: [0]\n")
    return folder


def digest(root: Path) -> str:
    return compute_digest(root, [root / "src", root / "params.yaml"])


def test_digest_is_twelve_hexadecimal_digits(root: Path) -> None:
    assert len(digest(root)) == 12
    assert int(digest(root), 16) >= 0


def test_folder_time_and_order_do_not_count(root: Path) -> None:
    other = root.parent / "elsewhere" / "second"
    shutil.copytree(root, other, copy_function=shutil.copyfile)
    for path in other.rglob("*"):
        os.utime(path, (0, 0))
    assert digest(other) == digest(root)
    assert compute_digest(root, [root / "params.yaml", root / "src", root / "src" / "a.py"]) == digest(root)


@pytest.mark.parametrize("name", ["src/a.py", "src/inner/b.py", "params.yaml"])
def test_flipped_byte_counts(root: Path, name: str) -> None:
    before = digest(root)
    content = bytearray((root / name).read_bytes())
    content[0] ^= 1
    (root / name).write_bytes(content)
    assert digest(root) != before


def test_name_counts(root: Path) -> None:
    before = digest(root)
    (root / "src" / "a.py").rename(root / "src" / "c.py")
    assert digest(root) != before


def test_swapped_contents_count(root: Path) -> None:
    before = digest(root)
    first, second = root / "src" / "a.py", root / "src" / "inner" / "b.py"
    contents = first.read_bytes(), second.read_bytes()
    second.write_bytes(contents[0])
    first.write_bytes(contents[1])
    assert digest(root) != before


def test_new_file_counts_even_if_empty(root: Path) -> None:
    before = digest(root)
    (root / "src" / "inner" / "__init__.py").touch()
    assert digest(root) != before


@pytest.mark.parametrize(
    "name", ["src/__pycache__/a.pyc", "src/inner/__pycache__/b.pyc", "src/fusionseq.egg-info/PKG-INFO"]
)
def test_what_python_leaves_does_not_count(root: Path, name: str) -> None:
    before = digest(root)
    (root / name).parent.mkdir()
    (root / name).write_bytes(b"x")
    assert digest(root) == before


def test_missing_file_is_named(root: Path) -> None:
    with pytest.raises(PipelineError, match=r"requirements\.txt does not exist"):
        compute_digest(root, [root / "requirements.txt"])


def test_empty_folder_is_named(root: Path) -> None:
    (root / "data").mkdir()
    with pytest.raises(PipelineError, match="data holds no file"):
        compute_digest(root, [root / "data"])
