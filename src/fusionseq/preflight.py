"""What must hold before DVC starts: `python -m fusionseq.preflight`.

Bad parameters would stop a stage only when its turn comes, and a file name that is not UTF-8 would crash DVC itself
when it looks at a person's images.
"""

from importlib.util import find_spec
from pathlib import Path

from fusionseq.console import logger, run_checked
from fusionseq.datasets.imagefolder import check_names
from fusionseq.errors import PipelineError
from fusionseq.params import Params, read_params
from fusionseq.paths import Paths
from fusionseq.ray_cluster import NOT_INSTALLED
from fusionseq.sections import ImageFolderParams


def check(params: Params) -> None:
    """Look at what params.yaml leads to outside this folder.

    Raises
    ------
    PipelineError
        The folder of images does not exist, or holds a name that is not UTF-8; or Ray is asked for and not installed.
    """
    if params.runtime.engine == "ray" and find_spec("ray") is None:
        raise PipelineError(NOT_INSTALLED)
    if isinstance(params.data, ImageFolderParams):
        check_names(Path(params.data.path))


def main() -> None:
    """Check the parameters of the current folder, and what they lead to."""

    def run() -> None:
        params = read_params(Paths(Path.cwd()).params)
        check(params)
        logger.info("params.yaml: valid, %d seeds, images from %s", len(params.seeds), params.data.source)

    run_checked(run)


if __name__ == "__main__":
    main()
