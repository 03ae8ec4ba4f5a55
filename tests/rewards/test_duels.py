from __future__ import annotations

import pytest

from qdkernel.core import Duel, KernelId
from qdkernel.rewards.duels import ranked_by_duels
from qdkernel.rewards.verdict import Ending, Verdict


def ok(name: str, gflops: float, **more: str) -> Verdict:
    return Verdict(Ending.OK, kernel_id=name, gflops=gflops, **more)  # type: ignore[arg-type]


class TrueSpeeds:
    """Duels by known speeds, 1 % to either side, and who met whom."""

    def __init__(self, speeds: dict[str, float]) -> None:
        self.speeds = speeds
        self.met: list[tuple[str, str]] = []

    def __call__(self, challenger: str, reference: str) -> Duel | None:
        self.met.append((challenger, reference))
        ratio = self.speeds[challenger] / self.speeds[reference]
        return Duel(KernelId(reference), ratio, ratio * 0.99, ratio * 1.01)


def test_each_kernel_meets_the_fastest_once() -> None:
    duels = TrueSpeeds({"a": 10, "b": 8, "c": 6})
    found = ranked_by_duels([ok("c", 6), ok("a", 10), ok("b", 8)], duels)
    assert [verdict.relative for verdict in found] == [pytest.approx(0.6), 1.0, pytest.approx(0.8)]
    assert duels.met == [("b", "a"), ("c", "a")]


def test_drift_in_single_timings_is_mended_by_the_duels() -> None:
    duels = TrueSpeeds({"a": 8, "b": 10})  # a was timed while the host was fast
    found = ranked_by_duels([ok("a", 12), ok("b", 10)], duels)
    assert [verdict.relative for verdict in found] == [pytest.approx(0.8), 1.0]


def test_kernels_that_their_duel_does_not_tell_apart_are_tied() -> None:
    found = ranked_by_duels([ok("a", 10), ok("b", 9)], TrueSpeeds({"a": 10, "b": 9.95}))
    assert [verdict.tied for verdict in found] == [True, True]


def test_equal_code_is_not_timed_against_itself_and_failures_stay_as_they_are() -> None:
    duels = TrueSpeeds({"a": 10, "b": 5.5})
    verdicts = [ok("a", 10), ok("x", 10, duplicate_of="a"), ok("b", 5.5), Verdict(Ending.WRONG)]
    found = ranked_by_duels(verdicts, duels)
    assert duels.met == [("b", "a")]
    assert [verdict.relative for verdict in found] == [1.0, 1.0, pytest.approx(0.55), None]


def test_a_kernel_that_is_far_slower_needs_no_duel() -> None:
    duels = TrueSpeeds({"a": 10, "b": 1})
    found = ranked_by_duels([ok("a", 10), ok("b", 1)], duels)
    assert duels.met == []
    assert found[1].relative == pytest.approx(0.1)


def test_a_duel_that_came_to_nothing_leaves_the_single_timing() -> None:
    found = ranked_by_duels([ok("a", 10), ok("b", 8)], lambda a, b: None)
    assert found[1].relative == pytest.approx(0.8)
