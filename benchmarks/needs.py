"""What a million and a hundred million images would need: worked out from measured rates and stated assumptions."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fusionseq.shards import SHARD_SIZE

NUMBERS = (1_000_000, 100_000_000)
IMAGE_SIZE = 224
# Of an encoded photograph, in bytes: 138 GB in ImageNet's 1,281,167 training images.
ENCODED_BYTES = 110_000
# Of one H100 in float32 without tensor cores, in operations per second as its maker states it, and the share of it that
# whole backbones are assumed to reach.
GPU_RATE, GPU_SHARE = 67e12, 0.3
# In bits per second.
NETWORK_RATE = 10e9
# In dollars: an hour of one GPU and of one core, and a month of 10⁹ bytes.
GPU_HOUR, CORE_HOUR, GB_MONTH = 2.5, 0.04, 0.02

_HOUR = 3600
_DECODED_BYTES = IMAGE_SIZE * IMAGE_SIZE * 3
_PREFIXES = ("", "k", "M", "G", "T", "P")


def work_out(rates: Mapping[str, float], num_images: int) -> dict[str, float]:
    """Work out what some number of images would need, with features in float32 where nothing else is said.

    Parameters
    ----------
    rates
        Of `benchmarks.rates.measure_rates`.
    num_images
        How many.

    Returns
    -------
    dict[str, float]
        Bytes, files, hours of one core or of one GPU, hours of the network, and dollars.
    """
    encoded, decoded = num_images * ENCODED_BYTES, num_images * _DECODED_BYTES
    features = num_images * rates["numbers"] * 4
    decode_hours, frozen_hours = (num_images * rates[f"{stage}_core_s"] / _HOUR for stage in ("decode", "frozen"))
    gpu_hours = num_images * rates["operations"] / (GPU_SHARE * GPU_RATE) / _HOUR
    decode_dollars = CORE_HOUR * decode_hours
    return {
        "encoded_bytes": encoded,
        "decoded_bytes": decoded,
        "features_bytes": features,
        "features_float16_bytes": features / 2,
        # Pixels, and each array of features.
        "files": math.ceil(num_images / SHARD_SIZE) * (1 + rates["arrays"]),
        "decode_core_hours": decode_hours,
        "frozen_core_hours": frozen_hours,
        "frozen_gpu_hours": gpu_hours,
        # One stage reads what is encoded and writes what is decoded, the next reads that and writes features.
        "network_hours": (encoded + 2 * decoded + features) * 8 / NETWORK_RATE / _HOUR,
        "core_dollars": decode_dollars + CORE_HOUR * frozen_hours,
        "gpu_dollars": decode_dollars + GPU_HOUR * gpu_hours,
        "month_dollars": GB_MONTH * (encoded + decoded + features) / 1e9,
    }


def tabulate_needs(results: Mapping[str, Any]) -> str:
    """Write the needs as a table in Markdown, and what they rest on as a list.

    Parameters
    ----------
    results
        A record whose section "rates" was measured.
    """
    rates = results["rates"]
    lines = [
        "| what | one image | " + " | ".join(f"{number:,} images" for number in NUMBERS) + " | from |",
        "|---" * (len(NUMBERS) + 3) + "|",
    ]
    needs = [work_out(rates, number) for number in (1, *NUMBERS)]
    for title, key, write, origin in _ROWS:
        # A single image shares its files with others.
        cells = ["" if key == "files" and not place else write(of[key]) for place, of in enumerate(needs)]
        lines.append(f"| {title} | {' | '.join(cells)} | {origin} |")
    return "\n".join([*lines, "", *(f"- {line}" for line in _list_assumptions(rates))])


def _list_assumptions(rates: Mapping[str, float]) -> Sequence[str]:
    decode_time, frozen_time = (_write_hours(rates[f"{stage}_core_s"] / _HOUR) for stage in ("decode", "frozen"))
    return (
        f"Measured on the machine above: {decode_time} of one core to decode an image, resize it and take "
        f"its perceptual hash, from JPEGs of about 500 by 375 pixels and {write_bytes(rates['drawn_bytes'])}, drawn; "
        f"{frozen_time} of one core in the frozen layers of both backbones, in float32. Other processors, "
        "and more cores that share one memory, have other rates.",
        f"Counted from the models: {rates['operations'] / 1e9:.1f} GFLOP and {rates['numbers']:,.0f} numbers stored "
        f"for each image, in {rates['arrays']:.0f} arrays: at the cuts of the default, and pooled. Where controls has "
        "stacked, it stores more.",
        f"Assumed: {write_bytes(ENCODED_BYTES)} for a photograph, the mean of ImageNet's; one copy of everything. "
        "DVC's cache holds another, unless the file system shares them.",
        f"Assumed, since no GPU was measured in this run: {GPU_SHARE:.0%} of the {GPU_RATE / 1e12:.0f} TFLOP/s that an "
        "H100 has in float32 without tensor cores, and a disk that keeps up with it.",
        f"Assumed: one network of {NETWORK_RATE / 1e9:.0f} Gbit/s to the disk that all machines share, used fully, "
        "through which all goes once for each stage that reads or writes it.",
        f"So {_fill(rates, 'frozen_core_s'):.0f} cores, or {_fill(rates, 'gpu'):.1f} GPUs, fill that network, and more "
        "gain nothing. No network lay between the workers that were measured. Not in the table, "
        "and on one machine alone: `fetch`, and DVC's hashes and copies of all that a stage wrote.",
        f"Assumed prices: ${GPU_HOUR:.2f} for an hour of the GPU, ${CORE_HOUR:.2f} for one of a core, "
        f"${GB_MONTH:.2f} for a gigabyte and month. Starts, idle machines and training are not in them.",
    )


def _fill(rates: Mapping[str, float], device: str) -> float:
    """Work out how many cores or GPUs compute as fast as the network carries."""
    of_image = work_out(rates, 1)
    seconds = of_image["frozen_gpu_hours"] * _HOUR if device == "gpu" else rates[device]
    return seconds / (of_image["network_hours"] * _HOUR)


def write_bytes(number: float) -> str:
    """Write a number of bytes to three digits, with the prefix that makes it short."""
    return f"{_scale(number)}B"


def _scale(number: float) -> str:
    power = min(max(0, int(math.log10(number) // 3)), len(_PREFIXES) - 1) if number else 0
    return f"{_round(number / 1000**power)} {_PREFIXES[power]}"


def _round(number: float) -> str:
    """Write a number to three digits, all of those before the point."""
    decimals = max(0, 2 - math.floor(math.log10(abs(number)))) if number else 0
    return f"{number:,.{decimals}f}"


def _write_hours(hours: float) -> str:
    """Write hours as such, or what a single image takes in milliseconds."""
    return f"{_round(hours)} h" if hours > 0.01 else f"{_round(hours * _HOUR * 1e3)} ms"


def _write_dollars(number: float) -> str:
    return f"${_round(number)}"


_ROWS: tuple[tuple[str, str, Callable[[float], str], str], ...] = (
    ("Encoded images", "encoded_bytes", write_bytes, "assumed"),
    (f"Decoded images of {IMAGE_SIZE} px", "decoded_bytes", write_bytes, "counted"),
    ("Features in float32", "features_bytes", write_bytes, "counted"),
    ("Features in float16", "features_float16_bytes", write_bytes, "counted"),
    (f"Files, in shards of {SHARD_SIZE}", "files", lambda number: f"{number:,.0f}", "counted"),
    ("Decode and resize, time of one core", "decode_core_hours", _write_hours, "measured"),
    ("Frozen layers, time of one core", "frozen_core_hours", _write_hours, "measured"),
    ("or time of one GPU", "frozen_gpu_hours", _write_hours, "counted, at an assumed rate"),
    ("Time of the network", "network_hours", _write_hours, "counted, at an assumed rate"),
    ("Both stages on cores alone", "core_dollars", _write_dollars, "measured, at an assumed price"),
    ("Both stages, the frozen layers on a GPU", "gpu_dollars", _write_dollars, "measured and assumed, see below"),
    ("A month of storage", "month_dollars", _write_dollars, "counted, at an assumed price"),
)
