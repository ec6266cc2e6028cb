"""Questions of the doctor that take slow libraries, or that a driver or the network may never answer.

`python -m fusionseq.probes NAME` prints one line of JSON; `fusionseq.asking` runs it, and gives up after a while.
"""

import argparse
import json
import os
import re
import signal
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any

from fusionseq.console import run_checked
from fusionseq.errors import PipelineError
from fusionseq.params import Params, read_params
from fusionseq.paths import Paths
from fusionseq.repository_checkups import find_secrets
from fusionseq.sections import HuggingFaceParams, ImageNetWeights

# Seconds, more than the doctor waits: it ends this itself, unless it was ended before, as by `head` or a signal.
_LIFETIME = 120
# Seconds for the network, all questions side by side.
_NETWORK_LIMIT = 4.0
# As the plan has it where nobody says how many.
_NUM_CLASSES = 10
_NO_ANSWER = f"does not answer within {_NETWORK_LIMIT:.0f} seconds"


def find_gpus(_: Paths) -> dict[str, Any]:
    """Find the version of TensorFlow, and the names of its GPUs."""
    import tensorflow as tf

    devices = tf.config.list_physical_devices("GPU")
    names = [tf.config.experimental.get_device_details(device).get("device_name", device.name) for device in devices]
    return {"version": tf.__version__, "gpus": names}


def find_stages(paths: Paths) -> dict[str, Any]:
    """Find which stages wait, what they put into the cache, and how the disk can link to it."""
    from dvc.fs import generic
    from dvc.repo import Repo

    from fusionseq.staleness import find_stale

    found = find_stale(paths.root)
    with Repo(str(paths.root)) as repo:
        cache = repo.cache.local
        # A fresh clone has none yet.
        folder = next(path for path in (Path(cache.path), *Path(cache.path).parents) if path.is_dir())
        links = generic.test_links(["reflink", "hardlink", "symlink"], cache.fs, str(folder), repo.fs, repo.root_dir)
        configured = list(cache.cache_types)
    return {
        "waiting": found.waiting,
        "changed": found.changed,
        "sizes": found.sizes,
        "is_as_measured": found.is_as_measured,
        "configured": configured,
        "supported": links,
    }


def estimate_disk(paths: Paths) -> dict[str, Any]:
    """Estimate the bytes of all data and its copies in DVC's cache, before anything is computed."""
    from fusionseq.plan import find_images, find_weights
    from fusionseq.planning import estimate_needs
    from fusionseq.runtime import configure_runtime

    params = read_params(paths.params)
    images = find_images(params, paths)
    if images.num_images is None:
        raise PipelineError("the dataset does not say how many images it has")
    runtime = params.runtime
    configure_runtime(runtime.threads, runtime.precision, runtime.deterministic)
    num_classes = getattr(params.data, "num_classes", _NUM_CLASSES)
    needs = estimate_needs(params, images.num_images, num_classes, images.num_bytes)
    downloads = sum(file.size for file in (*images.downloads, *find_weights(params, paths)) if not file.is_here)
    return {"bytes": sum(needs.disk.values()), "downloads": downloads}


def reach_network(paths: Paths) -> dict[str, Any]:
    """Find out whether remotes, the hub and the weights answer: "" or why not, by what was asked for."""
    from dvc.repo import Repo

    with Repo(str(paths.root)) as repo:
        settings = {str(name): dict(of_remote) for name, of_remote in repo.config["remote"].items()}
        committed = repo.config.load_one("repo").get("remote", {})
        questions: dict[str, Callable[[], object]] = {
            f"remote {name}": partial(_reach_remote, repo, name, str(of_remote["url"]))
            for name, of_remote in settings.items()
        }
        # Bad parameters have a finding of their own.
        with suppress(PipelineError):
            questions |= _list_downloads(read_params(paths.params), paths)
        answers = _ask_all(questions)
    remotes = [
        {
            "name": name,
            "address": _hide_login(str(of_remote["url"])),
            "is_verified": bool(of_remote.get("verify")),
            "secrets": find_secrets(committed.get(name, {})),
            "failure": answers[f"remote {name}"],
        }
        for name, of_remote in settings.items()
    ]
    return {"remotes": remotes, "hub": answers.get("hub"), "weights": answers.get("weights")}


def _hide_login(url: str) -> str:
    """Take out whatever may be a name and a password, or a query, even in an address that is none."""
    scheme, separator, rest = url.partition("://")
    if not separator:
        return url
    place, *query = re.split("[?#]", rest, maxsplit=1)
    if "@" not in "".join(query):
        shown = place.rpartition("@")[2]
    # The mark may be within a password, of which the rest is before it: after a colon.
    elif "@" not in place:
        shown = place.partition(":")[0]
    # Either @ may end the password.
    else:
        shown = "..."
    return f"{scheme}://{shown}"


def _list_downloads(params: Params, paths: Paths) -> dict[str, Callable[[], object]]:
    from fusionseq.datasets.huggingface import resolve_revision
    from fusionseq.plan import find_weights

    questions: dict[str, Callable[[], object]] = {}
    if isinstance(params.data, HuggingFaceParams):
        questions["hub"] = partial(resolve_revision, params.data.name, params.data.revision, pause=0.0)
    if isinstance(params.weights, ImageNetWeights):
        questions["weights"] = partial(find_weights, params, paths)
    return questions


def _ask_all(questions: Mapping[str, Callable[[], object]]) -> dict[str, str]:
    """Ask side by side, and give up together."""
    # Not in a block of its own, whose end would wait for all of them.
    pool = ThreadPoolExecutor(max_workers=max(1, len(questions)))
    futures = {name: pool.submit(_explain, question) for name, question in questions.items()}
    wait(futures.values(), _NETWORK_LIMIT)
    return {name: future.result() if future.done() else _NO_ANSWER for name, future in futures.items()}


def _explain(question: Callable[[], object]) -> str:
    try:
        question()
    except PipelineError as error:
        return str(error)
    # Each kind of server has its own errors, which may hold secrets: only their names are told.
    except Exception as error:
        reason = error.strerror if isinstance(error, OSError) else None
        return f"cannot be reached ({reason or type(error).__name__})"
    return ""


def _reach_remote(repo: Any, name: str, url: str) -> None:
    if url.startswith(("http://", "https://")):
        _reach_http(url)
        return
    remote = repo.cloud.get_remote(name)
    if remote.fs.protocol == "local":
        if not Path(remote.path).is_dir():
            raise PipelineError("is no folder of this machine")
    else:
        # Whether anything was pushed yet does not matter: it answers.
        remote.fs.exists(remote.path)


def _reach_http(url: str) -> None:
    import requests

    with requests.get(url, stream=True, timeout=_NETWORK_LIMIT) as response:
        # A server need not list a folder to give its files.
        if response.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise PipelineError(f"answers with status {response.status_code}")


PROBES: dict[str, Callable[[Paths], dict[str, Any]]] = {
    "gpus": find_gpus,
    "stages": find_stages,
    "disk": estimate_disk,
    "network": reach_network,
}


def main() -> None:
    """Answer one question about the current folder."""
    signal.alarm(_LIFETIME)
    parser = argparse.ArgumentParser(prog="python -m fusionseq.probes", description="Answer a question of the doctor.")
    parser.add_argument("probe", choices=PROBES)
    arguments = parser.parse_args()

    def run() -> None:
        print(json.dumps(PROBES[arguments.probe](Paths(Path.cwd()))), flush=True)

    run_checked(run)
    sys.stderr.flush()
    # Threads that still wait for the network, or a driver, must not hold the end up.
    os._exit(0)


if __name__ == "__main__":
    main()
