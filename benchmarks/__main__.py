"""`make bench`: measure, print a table, and write benchmarks/results.json and the table of benchmarks/README.md."""

import argparse
import json
import os
import platform
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import tensorflow as tf

from benchmarks.clone import cloning
from benchmarks.features import measure_features
from benchmarks.float16 import measure_float16
from benchmarks.growth import measure_growth
from benchmarks.input import measure_input
from benchmarks.models import measure_models
from benchmarks.sharing import check_programs, measure_sharing
from benchmarks.table import replace_table, tabulate
from benchmarks.training import measure_training
from benchmarks.waiting import measure_waiting
from fusionseq.runtime import configure_runtime

THREADS = 2
PARTS = ("training", "features", "models", "input", "growth", "experiments", "sharing")
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
    if not arguments.only or "sharing" in arguments.only:
        check_programs()
    configure_runtime(THREADS, "float32", deterministic=True)
    only = [name for name in arguments.only if name != "sharing"]
    if only or not arguments.only:
        before = json.loads((FOLDER / "results.json").read_text(encoding="utf-8")) if only else {}
        report("results", measure_all(arguments.quick, only, before))
    if not arguments.only or "sharing" in arguments.only:
        print("measuring sharing …", flush=True)
        report("sharing", describe_run(arguments.quick) | {"sharing": measure_sharing(arguments.quick)})


def report(record: str, results: dict[str, Any]) -> None:
    """Print a table, and unless it is a quick look write the record and the table of the README."""
    print(tabulate(record, results))
    if not results["quick"]:
        (FOLDER / f"{record}.json").write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
        readme = FOLDER / "README.md"
        readme.write_text(replace_table(readme.read_text(encoding="utf-8"), record, results), encoding="utf-8")


if __name__ == "__main__":
    main()
