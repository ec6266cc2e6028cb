import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from paper_repository import SOURCE, commit_all, make_paper_repository
from pypdf import PdfReader
from small_repository import SmallRepository, copy_repository

from fusionseq.errors import PipelineError
from fusionseq.release import check_committed, pack, pack_paper, read_name, write_release
from fusionseq.standalone import typeset_alone

ROOT = Path(__file__).parent.parent

needs_latex = pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")

ARCHIVES = ("small-1.2.3-arxiv.tar.gz", "small-1.2.3.tar.gz")


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> SmallRepository:
    return make_paper_repository(tmp_path_factory.mktemp("original") / "repository")


@pytest.fixture
def repository(original: SmallRepository, tmp_path: Path) -> SmallRepository:
    return copy_repository(original, tmp_path / "repository")


def run(folder: Path, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "fusionseq.release", *options]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")} | environment
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def read_all(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def read_tar(content: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as archive:
        members = [member for member in archive if member.isfile()]
        assert all((member.uid, member.gid, member.uname) in {(0, 0, ""), (0, 0, "root")} for member in members)
        return {member.name: archive.extractfile(member).read() for member in members}  # type: ignore[union-attr]


@pytest.fixture(scope="module")
def released(original: SmallRepository) -> dict[str, bytes]:
    done = run(original.root)
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(r"^release: dist/small-1\.2\.3 holds 10 files, \d\.\d MB$", done.stdout, re.MULTILINE)
    return read_all(original.root / "dist" / "small-1.2.3")


@needs_latex
def test_release_holds_everything_of_the_commit(original: SmallRepository, released: dict[str, bytes]) -> None:
    copied = ["CITATION.cff", "LICENSE", "dvc.lock", "params.yaml", "paper/report.pdf"]
    copied += ["reports/figures/curve.pdf", "reports/metrics.json"]
    assert sorted(released) == sorted([*copied, *ARCHIVES, "SHA256SUMS"])
    for name in copied:
        assert released[name] == (original.root / name).read_bytes()
    tracked = original.run("git", "ls-files").splitlines()
    source = {f"small-1.2.3/{name}": (original.root / name).read_bytes() for name in tracked}
    assert read_tar(released["small-1.2.3.tar.gz"]) == source


@needs_latex
def test_sums_verify(original: SmallRepository, released: dict[str, bytes]) -> None:
    folder = original.root / "dist" / "small-1.2.3"
    done = subprocess.run(
        ["sha256sum", "--strict", "--check", "SHA256SUMS"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == len(released) - 1


@needs_latex
def test_archive_for_arxiv_typesets_itself(released: dict[str, bytes], tmp_path: Path) -> None:
    files = read_tar(released["small-1.2.3-arxiv.tar.gz"])
    assert sorted(files) == ["figures/curve.pdf", "report.bbl", "report.tex"]
    assert b"\\pdfoutput=1" in b"".join(files["report.tex"].splitlines()[:5])
    with tarfile.open(fileobj=io.BytesIO(released["small-1.2.3-arxiv.tar.gz"])) as archive:
        archive.extractall(tmp_path, filter="data")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", "report.tex"]
    for _ in range(2):
        subprocess.run(command, cwd=tmp_path, env={"PATH": os.environ["PATH"]}, stdout=subprocess.DEVNULL, check=True)
    text = PdfReader(tmp_path / "report.pdf").pages[0].extract_text()
    assert "Section 1 follows [1]." in text
    assert "Knuth" in text
    assert "?" not in text


@needs_latex
def test_same_commit_gives_the_same_bytes_anywhere(
    original: SmallRepository, released: dict[str, bytes], tmp_path: Path
) -> None:
    # In another clone, without data, where a user has other settings, at another time.
    original.run("git", "clone", "--quiet", ".", str(tmp_path / "clone of it"))
    clone = SmallRepository(tmp_path / "clone of it")
    for key, value in (("core.autocrlf", "true"), ("tar.umask", "0077"), ("status.showUntrackedFiles", "no")):
        clone.run("git", "config", key, value)
    mask = os.umask(0o027)
    try:
        done = run(clone.root, "--output", "../out", TZ="Asia/Tokyo", LC_ALL="C", SOURCE_DATE_EPOCH="1")
    finally:
        os.umask(mask)
    assert done.returncode == 0, done.stderr
    assert read_all(tmp_path / "out" / "small-1.2.3") == released


def change_code(repository: SmallRepository) -> None:
    (repository.root / "code.txt").write_text("2\n")
    commit_all(repository)


def change_parameters(repository: SmallRepository) -> None:
    (repository.root / "params.yaml").write_text("seeds: [1]\n")
    commit_all(repository)


def change_result(repository: SmallRepository) -> None:
    (repository.root / "reports" / "metrics.json").write_text("better\n")
    commit_all(repository)


def drop_report(repository: SmallRepository) -> None:
    (repository.root / "paper" / "report.pdf").unlink()
    commit_all(repository)


def drop_citation(repository: SmallRepository) -> None:
    (repository.root / "CITATION.cff").unlink()
    commit_all(repository)


def cite_another_version(repository: SmallRepository) -> None:
    (repository.root / "CITATION.cff").write_text("version: 1.2.4\n")
    commit_all(repository)


def lead_out(repository: SmallRepository) -> None:
    (repository.root / "reports" / "figures.txt").symlink_to("/etc/passwd")
    commit_all(repository)


def forget_git(repository: SmallRepository) -> None:
    shutil.rmtree(repository.root / ".git")


def leave_a_file(repository: SmallRepository) -> None:
    (repository.root / "notes to\nmyself").touch()
    repository.run("git", "config", "status.showUntrackedFiles", "no")


def break_lock(repository: SmallRepository) -> None:
    (repository.root / "dvc.lock").write_text("<<<<<<< HEAD\n")
    commit_all(repository)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (change_code, "the results are not those of this commit: fetch must run again"),
        (change_parameters, "the results are not those of this commit: paper must run again"),
        (change_result, "the results are not those of this commit: draw and 1 more must run again"),
        (drop_report, "paper/report.pdf is not in the last commit"),
        (drop_citation, "CITATION.cff is not in the last commit of this folder"),
        (cite_another_version, "must give one version. Got 1.2.3 and 1.2.4"),
        (lead_out, "reports/figures.txt is not a plain file"),
        (leave_a_file, r"'notes to\nmyself' differ from the last commit"),
        (break_lock, "DVC cannot read a pipeline here"),
        (forget_git, "git log fails here: fatal: not a git repository"),
    ],
)
def test_what_is_no_release_is_refused_in_one_line(
    repository: SmallRepository, spoil: Callable[[SmallRepository], None], message: str
) -> None:
    spoil(repository)
    with pytest.raises(PipelineError) as raised:
        pack(repository.root)
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


def test_every_change_counts(repository: SmallRepository) -> None:
    check_committed(repository.root)
    (repository.root / "LICENSE").write_text("Another one.\n")
    repository.run("git", "rm", "--quiet", "code.txt")
    with pytest.raises(PipelineError, match=r"^'(LICENSE|code\.txt)' and 1 more differ"):
        check_committed(repository.root)


def test_command_names_no_traceback(tmp_path: Path) -> None:
    done = run(tmp_path, GIT_CEILING_DIRECTORIES=str(tmp_path.parent))
    assert done.returncode == 1
    assert (
        done.stderr
        == "error: git log fails here: fatal: not a git repository (or any of the parent directories): .git\n"
    )


@pytest.mark.parametrize("citation", [b"", b"- 1", b"version", b"a: [", b"other: 1"])
def test_a_citation_without_a_version_is_refused(citation: bytes) -> None:
    with pytest.raises(PipelineError, match="gives no version"):
        read_name(b'[project]\nname = "a"\nversion = "1"\n', citation)


def test_an_earlier_release_is_replaced(tmp_path: Path) -> None:
    folder = tmp_path / "small-1"
    write_release(folder, {"a/b.txt": b"1", "SHA256SUMS": b"0  a/b.txt\n"})
    write_release(folder, {"c.txt": b"2", "SHA256SUMS": b"0  c.txt\n"})
    assert read_all(tmp_path) == {"small-1/c.txt": b"2", "small-1/SHA256SUMS": b"0  c.txt\n"}


def test_nobody_loses_a_file(tmp_path: Path) -> None:
    folder = tmp_path / "small-1"
    write_release(folder, {"c.txt": b"2", "SHA256SUMS": b"0  c.txt\n"})
    (folder / "mine.txt").write_text("thoughts")
    with pytest.raises(PipelineError, match="holds what no release has put there"):
        write_release(folder, {})
    assert sorted(read_all(tmp_path)) == ["small-1/SHA256SUMS", "small-1/c.txt", "small-1/mine.txt"]
    file = tmp_path / "file"
    file.write_text("thoughts")
    for name in (file, file / "below"):
        with pytest.raises(PipelineError, match=r"move it away|cannot be written: Not a directory"):
            write_release(name, {"c.txt": b""})
    (tmp_path / "link").symlink_to(folder)
    with pytest.raises(PipelineError, match="move it away"):
        write_release(tmp_path / "link", {"c.txt": b""})
    assert file.read_text() == "thoughts"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "link", "small-1"]


def test_missing_pieces_of_the_paper_are_named() -> None:
    with pytest.raises(PipelineError, match=r"paper/report\.tex is not in the last commit"):
        pack_paper({})
    with pytest.raises(PipelineError, match=r"reports/figures/curve\.pdf is not in the last commit"):
        pack_paper({"paper/report.tex": SOURCE.encode()})


@needs_latex
def test_the_paper_of_this_project_goes_to_arxiv() -> None:
    folders = (ROOT / "paper", ROOT / "reports" / "figures")
    files = {path.relative_to(ROOT).as_posix(): path.read_bytes() for folder in folders for path in folder.glob("*.*")}
    packed = pack_paper(files)
    assert {name.partition("/")[0] for name in packed} == {"report.tex", "report.bbl", "figures"}
    typeset = typeset_alone(packed, "report.tex")
    committed = files["paper/report.pdf"]
    # Another TeX Live sets the same text by other bytes.
    assert typeset == committed or read_words(typeset) == read_words(committed)


def read_words(pdf: bytes) -> str:
    return "".join("".join(page.extract_text().split()) for page in PdfReader(io.BytesIO(pdf)).pages)


def test_citation_is_that_of_this_project() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert read_name((ROOT / "pyproject.toml").read_bytes(), (ROOT / "CITATION.cff").read_bytes())
    # Of the schema of CFF 1.2.0, which allows no other keys.
    required = {"cff-version", "message", "title", "authors"}
    known = required | {
        "abstract", "commit", "contact", "date-released", "doi", "identifiers", "keywords", "license", "license-url",
        "preferred-citation", "references", "repository", "repository-artifact", "repository-code", "type", "url",
        "version",
    }  # fmt: skip
    assert required <= citation.keys() <= known
    assert citation["cff-version"] == "1.2.0"
    assert re.fullmatch(r"[0-9]{4}-(0[1-9]|1[012])-(0[1-9]|[12][0-9]|3[01])", citation["date-released"])
    assert f"Copyright (c) {citation['date-released'][:4]} {citation['authors'][0]['name']}" in (
        ROOT / "LICENSE"
    ).read_text(encoding="utf-8")
    for reference in citation["references"]:
        assert {"type", "title", "authors"} <= reference.keys()
