"""`make bench`: measure, print a table, and write benchmarks/results.json."""

import argparse
import json
import os
import platform
from importlib.metadata import version
from pathlib import Path

from benchmarks.training import measure_training


def describe_machine() -> dict[str, str | int]:
    """Tell what the figures were measured on."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.exists() else []
    names = [line.partition(": ")[2] for line in lines if line.startswith("model name")]
    return {
        "processor": names[0] if names else platform.processor(),
        "cores": os.cpu_count() or 0,
        "python": platform.python_version(),
        "tensorflow": version("tensorflow-cpu"),
        "keras": version("keras"),
    }


def main() -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(description="Measure this project against the source paper's listings.")
    parser.add_argument("--quick", action="store_true", help="a minute's look at a small case")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results.json")
    arguments = parser.parse_args()
    case = (64, 48, 2) if arguments.quick else (512, 96, 5)
    training = dict(zip(("num_images", "image_size", "epochs_per_phase"), case, strict=True)) | measure_training(*case)
    for name, value in training.items():
        print(f"training.{name:32} {value:10.4g}")
    results = {"machine": describe_machine(), "training": training}
    arguments.output.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
