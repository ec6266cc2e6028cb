import hashlib
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save

from fusionseq.artifacts import (
    Subsets,
    read_array,
    read_bytes,
    read_json,
    read_subsets,
    read_table,
    read_tensors,
    replacing,
    write_json,
    write_subsets,
    write_table,
    write_text,
)
from fusionseq.errors import PipelineError

HARD_TEXTS = (
    "a, b",
    'say "cheese"',
    '"',
    "two\nlines",
    "two\r\nlines",
    "old\rline",
    "naïve 猫 🐈",
    "line\u2028separator",
    "next\x85line",
    "form\x0cfeed",
    " padded ",
    "",
    "'=1+1",
    "tab\there",
    "back\\slash",
)


def list_names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


class InterruptedWriteError(Exception):
    pass


def write_half(path: Path, failure: type[BaseException]) -> None:
    path.write_text("half", encoding="utf-8")
    raise failure


def test_new_content_takes_the_place_of_the_old_only_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "file.txt"
    write_text(path, "old")
    with replacing(path) as temporary:
        temporary.write_text("new", encoding="utf-8")
        assert path.read_text(encoding="utf-8") == "old"
    assert path.read_text(encoding="utf-8") == "new"
    assert list_names(path.parent) == ["file.txt"]


@pytest.mark.parametrize("failure", [InterruptedWriteError, KeyboardInterrupt])
def test_old_content_stays_when_the_block_raises(tmp_path: Path, failure: type[BaseException]) -> None:
    path = tmp_path / "file.txt"
    write_text(path, "old")
    with pytest.raises(failure), replacing(path) as temporary:
        write_half(temporary, failure)
    assert path.read_text(encoding="utf-8") == "old"
    assert list_names(tmp_path) == ["file.txt"]


def test_temporary_keeps_the_suffix_that_keras_asks_for(tmp_path: Path) -> None:
    with replacing(tmp_path / "model.weights.h5") as temporary:
        temporary.touch()
    assert temporary.name.endswith(".weights.h5")
    assert temporary.parent == tmp_path


def test_table_whose_rows_fail_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    write_table(path, ("a",), [(1,)])
    with pytest.raises(ZeroDivisionError):
        write_table(path, ("a",), ((1 / number,) for number in (1, 0)))
    assert path.read_bytes() == b"a\n1\n"
    assert list_names(tmp_path) == ["table.csv"]


def test_text_is_utf8_with_plain_line_feeds(tmp_path: Path) -> None:
    write_text(tmp_path / "file.txt", "naïve\nπ\n")
    assert (tmp_path / "file.txt").read_bytes() == "naïve\nπ\n".encode()


def test_table_has_plain_line_feeds_and_all_digits(tmp_path: Path) -> None:
    write_table(tmp_path / "table.csv", ("x", "y"), [(0.1 + 0.2, "π"), (1e-30, 5)])
    assert (tmp_path / "table.csv").read_bytes() == "x,y\n0.30000000000000004,π\n1e-30,5\n".encode()


@pytest.mark.parametrize("text", HARD_TEXTS)
def test_hard_text_survives_a_table(tmp_path: Path, text: str) -> None:
    write_table(tmp_path / "table.csv", ("name", text + "?"), [(text, "1"), ("plain", text)])
    expected = [{"name": text, text + "?": "1"}, {"name": "plain", text + "?": text}]
    assert read_table(tmp_path / "table.csv") == expected


def test_json_is_indented_in_its_own_order_and_unescaped(tmp_path: Path) -> None:
    content = {"b": [1, 0.1], "a": "naïve\u2028", "none": None}
    write_json(tmp_path / "file.json", content)
    text = (tmp_path / "file.json").read_bytes().decode()
    assert text.startswith('{\n  "b": [\n    1,\n')
    assert text.endswith("}\n")
    assert "naïve" in text
    assert list(read_json(tmp_path / "file.json")) == ["b", "a", "none"]
    assert read_json(tmp_path / "file.json") == content


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_json_refuses_what_is_no_number_and_keeps_the_old_file(tmp_path: Path, number: float) -> None:
    write_json(tmp_path / "file.json", 1)
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(tmp_path / "file.json", {"loss": number})
    assert read_json(tmp_path / "file.json") == 1
    assert list_names(tmp_path) == ["file.json"]


def test_same_values_give_the_same_bytes(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=(7, 3)).astype(np.float32)
    subsets = Subsets(("a", "b"), ("x", "y"), np.array([1, 0]), np.array(["train", "test"]))
    contents = []
    for folder in (tmp_path / "one", tmp_path / "two"):
        write_json(folder / "file.json", {"mean": float(values.mean())})
        write_table(folder / "table.csv", ("a", "b", "c"), values.tolist())
        write_subsets(folder / "subsets.csv", subsets)
        contents.append({name: (folder / name).read_bytes() for name in list_names(folder)})
    assert contents[0] == contents[1]
    assert len(contents[0]) == 3


