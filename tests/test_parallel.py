import os
import threading
import time
from collections.abc import Generator, Iterator
from typing import cast

import pytest

from fusionseq.parallel import map_on_cores

CORES = len(os.sched_getaffinity(0))


class Recorder:
    """Squares numbers, and remembers the threads that did."""

    def __init__(self) -> None:
        self.threads: set[threading.Thread] = set()

    def square(self, number: int) -> int:
        self.threads.add(threading.current_thread())
        if number < 0:
            raise ValueError(f"{number} is negative")
        return number**2

    def is_over(self) -> bool:
        return bool(self.threads) and not any(thread.is_alive() for thread in self.threads)


class Source:
    """Counts on, and remembers how far; longer than any test here should read."""

    def __init__(self) -> None:
        self.read = 0

    def __iter__(self) -> Iterator[int]:
        for number in range(10_000):
            self.read += 1
            yield number


def start(recorder: Recorder, source: Source) -> Generator[int]:
    return cast("Generator[int]", map_on_cores(recorder.square, source))


@pytest.mark.parametrize("num_items", [0, 1, CORES, 100])
def test_each_item_gives_one_result(num_items: int) -> None:
    recorder = Recorder()
    assert list(map_on_cores(recorder.square, range(num_items))) == [number**2 for number in range(num_items)]
    assert threading.current_thread() not in recorder.threads


def test_order_is_kept_where_later_items_are_ready_first() -> None:
    pauses = [0.05, 0.0, 0.02, 0.0] * 3

    def wait(numbered: tuple[int, float]) -> int:
        time.sleep(numbered[1])
        return numbered[0]

    assert list(map_on_cores(wait, enumerate(pauses))) == list(range(len(pauses)))


def test_every_core_has_a_thread() -> None:
    # None gets past it before all are there.
    barrier = threading.Barrier(CORES)
    assert sorted(map_on_cores(lambda _: barrier.wait(timeout=30), range(CORES))) == list(range(CORES))


@pytest.mark.parametrize("cores", [1, CORES + 2])
def test_as_many_threads_work_as_are_asked_for(cores: int) -> None:
    barrier = threading.Barrier(cores)
    recorder = Recorder()

    def square(number: int) -> int:
        barrier.wait(timeout=30)
        return recorder.square(number)

    assert list(map_on_cores(square, range(cores * 4), cores)) == [number**2 for number in range(cores * 4)]
    assert len(recorder.threads) == cores


def test_nothing_is_read_before_the_first_result_is_asked_for_and_few_items_ahead_of_it() -> None:
    source = Source()
    results = start(Recorder(), source)
    assert source.read == 0
    for taken in range(1, 101):
        assert next(results) == (taken - 1) ** 2
        assert 0 <= source.read - taken < 2 * CORES
    results.close()


def test_error_is_raised_after_the_results_before_it() -> None:
    recorder = Recorder()
    results = map_on_cores(recorder.square, [3, 4, 5, -6, 7, -8])
    assert [next(results) for _ in range(3)] == [9, 16, 25]
    with pytest.raises(ValueError, match="-6 is negative"):
        next(results)
    assert recorder.is_over()
    assert list(results) == []


def test_error_of_the_items_is_raised_and_ends_the_threads() -> None:
    recorder = Recorder()

    def read() -> Iterator[int]:
        yield 1
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        list(map_on_cores(recorder.square, read()))
    assert recorder.is_over()


def test_closing_early_stops_reading_and_ends_the_threads() -> None:
    recorder, source = Recorder(), Source()
    results = start(recorder, source)
    assert [next(results) for _ in range(5)] == [0, 1, 4, 9, 16]
    read = source.read
    results.close()
    assert recorder.is_over()
    assert source.read == read


def test_results_that_nobody_wants_end_the_threads() -> None:
    recorder = Recorder()
    for result in map_on_cores(recorder.square, Source()):
        if result > 50:
            break
    assert recorder.is_over()
