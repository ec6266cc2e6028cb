"""Apply a profile to params.yaml: `python -m fusionseq.profile NAME [SECTION.KEY=VALUE ...]`.

A profile is a file in profiles/ that holds the sections of params.yaml in which one experiment differs from another.
They take the place of those in params.yaml, whose other sections and comments stay as they are, to the byte.
"""

import argparse
import posixpath
import re
from collections.abc import Sequence
from difflib import unified_diff
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console
from rich.text import Text

from fusionseq.artifacts import write_text
from fusionseq.console import logger, run_checked
from fusionseq.errors import PipelineError
from fusionseq.overlays import Location, put_value, read_value, replace_sections, replace_value, split_edit
from fusionseq.params import parse_params, validate_params
from fusionseq.paths import Paths
from fusionseq.preflight import check

# Text whatever it looks like: a folder may be called "null", a branch "1.0".
_PATH, _REVISION = ("data", "path"), ("data", "revision")
_COMMIT = re.compile("[0-9a-f]{40}")
_STYLES = {"+": "green", "-": "red", "@": "cyan"}
_EXAMPLES = """\
examples:
  python -m fusionseq.profile imagefolder data.path=/path/to/images
  python -m fusionseq.profile paper head.units=512 seeds=[0,1] --dry-run
  python -m fusionseq.profile default
"""


def apply_profile(text: str, profile: str, edits: Sequence[str]) -> str:
    """Put a profile and edits into the text of params.yaml.

    Parameters
    ----------
    text
        Of params.yaml.
    profile
        The text of the profile.
    edits
        Such as "head.units=512"; they come after the profile, and may be of any section.

    Returns
    -------
    str
        Valid as a params.yaml. A relative folder of images has become an absolute one, and a branch of a dataset the
        commit that it stands for.

    Raises
    ------
    PipelineError
        The result would not be valid, an edit is malformed, or the hub does not tell what the branch stands for.
    """
    content = {**_parse(text, "params.yaml"), **_parse(profile, "the profile")}
    values: dict[Location, Any] = {}
    for location, value in map(split_edit, edits):
        values[location] = value if location in (_PATH, _REVISION) else read_value(value)
        put_value(content, location, values[location])
    _check_before_asking(content)
    for location, value in _complete(content.get("data"), values).items():
        values[location] = value
        put_value(content, location, value)
    validate_params(content, "params.yaml")
    text = replace_sections(text, profile)
    for location, value in values.items():
        text = replace_value(text, location, value)
    if not _says(text, content):
        raise PipelineError("params.yaml is laid out in a way that cannot be edited from here; edit it by hand.")
    return text


def _check_before_asking(content: dict[str, Any]) -> None:
    """Refuse what is wrong here before the hub is asked for a commit: a commit in its place stands for any."""
    data = content.get("data")
    if isinstance(data, dict) and data.get("source") == "huggingface" and isinstance(data.get("revision"), str):
        validate_params(content | {"data": data | {"revision": "0" * 40}}, "params.yaml")


def _complete(data: object, values: dict[Location, Any]) -> dict[Location, Any]:
    """Find the values that only this machine or the hub can tell."""
    if not isinstance(data, dict):
        return {}
    if data.get("source") == "imagefolder":
        if not data.get("path"):
            raise PipelineError("the folder of your images is yet to be named; add data.path=/path/to/images.")
        if _PATH in values:
            return {_PATH: _make_absolute(values[_PATH])}
    revision = data.get("revision")
    if data.get("source") == "huggingface" and isinstance(revision, str) and not _COMMIT.fullmatch(revision):
        return {_REVISION: _resolve_revision(data.get("name"), revision)}
    return {}


def _make_absolute(path: str) -> str:
    """Take ~ for the home folder, and a relative path from the current one; links are not followed."""
    # POSIX would leave two slashes at the start, after which DVC would look for a host.
    path = "/" + posixpath.abspath(posixpath.expanduser(path)).lstrip("/")
    try:
        path.encode()
    except UnicodeEncodeError as error:
        raise PipelineError(
            f"data.path is not UTF-8, so params.yaml cannot hold it; rename it. Got {path!r}."
        ) from error
    return path


