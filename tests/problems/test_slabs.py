"""Work that is shared out by slabs of rows."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from qdkernel.problems.slabs import by_slabs, num_shares


@pytest.mark.parametrize(("rows", "columns"), [(0, 5), (1, 1), (7, 3), (1000, 1000), (3, 1 << 20), (1 << 20, 1)])
def test_each_row_comes_once_and_the_second_half_of_a_large_array_is_another_share(rows: int, columns: int) -> None:
    count, shares = np.zeros(rows, int), np.zeros(rows, int)

    def work(slab: slice, share: int) -> None:
        count[slab] += 1
        shares[slab] = share

    by_slabs((rows, columns), work)
    assert (count == 1).all()
    at = rows // 2 if num_shares(rows * columns) == 2 else rows
    assert not shares[:at].any()
    assert shares[at:].all()


def test_two_threads_work_on_a_large_array_at_the_same_time() -> None:
    both = threading.Barrier(2, timeout=60)
    at: list[int] = []

    def work(slab: slice, share: int) -> None:
        if share not in at:
            at.append(share)
            both.wait()

    by_slabs((1000, 1000), work)
    assert sorted(at) == [0, 1]


def test_an_error_in_either_share_is_raised() -> None:
    for failing in (0, 1):

        def work(slab: slice, share: int, failing: int = failing) -> None:
            if share == failing:
                raise ValueError(f"share {share}")

        with pytest.raises(ValueError, match=f"share {failing}"):
            by_slabs((1000, 1000), work)
