"""What an experiment would take, before any of it is done: `python -m fusionseq.plan [PROFILE [SECTION.KEY=VALUE …]]`.

Of downloads only names and sizes are asked for, and of a dataset its card. Time is estimated from a measurement.
"""

import argparse
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fusionseq.catalog import BACKBONES
from fusionseq.checksums import Checksums
from fusionseq.console import run_checked
from fusionseq.datasets import EncodedImage
from fusionseq.errors import PipelineError
from fusionseq.params import Params, parse_params, read_params
from fusionseq.paths import Paths
from fusionseq.profile import read_profiled
from fusionseq.sections import HuggingFaceParams, ImageFolderParams, ImageNetWeights

_UNITS = ("B", "kB", "MB", "GB", "TB")
_MINUTE, _HOUR = 60, 3600
# Where nobody says how many: the softmax is a thousandth of any model.
_NUM_CLASSES = 10


@dataclass(frozen=True)
class Download:
    """A file that comes over the network; `size` in bytes."""

    name: str
    size: int
    is_here: bool


@dataclass(frozen=True)
class Images:
    """What is known of a dataset before it is fetched; None where its card does not say how many images it has."""

    num_images: int | None
    num_bytes: int
    downloads: tuple[Download, ...]


def find_images(params: Params, paths: Paths) -> Images:
    """Find out what the images of an experiment are."""
    data = params.data
    if isinstance(data, HuggingFaceParams):
        from fusionseq.datasets.huggingface import plan_huggingface

        found = plan_huggingface(
            data.name, data.revision, data.config, data.image_column, data.label_column, paths.downloads,
            Checksums(paths.checksums),
        )  # fmt: skip
        files = tuple(Download(f"{data.name}: {file.path}", file.size, file.is_cached) for file in found.files)
        return Images(found.num_images, sum(file.size for file in files), files)
    if isinstance(data, ImageFolderParams):
        from fusionseq.datasets.imagefolder import load_image_folder

        folder = Path(data.path)
        sizes = [path.stat().st_size for path in folder.rglob("*") if path.is_file()]
        return Images(load_image_folder(folder, data.labels).num_images, sum(sizes), ())
    from fusionseq.datasets.digits import load_digits

    dataset = load_digits(data.num_classes, data.images_per_class)
    num_bytes = sum(len(image.content) for image in dataset.images if isinstance(image, EncodedImage))
    return Images(dataset.num_images, num_bytes, ())


def find_weights(params: Params, paths: Paths) -> tuple[Download, ...]:
    """Find out what the weights of an experiment are."""
    weights = params.weights
    if not isinstance(weights, ImageNetWeights):
        return ()
    files = []
    for name in params.backbones:
        backbone = BACKBONES[name]
        path = paths.downloads / "keras-applications" / backbone.imagenet_file
        size = path.stat().st_size if path.exists() else ask_size(f"{weights.address}/{backbone.imagenet_file}")
        files.append(Download(f"{backbone.title}, pretrained on ImageNet", size, path.exists()))
    return tuple(files)


def ask_size(url: str) -> int:
    """Ask a server for the size of a file, in bytes.

    Raises
    ------
    PipelineError
        It cannot be reached, or has no such file.
    """
    # It takes a moment to import.
    import requests

    try:
        # The answer begins with the size, and no more of it is read; not every server answers a HEAD.
        with requests.get(url, stream=True, timeout=30, headers={"Accept-Encoding": "identity"}) as response:
            response.raise_for_status()
            return int(response.headers["Content-Length"])
    except (requests.RequestException, KeyError, ValueError) as error:
        raise PipelineError(
            f"{url} does not tell its size ({type(error).__name__}); look at your connection and at weights.address in "
            "params.yaml."
        ) from error


def describe_plan(params: Params, paths: Paths) -> list[str]:
    """Tell what would be downloaded, how much disk everything takes and how long, a line for each."""
    from fusionseq.planning import estimate_needs
    from fusionseq.runtime import configure_runtime

    images = find_images(params, paths)
    downloads = (*images.downloads, *find_weights(params, paths))
    missing = sum(file.size for file in downloads if not file.is_here)
    lines = [f"To download: {_format_bytes(missing)}"]
    lines += [
        f"  {file.name}: {_format_bytes(file.size)}{', here already' if file.is_here else ''}" for file in downloads
    ]
    if images.num_images is None:
        return [*lines, "The dataset does not say how many images it has, so neither disk nor time can be told."]
    runtime = params.runtime
    configure_runtime(runtime.threads, runtime.precision, runtime.deterministic)
    needs = estimate_needs(params, images.num_images, _NUM_CLASSES, images.num_bytes)
    free = shutil.disk_usage(paths.root).free
    on_disk = {"downloads": sum(file.size for file in downloads), **needs.disk}
    lines += [
        f"Images: {images.num_images:,}",
        f"Disk: {_format_bytes(sum(on_disk.values()))} of {_format_bytes(free)}",
    ]
    lines += [f"  {what}: {_format_bytes(size)}" for what, size in on_disk.items() if size]
    lines += [
        f"Time: {_format_time(needs.seconds)} or more of computing on this machine, beside the starts of stages, for "
        f"{needs.operations:.2g} floating-point operations at {needs.rate / 1e9:,.0f} billion a second",
    ]
    return lines


def _format_bytes(size: float) -> str:
    unit = 0
    while size >= 1000 and unit < len(_UNITS) - 1:
        size, unit = size / 1000, unit + 1
    return f"{size:.3g} {_UNITS[unit]}" if size < 999.5 else f"{size:.0f} {_UNITS[unit]}"


def _format_time(seconds: float) -> str:
    if seconds < 2 * _MINUTE:
        return f"{seconds:.0f} seconds"
    return f"{seconds / _MINUTE:.0f} minutes" if seconds < 2 * _HOUR else f"{seconds / _HOUR:.1f} hours"


def _read(paths: Paths, profile: str | None, edits: Sequence[str]) -> Params:
    if profile is None:
        return read_params(paths.params)
    return parse_params(read_profiled(paths, profile, edits)[1], paths.params.name)


def main() -> None:
    """Print the plan of an experiment, and stop."""
    parser = argparse.ArgumentParser(
        prog="python -m fusionseq.plan",
        description="Print what would be downloaded, how much disk and time it takes, and stop.",
    )
    parser.add_argument("profile", nargs="?", help="a file in profiles/; without it, params.yaml as it stands")
    parser.add_argument("edits", nargs="*", metavar="section.key=value", help="as fusionseq.profile takes them")
    arguments = parser.parse_args()
    paths = Paths(Path.cwd())
    run_checked(lambda: print("\n".join(describe_plan(_read(paths, arguments.profile, arguments.edits), paths))))


if __name__ == "__main__":
    main()
