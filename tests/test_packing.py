import io
import subprocess
import tarfile
from pathlib import Path

import pytest

from fusionseq.errors import PipelineError
from fusionseq.packing import compress, format_checksums, list_names, make_archive, read_archive

FILES = {"b.txt": b"two", "a/deep/c.bin": bytes(range(256)), "a.txt": b""}


def test_an_archive_depends_on_names_contents_and_time_alone() -> None:
    archive = make_archive(FILES, 10**9)
    assert archive == make_archive(dict(reversed(FILES.items())), 10**9)
    assert read_archive(archive, "") == FILES
    with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
        members = opened.getmembers()
    assert [member.name for member in members] == sorted(FILES)
    assert {(m.uid, m.gid, m.uname, m.gname, m.mtime, m.mode) for m in members} == {(0, 0, "", "", 10**9, 0o644)}


def test_tar_reads_the_archive(tmp_path: Path) -> None:
    (tmp_path / "archive.tar.gz").write_bytes(compress(make_archive(FILES, 0)))
    subprocess.run(["tar", "-xzf", "archive.tar.gz"], cwd=tmp_path, check=True)
    (tmp_path / "archive.tar.gz").unlink()
    found = {path.relative_to(tmp_path).as_posix(): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert found == FILES


def test_compressed_bytes_hold_no_name_and_no_time() -> None:
    # Magic number, deflate, no flags, time 0, best compression, system unknown.
    assert compress(b"x")[:10] == b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff"


def test_the_prefix_is_taken_off() -> None:
    archive = make_archive({f"name-1/{name}": content for name, content in FILES.items()}, 0)
    assert read_archive(archive, "name-1/") == FILES


def test_a_link_is_refused() -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        member = tarfile.TarInfo("name-1/reports/link")
        member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(member)
    with pytest.raises(PipelineError, match=r"^reports/link is not a plain file"):
        read_archive(buffer.getvalue(), "name-1/")


def test_sums_are_those_of_coreutils(tmp_path: Path) -> None:
    files = FILES | {"two words": b"1", "line\nfeed": b"2", "back\\slash": b"3", "猫": b"4", "raw\udcff": b"5"}
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    sums = format_checksums(files)
    assert len(list_names(sums)) == len(files)
    (tmp_path / "sums").write_bytes(sums)
    command = ["sha256sum", "--strict", "--check", "--quiet", "sums"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    (tmp_path / "line\nfeed").write_bytes(b"x")
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).returncode == 1
