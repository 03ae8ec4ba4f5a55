"""The input families that problems share."""

from __future__ import annotations

import re

import numpy as np
import pytest

from qdkernel.core import ArrayArgument, Role
from qdkernel.errors import UnknownName
from qdkernel.problems.families import FAMILIES, shared_families

SHAPES = [(), (0,), (1,), (7,), (4, 0), (5, 6), (3, 4, 5), (2, 3, 2, 4)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("dtype", [np.dtype(np.float64), np.dtype(np.float32)], ids=str)
@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_fills_an_array_of_any_dimensions(name: str, dtype: np.dtype, shape: tuple[int, ...]) -> None:
    values = FAMILIES[name](dtype, shape, np.random.default_rng(1))
    assert isinstance(values, np.ndarray)
    assert (values.shape, values.dtype) == (shape, dtype)
    if values.size:
        finite = values[np.isfinite(values)]
        assert np.abs(finite).max(initial=0) <= (1024 if name == "integers" else 1)
        assert {"impulse": np.count_nonzero(values) == 1, "special": finite.size < values.size}.get(name, True)


def test_a_large_array_is_the_same_whatever_thread_fills_which_half_and_its_halves_differ() -> None:
    fill = FAMILIES["uniform"]
    one, same, other = (fill(np.dtype(np.float64), (1000, 1001), np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert np.array_equal(one, same)
    assert len(np.unique(np.concatenate((one.ravel(), other.ravel())))) > 0.999 * 2 * one.size
    assert abs(one[:500].mean()) < 0.01
    assert abs(one[500:].mean()) < 0.01


def test_subnormal_values_lie_below_the_normal_range() -> None:
    values = FAMILIES["subnormal"](np.dtype(np.float32), (1000,), np.random.default_rng(1))
    assert 0 < np.abs(values).max() < np.finfo(np.float32).tiny


def test_graded_rows_differ_by_most_of_the_digits() -> None:
    rows = np.abs(FAMILIES["graded"](np.dtype(np.float64), (200, 50), np.random.default_rng(1))).max(axis=1)
    assert rows.max() / rows.min() > 1e9


def test_an_unknown_name_lists_the_families() -> None:
    message = "no shared input family 'uniforn'; did you mean 'uniform'? (known: graded, impulse, integers, special"
    with pytest.raises(UnknownName, match=re.escape(message)):
        shared_families(np.dtype(np.float64), (), ("uniforn",))


def test_arrays_that_are_only_written_are_passed_over_and_the_others_differ() -> None:
    x, y = (ArrayArgument(name, Role.IN, lambda case: (9,)) for name in "xy")
    out = ArrayArgument("z", Role.OUT, lambda case: (9,))
    arrays = shared_families(np.dtype(np.float64), (x, y, out))["uniform"]({}, np.random.default_rng(1))
    assert list(arrays) == ["x", "y"]
    assert np.all(arrays["x"] != arrays["y"])
