"""Work on large arrays slab by slab, by two threads: fresh inputs and checks are made while no kernel runs."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

_SLAB = 1 << 17  # elements; 1 MB of float64 stays in a core's second-level cache from one pass to the next
_SHARED = 1 << 18  # elements from which on a second thread pays; starting it takes 0.1 ms


def num_shares(elements: int) -> int:
    """To how many threads the work on an array is shared out: 1, or 2 where it is large."""
    return 1 if elements < _SHARED else 2


def slabs(rows: range, row_elements: int, elements: int) -> Iterator[slice]:
    """Consecutive rows as slices of up to so many elements, of a row at least."""
    step = max(1, elements // max(1, row_elements))
    for first in rows[::step]:
        yield slice(first, min(rows.stop, first + step))


def by_slabs(shape: tuple[int, ...], work: Callable[[slice, int], None]) -> None:
    """Calls ``work(slab, share)`` for all rows of an array, in slabs that stay in a cache.

    A large array is shared out to two threads, half of the rows each; which rows are whose depends on the shape alone.

    Args:
        shape: of the array, of one dimension or more.
        work: gets a range of rows and the number of the share, 0 or 1; shares run at the same time.
    """
    rows, row_elements = shape[0], math.prod(shape[1:])

    def share(own: range, number: int) -> None:
        for slab in slabs(own, row_elements, _SLAB):
            work(slab, number)

    if num_shares(rows * row_elements) == 1:
        share(range(rows), 0)
        return
    with ThreadPoolExecutor(1) as another:
        rest = another.submit(share, range(rows // 2, rows), 1)
        share(range(rows // 2), 0)
        rest.result()
