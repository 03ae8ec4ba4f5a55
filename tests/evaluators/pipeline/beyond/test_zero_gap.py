"""Calls into which zeros can be put, and the problems that have none."""

from __future__ import annotations

import numpy as np
import pytest

from qdkernel.evaluators.pipeline.beyond.zero_gap import FAR, find_zero_gap
from qdkernel.problems import find_problem


@pytest.mark.parametrize(
    ("name", "extent"),
    [("stencil3d7", "nz"), ("sgemm_batch", "batch"), ("dcg_iteration", "n"), ("dconv2d", "h"), ("atax", "n"),
     ("gemver", "n"), ("doitgen", "nr"), ("covariance", "m"), ("heat3d", "n"), ("fdtd2d", "nx")],
)  # fmt: skip
def test_such_a_call_takes_little_memory(name: str, extent: str) -> None:
    gap = find_zero_gap(find_problem(name), np.random.default_rng())
    assert not isinstance(gap, str)
    assert gap.extent == extent
    far = gap.least(FAR)
    assert far is not None
    assert gap.layout(far).num_bytes < 1 << 30


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("dprefix_sum", "no array of dprefix_sum can have so many, as its extents are of type int"),
        ("dspmv_csr", "no array of dspmv_csr can have so many, as its extents are of type int"),
        ("dfft", "no array of dfft can have so many, as its extents are of type int"),
        ("lu", "a call of lu with arrays so long has 7e+13 operations"),
        ("trisolv", "zeros between the rows of an array change the results of trisolv"),
        ("seidel2d", "zeros between the rows of an array change the results of seidel2d"),
    ],
)
def test_where_there_is_no_such_call_the_reason_is_told(name: str, reason: str) -> None:
    assert find_zero_gap(find_problem(name), np.random.default_rng()) == reason
