import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fusionseq.errors import PipelineError
from fusionseq.timings import parse_timings

RECORD = json.loads((Path(__file__).parent / "benchmark.json").read_text(encoding="utf-8"))
# The fixture holds one key as well that the paper does not print.
NOT_PRINTED = {("training", "listings_s")}
OPTIONAL = {("models", "vgg16")}


def list_keys(content: dict[str, Any], *above: str) -> Iterator[tuple[str, ...]]:
    for key, value in content.items():
        yield (*above, key)
        if isinstance(value, dict):
            yield from list_keys(value, *above, key)


def change(keys: tuple[str, ...], *values: object) -> bytes:
    """The record with another value, or without the key where there is none."""
    content = json.loads(json.dumps(RECORD))
    section = content
    for key in keys[:-1]:
        section = section[key]
    section.pop(keys[-1], None)
    for value in values:
        section[keys[-1]] = value
    return json.dumps(content).encode()


def read_error(content: bytes) -> str:
    with pytest.raises(PipelineError) as caught:
        parse_timings(content)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith("benchmarks/results.json: ")
    assert message.endswith(". Run `make bench` to record all that the paper prints.")
    return message


def test_a_record_survives() -> None:
    timings = parse_timings(json.dumps(RECORD).encode()).model_dump(mode="json")
    assert set(list_keys(RECORD)) - set(list_keys(timings)) == NOT_PRINTED
    assert timings["date"] == "2026-11-22"
    assert timings["models"] == RECORD["models"]


@pytest.mark.parametrize("keys", sorted(set(list_keys(RECORD)) - NOT_PRINTED - OPTIONAL), ids=".".join)
def test_missing_key_is_named(keys: tuple[str, ...]) -> None:
    assert f" {'.'.join(keys)} is missing." in read_error(change(keys))


@pytest.mark.parametrize("models", [("fusion", "sequential"), ("fusion", "sequential", "another")])
def test_models_beyond_the_two_may_come_and_go(models: tuple[str, ...]) -> None:
    of_models = dict.fromkeys(models, RECORD["models"]["fusion"])
    timings = parse_timings(change(("models",), of_models)).model_dump(mode="json")
    assert timings["models"] == of_models


def test_key_that_is_not_printed_may_be_missing() -> None:
    assert parse_timings(change(("training", "listings_s")))


@pytest.mark.parametrize(
    ("keys", "value"),
    [
        (("date",), "yesterday"),
        (("date",), None),
        (("machine", "processor"), ""),
        (("machine", "cores"), 2.5),
        (("machine", "threads"), 0),
        (("training", "speedup_one_seed"), "3.9"),
        (("training", "over_limit"), float("nan")),
        (("features", "over_limit"), float("inf")),
        (("models", "fusion", "peak_memory_mib"), -1.0),
        (("models", "sequential", "seconds_per_image"), True),
        (("models", "sequential"), 3),
        (("models", "vgg16", "peak_memory_mib"), 0.0),
        (("models", "another"), 3),
    ],
)
def test_what_is_no_measurement_is_refused(keys: tuple[str, ...], value: object) -> None:
    assert f" {'.'.join(keys)}: " in read_error(change(keys, value))


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"\xff", b'{"training": {}}'])
def test_what_is_no_record_is_one_error(content: bytes) -> None:
    read_error(content)


def test_committed_record_is_complete() -> None:
    assert parse_timings((Path(__file__).parents[1] / "benchmarks" / "results.json").read_bytes())
