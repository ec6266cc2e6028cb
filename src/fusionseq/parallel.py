"""Work on all processor cores, in order, with little in memory."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

# Enough that no core waits while one result is handed on, and few enough that memory stays small.
_IN_FLIGHT_PER_CORE = 2


def map_on_cores(
    function: Callable[[Item], Result], items: Iterable[Item], cores: int | None = None
) -> Iterator[Result]:
    """Call a function on each item in threads, one for each core, and yield the results in order.

    Made for Pillow and NumPy, which let other threads run while they work.

    Parameters
    ----------
    function
        What it raises for an item is raised here, once the results before have been handed on.
    items
        Read only a few ahead.
    cores
        How many; None for all that there are.

    Yields
    ------
    Result
        What the function returns for one item after the other.
    """
    cores = cores or len(os.sched_getaffinity(0))
    in_flight: deque[Future[Result]] = deque()
    # Leaving the block, for whatever reason, waits for its threads.
    with ThreadPoolExecutor(cores) as pool:
        for item in items:
            in_flight.append(pool.submit(function, item))
            if len(in_flight) == cores * _IN_FLIGHT_PER_CORE:
                yield in_flight.popleft().result()
        while in_flight:
            yield in_flight.popleft().result()
