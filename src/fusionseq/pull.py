"""Get all results from a DVC remote, and hold every byte against dvc.lock: `python -m fusionseq.pull [REMOTE]`."""

import argparse
from pathlib import Path

from fusionseq.console import logger, run_checked, track
from fusionseq.dvc_command import run_dvc
from fusionseq.errors import PipelineError
from fusionseq.locked_outputs import find_damage
from fusionseq.locked_stages import read_pipeline
from fusionseq.remote_objects import fetch_lists, open_remote
from fusionseq.remotes import TEAM


def pull(folder: Path, name: str) -> None:
    """Run `dvc pull` on lists of files that dvc.lock vouches for, and hash what came.

    Raises
    ------
    PipelineError
        The remote cannot be reached or refuses, DVC would not hash what it sends, or something is missing or damaged
        there.
    """
    pipeline = read_pipeline(folder)
    with open_remote(pipeline.root, name) as (repo, remote):
        if not remote.is_verified:
            # DVC would take damaged bytes into the cache, and from there give them out for good.
            raise PipelineError(f"{remote.url} would be taken on trust; `dvc remote modify {name} verify true` before.")
        fetch_lists(pipeline, repo, remote)
    if not run_dvc(pipeline.root, "pull", "--remote", name):
        raise PipelineError(
            f"not everything came from {remote.url}; DVC's own message stands above. `make share` where these results "
            f"were made sends what is missing, and with --check what is damaged."
        )
    outputs = [output for output in pipeline.outputs if output.is_cached]
    for output in track(outputs, "pull: hashed outputs", len(outputs)):
        for damage in find_damage(output, pipeline):
            raise PipelineError(f"{damage.name} {damage.reason}.")
    logger.info("pull: all %d outputs are as dvc.lock has them", len(outputs))


def main() -> None:
    """Pull the results of the repository around the current folder."""
    parser = argparse.ArgumentParser(
        prog="python -m fusionseq.pull", description="Get all results from a DVC remote, each byte as dvc.lock has it."
    )
    parser.add_argument("remote", nargs="?", default=TEAM, metavar="NAME", help=f"of the remote; default: {TEAM}")
    arguments = parser.parse_args()
    run_checked(lambda: pull(Path.cwd(), arguments.remote))


if __name__ == "__main__":
    main()
