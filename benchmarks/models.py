"""What each model costs: time per image and epoch, and memory, each in a process of its own."""

import json
import math
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.case import CASE, QUICK_CASE, build, make_case
from benchmarks.training import time_features, train
from fusionseq.model_catalog import MODELS
from fusionseq.runtime import configure_runtime

_REPEATS = 3
# The backbones alone that the source paper has no model of.
_MODELS = (*MODELS, "vgg16")


def measure_models(quick: bool, threads: int) -> dict[str, dict[str, float]]:
    """Measure each model, by its name."""
    results = {}
    for architecture in _MODELS:
        command = [sys.executable, "-m", "benchmarks.models", architecture, str(threads), str(int(quick))]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        results[architecture] = json.loads(done.stdout.splitlines()[-1])
    return results


def measure_model(architecture: str, quick: bool) -> dict[str, float]:
    """Measure one model: training from stored features, then prediction from pixels."""
    case = make_case(*(QUICK_CASE if quick else CASE))
    clock = train(architecture, case, time_features(case, [architecture])[1], 0)
    peak_memory = read_peak_memory()
    model = build(architecture, case, 0)
    seconds = math.inf
    for _ in range(_REPEATS + 1):
        start = time.perf_counter()
        model.predict(case.images, batch_size=case.training.batch_size, verbose=0)
        seconds = min(seconds, time.perf_counter() - start)
    return {
        "seconds_per_image": seconds / len(case.images),
        "seconds_per_epoch_frozen": clock.epoch_s("frozen"),
        "seconds_per_epoch_fine_tuning": clock.epoch_s("fine-tuning"),
        "peak_memory_mib": peak_memory,
    }


def read_peak_memory() -> float:
    """Read the peak resident memory of this process in MiB; getrusage would count the process that started it, too."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def main() -> None:
    """Measure one model in a process of its own, so that its memory is its own, too."""
    architecture, threads, quick = sys.argv[1:]
    configure_runtime(int(threads), "float32", deterministic=True)
    print(json.dumps(measure_model(architecture, bool(int(quick)))))


if __name__ == "__main__":
    main()
