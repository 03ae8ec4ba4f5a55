"""What a kernel sees of the judge's random numbers tells nothing of the others."""

from __future__ import annotations

import copy
from collections.abc import Iterator

import numpy as np
import pytest

from qdkernel.evaluators.measurement import TimingBuffers, TimingRule, buffers, new_generator
from qdkernel.evaluators.measurement.unannounced_cases import respelled_case, smaller_case
from qdkernel.problems import find_problem
from qdkernel.problems.gemm.sketch import GemmSketch

SIZE = {"m": 40, "n": 40, "k": 40}


class Recorded:
    """The generators that were made, in order."""

    def __init__(self) -> None:
        self.made: list[np.random.Generator] = []

    def __call__(self) -> np.random.Generator:
        self.made.append(new_generator())
        return self.made[-1]


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> Recorded:
    found = Recorded()
    monkeypatch.setattr(buffers, "new_generator", found)
    return found


@pytest.fixture
def made(recorded: Recorded) -> Iterator[TimingBuffers]:
    found = TimingBuffers(find_problem("dgemm"), [SIZE], [1e-3], TimingRule())
    yield found
    found.close()


def test_the_state_behind_the_inputs_of_a_call_tells_neither_its_check_nor_later_inputs(
    made: TimingBuffers, recorded: Recorded
) -> None:
    before = len(recorded.made)
    arrays = made.refresh_one(0, "challenger")
    [shown] = recorded.made[before:]
    solved = copy.deepcopy(shown)  # what a kernel knows that has solved the state
    case, secret = made.layout.calls[0].case, made._sketches[0]
    assert isinstance(secret, GemmSketch)
    guessed = made.problem.sketch(case, arrays, copy.deepcopy(solved))
    assert not np.any(guessed.vectors == secret.vectors)
    later = made.refresh_one(0, "challenger")
    predicted = made.problem.make_inputs("uniform", case, solved)
    assert not np.any(predicted["A"] == later["A"])


def test_every_refresh_has_generators_of_its_own_and_checks_never_draw_from_them(
    made: TimingBuffers, recorded: Recorded
) -> None:
    before = list(recorded.made)
    made.refresh(made.sizes[0].calls, ["challenger"])
    first = recorded.made[len(before) :]
    made.refresh(made.sizes[0].calls, ["challenger"])
    second = recorded.made[len(before) + len(first) :]
    assert len(first) == len(second) == 2
    assert not {id(each) for each in first} & {id(each) for each in (*second, *made._secret_rngs)}
    states = [str(each.bit_generator.state) for each in (*recorded.made, *made._secret_rngs[:0])]
    assert len(set(states)) == len(states)


def test_a_change_in_place_touches_one_element_of_each_input_that_is_read(made: TimingBuffers) -> None:
    arrays = made.refresh_one(0, "challenger")
    before = {name: array.copy() for name, array in arrays.items()}
    made.change_in_place(0, "challenger", arrays)
    changed = {name: int(np.sum((array != before[name]) & ~np.isnan(before[name]))) for name, array in arrays.items()}
    assert changed == {"A": 1, "B": 1, "C": 0}


@pytest.mark.parametrize("problem", ["dgemm", "sgemm", "jacobi2d", "stencil3d7", "daxpy"])
def test_sizes_beside_the_scored_ones_are_larger_in_each_extent_and_smaller(problem: str) -> None:
    found = find_problem(problem)
    size = found.size_from_int(64)
    made = TimingBuffers(found, [size], [1e-3], TimingRule())
    try:
        near, below, respelled = (made.layout.calls[index].case for index in (*made.near, *made.respelled))
    finally:
        made.close()
    assert all(size[name] < near[name] <= size[name] + 37 for name in found.size_names)
    assert all(1 <= below[name] <= size[name] for name in found.size_names)
    assert {name: respelled[name] for name in found.size_names} == size
    assert respelled != found.scored_case(size)


def test_sizes_below_the_scored_ones_are_all_large_or_of_any_shape() -> None:
    found = find_problem("dgemm")
    size = found.size_from_int(1000)
    drawn = [smaller_case(found, size, np.random.default_rng(seed)) for seed in range(200)]
    extents = [[case[name] for name in found.size_names] for case in drawn]
    assert sum(min(each) > 131 for each in extents) > 40  # larger than all verified calls in each extent
    assert sum(max(each) > 10 * min(each) for each in extents) > 20
    assert all(1 <= extent <= 1000 for each in extents for extent in each)


@pytest.mark.parametrize("problem", ["dgemm", "stencil3d7", "daxpy", "dscal", "dtrsm"])
def test_a_respelled_call_is_never_the_scored_one(problem: str) -> None:
    found = find_problem(problem)
    size = found.size_from_int(16)
    drawn = [respelled_case(found, size, np.random.default_rng(seed)) for seed in range(100)]
    assert found.scored_case(size) not in drawn


def test_calls_of_large_arrays_make_a_block_that_a_child_maps_soon() -> None:
    found = TimingBuffers(find_problem("daxpy"), [{"n": 1 << 23}], [1e-6], TimingRule())
    try:
        (scored,) = found.sizes
        assert scored.timed == 2
        assert scored.timed * scored.bytes < 2**29
        assert scored.written_bytes == 2**26
    finally:
        found.close()


@pytest.mark.parametrize(("cache_bytes", "calls"), [(np.inf, 16), (5 * 8 * 4 * 200**2, 5), (1.0, 1)])
def test_a_block_has_as_many_calls_as_the_cache_of_its_inputs_holds(cache_bytes: float, calls: int) -> None:
    problem, size = find_problem("dgemm"), {"m": 200, "n": 200, "k": 200}
    assert problem.bytes(problem.scored_case(size)) <= 8 * 4 * 200**2
    found = TimingBuffers(problem, [size], [1e-5], TimingRule(), cache_bytes)
    try:
        assert found.sizes[0].timed == pytest.approx(calls, abs=2)
    finally:
        found.close()
