"""Judgements of the doctor on this machine and its programs: facts in, findings out.

Nothing beyond the standard library is imported before a judgement needs it, so that the doctor works where the
environment does not.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from fusionseq.findings import Finding, fail, note, warn

# Of the embedded default, measured: 1.2 GB.
_ENOUGH_MEMORY = 1.5e9
_GIGA = 1e9

_REINSTALL = "remove the environment (`rm -r .venv` or .venv-gpu) and let `make doctor` install it anew"
# More names than these do not help.
_MOST_NAMES = 4


def judge_python(version: str, requires: str, is_on_path: bool) -> Iterator[Finding]:
    """Judge the version of Python against pyproject.toml, and whether `python` is the one that runs this."""
    from packaging.specifiers import SpecifierSet

    if SpecifierSet(requires).contains(version):
        yield note("python", version)
    else:
        yield fail(
            "python", f"{version}, but {requires} is needed", "put such a python3 first on PATH, and `rm -r .venv`"
        )
    if not is_on_path:
        yield warn(
            "python",
            "`python` on PATH is another one, which `dvc repro` typed by hand would run",
            "`source .venv/bin/activate`",
        )


def judge_packages(lock: str, name: str, installed: Mapping[str, str]) -> Finding:
    """Judge the installed packages.

    Parameters
    ----------
    lock
        Content of a requirements file.
    name
        Of that file.
    installed
        Versions by names of packages, as installed.
    """
    from packaging.utils import canonicalize_name
    from packaging.version import Version

    found: dict[str, str] = {canonicalize_name(package): version for package, version in installed.items()}
    asked = read_lock(lock)
    missing = [package for package in asked if package not in found]
    other = [
        f"{package} {found[package]} in place of {version}"
        for package, version in asked.items()
        if package in found and Version(found[package]) != Version(version)
    ]
    if missing:
        others = f", and {len(other)} of another version" if other else ""
        return fail("packages", f"{name} asks for {_list(missing)}, not installed{others}", _REINSTALL)
    if other:
        return warn("packages", f"not as in {name}, so that results may differ: {_list(other)}", _REINSTALL)
    return note("packages", f"all {len(asked)} as in {name}")


def read_lock(lock: str) -> dict[str, str]:
    """Read the versions that a requirements file pins, of the packages that it asks for on this machine."""
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    versions: dict[str, str] = {}
    for line in lock.replace("\\\n", " ").splitlines():
        # As pip reads it: options follow a package, and a comment stands alone or behind a space.
        text = f" {line}".partition(" #")[0].partition(" --")[0].strip()
        if not text:
            continue
        requirement = Requirement(text)
        if requirement.marker is None or requirement.marker.evaluate():
            versions[canonicalize_name(requirement.name)] = next(iter(requirement.specifier)).version
    return versions


def _list(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_MOST_NAMES])
    return f"{shown} and {len(names) - _MOST_NAMES} more" if names[_MOST_NAMES:] else shown


@dataclass(frozen=True)
class Gpus:
    """What is known of graphics cards.

    Attributes
    ----------
    is_asked
        Whether params.yaml asks for all of them; None where it cannot be read.
    is_built
        Whether the environment is the one for GPUs.
    visible
        Content of CUDA_VISIBLE_DEVICES; None where it is not set.
    cards
        Names of those that the driver tells of.
    found
        Names of those that TensorFlow finds.
    """

    is_asked: bool | None
    is_built: bool
    visible: str | None
    cards: Sequence[str]
    found: Sequence[str]


def judge_gpus(gpus: Gpus) -> Finding:
    """Judge the cards that are asked for against those that TensorFlow finds."""
    if gpus.found:
        unused = len(gpus.found) > 1 and gpus.is_asked is False
        use = "; runtime.devices: one in params.yaml uses the first" if unused else ""
        return note("gpu", f"TensorFlow finds {_list(gpus.found)}{use}")
    if gpus.cards:
        return _judge_unused(gpus)
    if gpus.is_built:
        return warn("gpu", "this environment is for GPUs, and none is here", "mend the driver, or make without GPU=1")
    if gpus.is_asked:
        asked = "runtime.devices: all in params.yaml asks for some, and none is here: the CPU computes"
        return warn("gpu", asked, "set it to one, or leave it")
    return note("gpu", "none is here, and none is asked for")


def _judge_unused(gpus: Gpus) -> Finding:
    """Say why TensorFlow does not find the cards that the driver tells of."""
    here = f"{_list(gpus.cards)} here"
    if not gpus.is_built:
        return warn("gpu", f"{here}, but this environment is for the CPU", "make with GPU=1")
    if gpus.visible is not None:
        hidden = f"{here}, but CUDA_VISIBLE_DEVICES={gpus.visible} hides it from TensorFlow"
        return warn("gpu", hidden, "`unset CUDA_VISIBLE_DEVICES`")
    mend = "see whether the driver is recent enough for CUDA 12 (`nvidia-smi`), then `rm -r .venv-gpu` and make anew"
    return warn("gpu", f"{here}, but TensorFlow finds none, and the CPU computes", mend)


def judge_latex(programs: Sequence[str], files: Sequence[str], packages: str, is_installable: bool) -> Finding:
    """Judge LaTeX.

    Parameters
    ----------
    programs, files
        Those that are missing.
    packages
        Those of Debian that hold all of them.
    is_installable
        Whether `make` itself may install them.
    """
    missing = [*programs, *files]
    if not missing:
        return note("latex", "complete")
    if is_installable:
        return warn("latex", f"{_list(missing)} missing", "`make reproduce` installs it, 0.2 GB to download")
    return fail("latex", f"{_list(missing)} missing", f"`sudo apt-get install --no-install-recommends {packages}`")


def judge_resources(memory: int | None, cores: int, threads: int | None) -> Iterator[Finding]:
    """Judge memory and cores.

    Parameters
    ----------
    memory
        Bytes that are free for programs; None where that is not known.
    cores
        Those that this process may use.
    threads
        Those that params.yaml asks for; None where it cannot be read.
    """
    if memory is not None and memory < _ENOUGH_MEMORY:
        yield warn(
            "memory",
            f"{memory / _GIGA:.1f} GB free, and the embedded default takes 1.2 GB",
            "end other programs, or lower training.batch_size",
        )
    elif memory is not None:
        yield note("memory", f"{memory / _GIGA:.1f} GB free")
    if threads is not None and threads > cores:
        yield warn(
            "cores",
            f"{cores}, fewer than the {threads} of runtime.threads, which is slower",
            "leave it for the same bits, or lower it in params.yaml",
        )
    else:
        yield note("cores", str(cores))


def judge_disk(needed: int, free: int) -> Finding:
    """Judge the disk: bytes that the stages that wait would add, against those that are free."""
    text = f"{free / _GIGA:.1f} GB free, {needed / _GIGA:.2g} GB needed for data and DVC's cache"
    if needed <= free:
        return note("disk", text)
    return fail("disk", text, "make room, move DVC's cache (`dvc cache dir --local FOLDER`), or train fewer seeds")


def judge_proxies(proxies: Mapping[str, str], missing_certificates: Sequence[str]) -> Iterator[Finding]:
    """Judge what the environment says of the way to the network: variables by name, with harmless contents."""
    if proxies:
        yield note("proxy", ", ".join(f"{name}={value}" for name, value in sorted(proxies.items())))
    for name in missing_certificates:
        yield warn("proxy", f"{name} names a file that is not there", f"correct it, or `unset {name}`")
