"""Commands of DVC within this process, with its own messages and progress."""

import logging
from pathlib import Path


def run_dvc(root: Path, *arguments: str) -> bool:
    """Run a command of DVC, such as `push`, in a repository; whether it succeeded."""
    # It takes a moment to import.
    from dvc.cli import main

    # DVC prints its messages itself; this program's log would print them again, with tracebacks.
    for name in ("dvc", "dvc_data", "dvc_objects"):
        logging.getLogger(name).propagate = False
    return bool(main(["--cd", str(root), *arguments]) == 0)
