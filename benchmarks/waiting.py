"""How long a person waits: for nothing, for a stage to start, for one more seed, and for another head."""

from typing import Any

from benchmarks.clone import Clone

WARM_REPEATS = 3
START_REPEATS = 2


def measure_waiting(clone: Clone, quick: bool) -> dict[str, float]:
    """Measure in a clone. Uncommitted changes are not in it; a quick look trains nothing."""
    results = {"warm_repro_s": min(clone.time("dvc", "repro") for _ in range(WARM_REPEATS))}
    for path in sorted((clone.folder / "src" / "fusionseq" / "stages").glob("[!_]*.py")):
        command = ("python", "-m", f"fusionseq.stages.{path.stem}", "--help")
        results[f"start_{path.stem}_s"] = min(clone.time(*command) for _ in range(START_REPEATS))
    if quick:
        return results
    clone.edit_params(_add_seed)
    results["one_more_seed_s"] = clone.time("dvc", "repro")
    clone.reset()
    clone.edit_params(_take_ten_seeds)
    results["seven_more_seeds_s"] = clone.time("dvc", "repro")
    clone.reset()
    clone.edit_params(_halve_head)
    results["head_only_s"] = clone.time("dvc", "repro")
    clone.reset()
    return results


def _add_seed(content: dict[str, Any]) -> None:
    content["seeds"].append(max(content["seeds"]) + 1)


def _take_ten_seeds(content: dict[str, Any]) -> None:
    content["seeds"] = list(range(10))


def _halve_head(content: dict[str, Any]) -> None:
    content["head"]["units"] //= 2
