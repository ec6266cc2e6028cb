"""Pack what is published with the paper: `python -m fusionseq.release [--output dist]`.

Everything comes from the last commit, so that the same commit gives the same bytes. A folder NAME-VERSION holds

NAME-VERSION.tar.gz : the source, as Git has it
NAME-VERSION-arxiv.tar.gz : the paper's LaTeX source, which pdflatex alone typesets in an empty folder
dvc.lock, params.yaml, reports/, paper/report.pdf : the results, and what they were made from
CITATION.cff, LICENSE : how to cite it, and what may be done with it
SHA256SUMS : digests of all of these, for `sha256sum --check`
"""

import argparse
import os
import shutil
import tomllib
from collections.abc import Mapping
from pathlib import Path

import yaml

from fusionseq.arxiv import BIBLIOGRAPHY, SOURCE, prepare_source
from fusionseq.commits import archive_commit, list_changes, read_commit, read_committed
from fusionseq.console import logger, run_checked
from fusionseq.errors import PipelineError
from fusionseq.locked_stages import read_pipeline
from fusionseq.packing import compress, format_checksums, list_names, make_archive, read_archive
from fusionseq.staleness import find_stale
from fusionseq.standalone import make_bibliography, typeset_alone

_CHECKSUMS = "SHA256SUMS"
_PAPER = "paper"
_REPORT = f"{_PAPER}/report.pdf"
_COPIED = ("dvc.lock", "params.yaml", "CITATION.cff", "LICENSE", _REPORT)
_COPIED_FOLDER = "reports/"


def pack(root: Path) -> tuple[str, dict[str, bytes]]:
    """Pack the last commit of a repository.

    Parameters
    ----------
    root
        Folder of dvc.yaml and pyproject.toml.

    Returns
    -------
    name
        Of the project with its version.
    files
        What is released: contents by name.

    Raises
    ------
    PipelineError
        Something is not committed, the results are not those of the commit, or the paper cannot be typeset.
    """
    commit, seconds = read_commit(root)
    check_committed(root)
    name = read_name(read_committed(root, "pyproject.toml"), read_committed(root, "CITATION.cff"))
    archive = archive_commit(root, f"{name}/")
    files = read_archive(archive, f"{name}/")
    check_results(root, files)
    logger.info("release: %s, commit %s; typesetting the source for arXiv", name, commit)
    released = {path: content for path, content in files.items() if path in _COPIED or path.startswith(_COPIED_FOLDER)}
    released[f"{name}.tar.gz"] = compress(archive)
    released[f"{name}-arxiv.tar.gz"] = compress(make_archive(pack_paper(files), seconds))
    return name, {**released, _CHECKSUMS: format_checksums(released)}


def check_committed(root: Path) -> None:
    """Hold the working tree against the last commit.

    Raises
    ------
    PipelineError
        They differ.
    """
    if changes := list_changes(root):
        others = f" and {len(changes) - 1} more" if changes[1:] else ""
        raise PipelineError(
            f"{changes[0]!r}{others} differ from the last commit, which is what a release holds; commit or undo that."
        )


def check_results(root: Path, files: Mapping[str, bytes]) -> None:
    """Hold the results of a commit against its code, parameters and dvc.lock; heavy data need not be here.

    Raises
    ------
    PipelineError
        Results are stale, or not in the commit.
    """
    if changed := find_stale(root).changed:
        others = f" and {len(changed) - 1} more" if changed[1:] else ""
        raise PipelineError(
            f"the results are not those of this commit: {changed[0]}{others} must run again. `make reproduce`, commit "
            "what it changes, then release."
        )
    in_git = [output.path for output in read_pipeline(root).outputs if not output.is_cached]
    names = [path.relative_to(root.resolve()).as_posix() for path in in_git]
    for name in (*_COPIED, *names):
        if name not in files and not any(path.startswith(f"{name}/") for path in files):
            raise PipelineError(
                f"{name} is not in the last commit; run `make reproduce`, commit all of it, then release."
            )


