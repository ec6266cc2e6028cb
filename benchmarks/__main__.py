"""`make bench`: measure, print a table, and write benchmarks/results.json and the table of benchmarks/README.md."""

import argparse
import json
import os
import platform
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import tensorflow as tf

from benchmarks.clone import cloning
from benchmarks.cluster import measure_workers
from benchmarks.features import measure_features
from benchmarks.float16 import measure_float16
from benchmarks.flow import measure_flow
from benchmarks.growth import measure_growth
from benchmarks.input import measure_input
from benchmarks.models import measure_models
from benchmarks.needs import tabulate_needs
from benchmarks.rates import measure_rates
from benchmarks.sharing import check_programs, measure_sharing
from benchmarks.table import replace_marked, tabulate
from benchmarks.training import measure_training
from benchmarks.waiting import measure_waiting
from fusionseq.runtime import configure_runtime

THREADS = 2
PARTS = ("training", "features", "models", "input", "growth", "experiments", "sharing", "cluster")
# Those with a record of their own.
APART = ("sharing", "cluster")
FOLDER = Path(__file__).parent


def describe_machine() -> dict[str, str | int]:
    """Tell what the figures were measured on."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.exists() else []
    names = [line.partition(": ")[2] for line in lines if line.startswith("model name")]
    return {
        "processor": names[0] if names else platform.processor(),
        "cores": os.cpu_count() or 1,
        "threads": THREADS,
        "python": platform.python_version(),
        "tensorflow": tf.__version__,
        "keras": version("keras"),
    }


def describe_run(quick: bool) -> dict[str, Any]:
    """Tell when, how and where everything of a record is measured."""
    return {"date": datetime.now(UTC).date().isoformat(), "quick": quick, "machine": describe_machine()}


def measure_all(quick: bool, only: Sequence[str], before: Mapping[str, Any]) -> dict[str, Any]:
    """Measure one thing after the other; sections of the results.

    Parameters
    ----------
    quick
        Whether small cases will do.
    only
        Parts to measure, or none for all; other sections stay as they were before.
    before
        Results of an earlier run, on the same machine.
    """
    results = (dict(before) if only else {}) | describe_run(quick)
    if only and any(before.get(key) != results[key] for key in ("date", "machine")):
        raise SystemExit("error: results.json is of another day or machine; measure all parts on this one.")
    # What takes long and needs a quiet machine comes first.
    parts: dict[str, Callable[[], dict[str, Any]]] = {
        "training": lambda: measure_training(quick),
        "features": lambda: {"features": measure_features(quick)},
        "models": lambda: {"models": measure_models(quick, THREADS)},
        "input": lambda: {"input": measure_input(quick)},
        "growth": lambda: {"growth": measure_growth(quick)},
        "experiments": lambda: measure_experiments(quick),
    }
    for name, measure in parts.items():
        if only and name not in only:
            continue
        print(f"measuring {name} …", flush=True)
        for section, values in measure().items():
            results[section] = results.get(section, {}) | values
    return results


def measure_experiments(quick: bool) -> dict[str, Any]:
    """Measure what runs in a clone of the project."""
    with cloning() as clone:
        sections: dict[str, Any] = {"waiting": measure_waiting(clone, quick)}
        if not quick:
            sections["float16"] = measure_float16(clone)
    return sections


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description="Measure this project against its rivals and its limits.")
    parser.add_argument("--quick", action="store_true", help="a few minutes' look at small cases; writes nothing")
    parser.add_argument("--only", nargs="+", default=[], choices=PARTS, help="measure these parts, and keep the others")
    arguments = parser.parse_args()
    wanted = arguments.only or PARTS
    if "sharing" in wanted:
        check_programs()
    if "cluster" in wanted:
        check_ray()
    configure_runtime(THREADS, "float32", deterministic=True)
    only = [name for name in arguments.only if name not in APART]
    if only or not arguments.only:
        before = json.loads((FOLDER / "results.json").read_text(encoding="utf-8")) if only else {}
        report("results", measure_all(arguments.quick, only, before))
    for name, measure in (("sharing", measure_sharing_apart), ("cluster", measure_cluster)):
        if name in wanted:
            print(f"measuring {name} …", flush=True)
            report(name, describe_run(arguments.quick) | measure(arguments.quick))


def check_ray() -> None:
    """End this program, with what to do, where Ray is not installed."""
    try:
        version("ray")
    except PackageNotFoundError:
        raise SystemExit("error: ray is missing; `make ray` installs it.") from None


def measure_sharing_apart(quick: bool) -> dict[str, Any]:
    """Measure what goes to and from remotes; sections of a record."""
    return {"sharing": measure_sharing(quick)}


def measure_cluster(quick: bool) -> dict[str, Any]:
    """Measure Ray on this machine, and what one image takes; sections of a record, and the machine with its Ray."""
    return {
        "machine": describe_machine() | {"ray": version("ray")},
        "workers": measure_workers(quick),
        "flow": measure_flow(quick),
        "rates": measure_rates(quick, THREADS),
    }


def report(record: str, results: dict[str, Any]) -> None:
    """Print a table, and unless it is a quick look write the record and the tables of the README."""
    tables = {record: tabulate(record, results)}
    if record == "cluster":
        tables["needs"] = tabulate_needs(results)
    print("\n\n".join(tables.values()))
    if not results["quick"]:
        (FOLDER / f"{record}.json").write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
        readme = FOLDER / "README.md"
        text = readme.read_text(encoding="utf-8")
        for name, table in tables.items():
            text = replace_marked(text, name, table)
        readme.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