@pytest.mark.parametrize("read", [read_bytes, read_json, read_table, read_array, read_subsets])
def test_missing_file_is_one_error(tmp_path: Path, read: object) -> None:
    assert callable(read)
    with pytest.raises(PipelineError, match=r"missing\.file does not exist\. Run `dvc repro` to make it\.$"):
        read(tmp_path / "missing.file")


@pytest.mark.parametrize("read", [read_bytes, read_json, read_array])
@pytest.mark.parametrize("name", ["folder", "file.txt/within"])
def test_path_that_is_no_file_is_one_error(tmp_path: Path, read: object, name: str) -> None:
    assert callable(read)
    (tmp_path / "folder").mkdir()
    write_text(tmp_path / "file.txt", "1")
    with pytest.raises(PipelineError):
        read(tmp_path / name)


@pytest.mark.parametrize("content", [b"", b'{"a": ', b"\xff\xfe\x00", b"{'a': 1}"])
def test_damaged_json_is_one_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "file.json").write_bytes(content)
    with pytest.raises(PipelineError, match=r"file\.json is not valid JSON"):
        read_json(tmp_path / "file.json")


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.int64])
def test_array_comes_back_as_a_read_only_map(tmp_path: Path, dtype: type[np.generic]) -> None:
    path = tmp_path / "array.npy"
    np.save(path, np.array([[1, 1, 1], [2, 2, 2]], dtype))
    back = read_array(path)
    assert isinstance(back, np.memmap)
    assert back.dtype == dtype
    assert back.tolist() == [[1, 1, 1], [2, 2, 2]]
    with pytest.raises(ValueError, match="read-only"):
        back[0, 0] = 7


def test_array_of_objects_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "array.npy"
    np.save(path, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(PipelineError, match="is damaged"):
        read_array(path)


@pytest.mark.parametrize("share", [0.0, 0.001, 0.01, 0.1, 0.5, 0.999])
def test_truncated_array_is_one_error(tmp_path: Path, share: float) -> None:
    path = tmp_path / "array.npy"
    np.save(path, np.arange(1000))
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(PipelineError, match=r"array\.npy is damaged: .* Remove it and run `dvc repro`\.") as caught:
        read_array(path)
    assert "\n" not in str(caught.value)


def test_tensors_of_the_expected_digest_are_read(tmp_path: Path) -> None:
    tensors = {"a/kernel": np.arange(6, dtype=np.float16).reshape(2, 3), "b": np.ones(2, np.float16)}
    path = tmp_path / "weights.safetensors"
    path.write_bytes(save(tensors))
    back = read_tensors(path, hashlib.sha256(path.read_bytes()).hexdigest())
    assert back.keys() == tensors.keys()
    for name, values in tensors.items():
        assert back[name].dtype == np.float16
        np.testing.assert_array_equal(back[name], values)


def test_tensors_of_another_digest_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    path.write_bytes(save({"a": np.zeros(2, np.float16)}))
    expected = hashlib.sha256(path.read_bytes()).hexdigest()
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))
    found = hashlib.sha256(bytes(content)).hexdigest()
    with pytest.raises(PipelineError, match=f"sha256 {found}, but .* expects {expected}"):
        read_tensors(path, expected)


def test_subsets_survive_the_file(tmp_path: Path) -> None:
    subsets = Subsets(
        class_names=("naïve, 猫", 'the "second"', "c"),
        names=("b.png", "a,1.png", "c.png", "d.png"),
        labels=np.array([2, 0, 1, 2]),
        subset=np.array(["validation", "train", "test", "train"]),
    )
    write_subsets(tmp_path / "subsets.csv", subsets)
    back = read_subsets(tmp_path / "subsets.csv")
    assert (back.class_names, back.names) == (subsets.class_names, subsets.names)
    assert back.labels.dtype == np.int64
    np.testing.assert_array_equal(back.labels, subsets.labels)
    np.testing.assert_array_equal(back.subset, subsets.subset)
    assert back.rows("train").tolist() == [1, 3]
    assert back.rows("test").tolist() == [2]


def test_subsets_are_readable_by_people(tmp_path: Path) -> None:
    subsets = Subsets(("cat", "dog"), ("x.png",), np.array([1]), np.array(["test"]))
    write_subsets(tmp_path / "subsets.csv", subsets)
    assert (tmp_path / "subsets.csv").read_text(encoding="utf-8") == "image,label,class,subset\nx.png,1,dog,test\n"
