"""Programs that some tests need besides Python: servers and a browser. `make servers` installs them."""

import os
import shutil

import pytest

# Debian keeps servers where only root looks for programs.
_FOLDERS = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin", "/sbin"))


def find_program(name: str) -> str | None:
    """Find a program by its name, servers too."""
    return shutil.which(name, path=_FOLDERS)


def needs(*programs: str) -> pytest.MarkDecorator:
    """Skip a test where a program is missing, unless FUSIONSEQ_ALL_TESTS is 1: then it runs, and fails."""
    missing = [name for name in programs if find_program(name) is None]
    skip = bool(missing) and os.environ.get("FUSIONSEQ_ALL_TESTS") != "1"
    return pytest.mark.skipif(skip, reason=f"{', '.join(missing)} missing; `make servers` installs it")
