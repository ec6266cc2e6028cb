"""What is asked for again, and when. The hub's requests in test_hub go through it as well."""

import time
from collections.abc import Callable, Iterator

import pytest
from hub import LocalHub
from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError

from fusionseq.datasets.retrying import retry

NAME = "acme/noise"


@pytest.fixture
def hub() -> Iterator[LocalHub]:
    with LocalHub() as hub:
        hub.publish(NAME, {"README.md": b""})
        yield hub


def ask(hub: LocalHub) -> Callable[[], object]:
    api = HfApi(endpoint=hub.endpoint, token=False)
    return lambda: api.dataset_info(NAME)


def test_four_attempts_are_made(hub: LocalHub) -> None:
    hub.fail("/api/", 502, times=3)
    retry(ask(hub), pause=0)
    assert len(hub.requests) == 4
    hub.fail("/api/", 502, times=4)
    with pytest.raises(HfHubHTTPError):
        retry(ask(hub), pause=0)
    assert len(hub.requests) == 8


@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_what_will_not_pass_is_asked_for_once(hub: LocalHub, status: int) -> None:
    hub.fail("/api/", status)
    with pytest.raises(HfHubHTTPError):
        retry(ask(hub), pause=0)
    assert len(hub.requests) == 1


def test_a_full_disk_is_no_passing_fault() -> None:
    attempts = []

    def write() -> None:
        attempts.append(1)
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        retry(write, pause=0)
    assert len(attempts) == 1


def test_pauses_grow(hub: LocalHub) -> None:
    hub.fail("/api/", 500, times=2)
    start = time.monotonic()
    retry(ask(hub), pause=0.1)
    assert time.monotonic() - start >= 0.1 + 0.2


@pytest.mark.parametrize("headers", [{"Retry-After": "1"}, {"RateLimit": '"api";r=0;t=1'}])
def test_the_hub_may_ask_for_a_pause(hub: LocalHub, headers: dict[str, str]) -> None:
    hub.fail("/api/", 429, headers=headers)
    start = time.monotonic()
    retry(ask(hub), pause=0)
    assert time.monotonic() - start >= 1
