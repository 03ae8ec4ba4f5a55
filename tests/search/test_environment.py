"""From a configuration to this machine: where inputs lie when the clock starts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from qdkernel.errors import ConfigError
from qdkernel.problems import find_problem
from qdkernel.search.environment import resolve_cache
from tests.mutators.briefs import MACHINE

CACHES = replace(MACHINE, caches={"L1d": 32 << 10, "L2": 1 << 20, "L3": 32 << 20})


@pytest.mark.parametrize(("n", "cache"), [(16, "L1d"), (64, "L2"), (384, "L3")])
def test_cached_inputs_go_to_the_smallest_cache_that_holds_them(n: int, cache: str) -> None:
    problem = find_problem("dgemm")
    assert resolve_cache(problem, [problem.size_from_int(8), problem.size_from_int(n)], CACHES) == cache


def test_inputs_that_fit_no_cache_cannot_be_cached() -> None:
    problem = find_problem("dgemm")
    with pytest.raises(ConfigError, match=r"holds the arrays of a call, up to .* KiB .*L2 of 1024 KiB.*smaller sizes"):
        resolve_cache(problem, [problem.size_from_int(4096)], CACHES)
    with pytest.raises(ConfigError, match="none is known"):
        resolve_cache(problem, [problem.size_from_int(8)], replace(MACHINE, caches={}))