def _resolve_revision(name: object, revision: str) -> str:
    # The library that asks takes a moment to import.
    from fusionseq.datasets.huggingface import resolve_revision

    try:
        commit = resolve_revision(str(name), revision)
    except PipelineError as error:
        raise PipelineError(f"{error} Or name a commit, which needs no hub: data.revision=…") from error
    logger.info("data.revision: %s of %s is the commit %s", revision, name, commit)
    return commit


def _parse(text: str, name: str) -> dict[str, Any]:
    try:
        content = yaml.safe_load(text)
    # Values such as the date 2020-99-99 fail below the parser, and a deep nesting within it.
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise PipelineError(f"{name}: is not valid YAML: {' '.join(str(error).split())}.") from error
    if not isinstance(content, dict):
        raise PipelineError(f"{name}: must be a mapping of sections. Got {type(content).__name__}.")
    return content


def _says(text: str, content: object) -> bool:
    try:
        return bool(yaml.safe_load(text) == content)
    except yaml.YAMLError:
        return False


def _read(path: Path) -> str:
    try:
        # Not as text, which would turn the line ends of another system into one's own.
        return path.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PipelineError(
            f"{path.name}: cannot be read as UTF-8 text: {error}. Run this in the folder of params.yaml."
        ) from error


def _write(path: Path, text: str) -> None:
    try:
        write_text(path, text)
    except OSError as error:
        raise PipelineError(
            f"{path.name}: cannot be written ({error.strerror}); change its folder's permissions."
        ) from error


def _show_change(before: str, after: str, name: str) -> None:
    console = Console()
    names = ("params.yaml", f"params.yaml, {name}")
    for line in unified_diff(before.splitlines(), after.splitlines(), *names, lineterm=""):
        console.print(Text(line, _STYLES.get(line[0], "")), soft_wrap=True)


def read_profiled(paths: Paths, name: str, edits: Sequence[str]) -> tuple[str, str]:
    """Read params.yaml as it is, and as it would be under a profile; parameters and errors as in `apply_profile`."""
    profiles = {path.stem: path for path in sorted(paths.profiles.glob("*.yaml"))}
    if name not in profiles:
        held = ", ".join(profiles) or "none: run this in the folder of params.yaml"
        raise PipelineError(f"there is no profile {name!r}; profiles/ holds {held}.")
    before = _read(paths.params)
    return before, apply_profile(before, _read(profiles[name]), edits)


def _run(name: str, edits: Sequence[str], is_dry: bool) -> None:
    paths = Paths(Path.cwd())
    before, after = read_profiled(paths, name, edits)
    _show_change(before, after, name)
    if after == before:
        logger.info("params.yaml: is as the profile %s has it; nothing to change", name)
    elif is_dry:
        logger.info("params.yaml: not changed, only shown")
    else:
        check(parse_params(after, paths.params.name))
        _write(paths.params, after)
        logger.info("params.yaml: changed to the profile %s; `make reproduce` runs it", name)


def main() -> None:
    """Apply a profile to params.yaml of the current folder."""
    parser = argparse.ArgumentParser(
        prog="python -m fusionseq.profile",
        description="Replace sections of params.yaml by those of a profile, and show what changes.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", help="a file in profiles/, such as default, paper, imagefolder or gpu")
    parser.add_argument(
        "edits",
        nargs="*",
        metavar="section.key=value",
        help="a value to put in after the profile, in any section; as in YAML: a number, true, null, [0, 1], text",
    )
    parser.add_argument("--dry-run", "--show", action="store_true", help="show what would change, and write nothing")
    arguments = parser.parse_intermixed_args()
    run_checked(lambda: _run(arguments.name, arguments.edits, arguments.dry_run))


if __name__ == "__main__":
    main()