def read_name(project: bytes, citation: bytes) -> str:
    """Read the name and version of a project, which its citation must share.

    Raises
    ------
    PipelineError
        One of pyproject.toml and CITATION.cff cannot be read, or they disagree.
    """
    try:
        table = tomllib.loads(project.decode())["project"]
        name, version = str(table["name"]), str(table["version"])
        cited = str(yaml.safe_load(citation)["version"])
    except (ValueError, LookupError, TypeError, yaml.YAMLError) as error:
        raise PipelineError(
            f"pyproject.toml or CITATION.cff gives no version ({type(error).__name__}); mend it and commit."
        ) from error
    if cited != version:
        raise PipelineError(
            f"pyproject.toml and CITATION.cff must give one version. Got {version} and {cited}; mend one and commit."
        )
    return f"{name}-{version}"


def pack_paper(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Choose and make what arXiv needs to typeset the paper, and typeset it from that alone.

    Parameters
    ----------
    files
        Those of the repository: contents by name.

    Raises
    ------
    PipelineError
        The source or a file that it names is not there, or it cannot be typeset.
    """
    source = prepare_source(_find(files, f"{_PAPER}/{SOURCE}").decode(), _PAPER)
    packed = {SOURCE: source.text.encode()} | {name: _find(files, path) for name, path in source.figures.items()}
    references = {Path(source.references).name: _find(files, source.references)}
    packed[BIBLIOGRAPHY] = make_bibliography(packed, SOURCE, references)
    is_same = typeset_alone(packed, SOURCE) == files.get(_REPORT)
    other = f"{_REPORT}, byte for byte" if is_same else f"other bytes than {_REPORT}, as another TeX Live does"
    logger.info("release: the source for arXiv gives %s", other)
    return packed


def _find(files: Mapping[str, bytes], name: str) -> bytes:
    if name not in files:
        raise PipelineError(f"{name} is not in the last commit; run `make reproduce`, commit all of it, then release.")
    return files[name]


def write_release(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write files into a folder, whole or not at all; an earlier release that is there is replaced.

    Raises
    ------
    PipelineError
        The folder is something else, or cannot be written.
    """
    temporary, old = (folder.with_name(f".{os.getpid()}.{what}.{folder.name}") for what in ("new", "old"))
    try:
        check_replaceable(folder)
        for name, content in files.items():
            path = temporary / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        if folder.exists():
            folder.rename(old)
        temporary.rename(folder)
        if old.exists():
            shutil.rmtree(old)
    except OSError as error:
        raise PipelineError(
            f"{folder} cannot be written: {error.strerror or error}. Make room or mend its permissions, or name "
            "another folder after --output."
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def check_replaceable(folder: Path) -> None:
    """Make sure that no file is lost which is not of an earlier release.

    Raises
    ------
    PipelineError
        The folder holds anything else, or is no folder.
    """
    if not folder.exists() and not folder.is_symlink():
        return
    checksums = folder / _CHECKSUMS
    known = {_CHECKSUMS, *(list_names(checksums.read_bytes()) if checksums.is_file() else ())}
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()}
    if folder.is_symlink() or not folder.is_dir() or found - known:
        raise PipelineError(
            f"{folder} is there, and holds what no release has put there; move it away, or name another folder after "
            "--output."
        )


def main() -> None:
    """Release the repository of the current folder."""
    parser = argparse.ArgumentParser(
        prog="python -m fusionseq.release",
        description="Pack the last commit, its results and its paper for publication.",
    )
    parser.add_argument("--output", type=Path, default=Path("dist"), metavar="FOLDER", help="default: dist")
    arguments = parser.parse_args()

    def run() -> None:
        name, files = pack(Path.cwd())
        folder = arguments.output / name
        write_release(folder, files)
        logger.info("release: %s holds %d files, %.1f MB", folder, len(files), sum(map(len, files.values())) / 1e6)

    run_checked(run)


if __name__ == "__main__":
    main()
