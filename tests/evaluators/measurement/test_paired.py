"""When a measurement is long enough, which rounds count, and in which order blocks run; with scripted children."""

from __future__ import annotations

import contextlib
import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest

from qdkernel.evaluators.measurement import (
    Busy,
    CpuPlacement,
    PairedSamples,
    QuietCores,
    ScoredSize,
    TimedCase,
    TimedProcess,
    TimingBuffers,
    TimingRule,
    time_pairs,
)
from qdkernel.evaluators.pipeline import TimingSpec
from qdkernel.evaluators.sandbox import Child, PrecomputationDetected

SCORED = ScoredSize(
    size={"n": 8}, flops=1e6, least_flops=1e6, bytes=1.0, least_bytes=1.0, written_bytes=0, first=0, warm=0, timed=1
)
TRACK = CpuPlacement(cpu=0, spin=False, timeout_s=1.0)
RULE = TimingRule(budget_s=0.0)  # every race is late at once, so nothing depends on the clock
PATIENT = TimingRule(budget_s=1e9)


class ScriptedChild:
    """Takes the next time and delay of its script for each block, and writes down that it ran."""

    cached = False
    waking_ns = 0.0  # that a late block takes longer by the clock, but not by processor time

    def __init__(
        self, name: str, times_ns: Iterator[float], diary: list[str], delays_ns: Iterator[float] | None = None
    ) -> None:
        self._name, self._times_ns, self._diary = name, times_ns, diary
        self._delays_ns = delays_ns or itertools.repeat(0.0)
        self.delayed_ns = self.cpu_s = 0.0

    def run(self, *_: Any, **__: Any) -> float:  # Any: whatever a child is told
        self._diary.append(self._name)
        self.delayed_ns = next(self._delays_ns)
        elapsed_ns = next(self._times_ns)
        self.cpu_s += 1e-9 * elapsed_ns
        return elapsed_ns

    def run_on(self, inputs: Callable[[], None], *_: Any, **__: Any) -> float:  # Any: see above
        self._diary.append(f"{self._name} stands ready")
        inputs()
        return self.run() + self.waking_ns

    def go_on(self) -> None:
        pass

    def stop(self) -> None:
        pass


class ScriptedCores:
    """Cores that the next waits find quiet or not, as scripted; writes down that somebody waited."""

    def __init__(self, quiet: Iterator[bool], diary: list[str]) -> None:
        self._quiet, self._diary = quiet, diary

    def wait(self, patience_s: float) -> bool:
        assert 0 < patience_s <= RULE.quiet_s
        self._diary.append("wait")
        return next(self._quiet)


class NoArena:
    """Inputs and outputs of scripted children."""

    def __init__(self, diary: list[str]) -> None:
        self._diary = diary

    def refresh(self, *_: Any, **__: Any) -> None:  # Any: the arguments of TimingBuffers.refresh
        self._diary.append("inputs")

    def check(self, *_: Any) -> None:  # Any: see above
        pass


def race_of(
    kernel_ns: Iterator[float],
    reference_ns: Iterator[float],
    rule: TimingRule,
    quiet_ns: float | None = 100.0,
    seed: int = 0,
    trusted: bool = True,
    kernel_delays_ns: Iterator[float] | None = None,
    reference_delays_ns: Iterator[float] | None = None,
    placement: CpuPlacement = TRACK,
    quiet: Iterator[bool] | None = None,
) -> tuple[PairedSamples, list[str]]:
    diary: list[str] = []
    kernel, reference = (
        TimedProcess(name, cast(Child, ScriptedChild(name, times_ns, diary, delays_ns)), trusted or name == "B")
        for name, times_ns, delays_ns in (("A", kernel_ns, kernel_delays_ns), ("B", reference_ns, reference_delays_ns))
    )
    samples = time_pairs(
        cast(TimingBuffers, NoArena(diary)),
        SCORED,
        TimedCase(kernel, 0, 1),
        TimedCase(reference, 0, 1, quiet_ns),
        rule,
        placement,
        cast(QuietCores, ScriptedCores(quiet or itertools.repeat(True), diary)),
        np.random.default_rng(seed),
    )
    return samples, diary


def wobbling(around_ns: float, width: float, seed: int = 1) -> Iterator[float]:
    rng = np.random.default_rng(seed)
    return (around_ns * float(factor) for factor in iter(lambda: rng.uniform(1 - width, 1 + width), None))


def test_blocks_run_in_abba_order_drawn_anew_for_every_two_rounds() -> None:
    rule = TimingRule(rounds_min=64, rounds_max=64, budget_s=1e9)
    _, diary = race_of(itertools.repeat(50.0), itertools.repeat(100.0), rule)
    blocks = [timed_case for timed_case in diary if timed_case in "AB"]
    cycles = ["".join(blocks[at : at + 4]) for at in range(0, len(blocks), 4)]
    assert len(cycles) == 32
    assert set(cycles) == {"ABBA", "BAAB"}
    assert len(set(itertools.pairwise(cycles))) == 4  # no fixed alternation


def in_rounds(kernel_ns: float, *afterwards_ns: float) -> Iterator[float]:
    """A kernel's times in as many rounds as ``PATIENT`` asks for, and then."""
    return itertools.chain(itertools.repeat(kernel_ns, PATIENT.rounds_min), afterwards_ns)


def test_a_speed_is_confirmed_on_inputs_that_come_while_the_kernel_is_stopped() -> None:
    steady = itertools.repeat(1e6)
    samples, diary = race_of(in_rounds(5e5, 7e6, 5.5e5, *[5e5] * 6), steady, PATIENT, 1e6, trusted=False)
    assert samples.kernel_ns == (5e5,) * PATIENT.rounds_min
    assert diary[-21:] == ["A stands ready", "inputs", "A"] * 2 + ["A stands ready", "inputs", "A", "inputs", "A"] * 3


@pytest.mark.parametrize(("late_ns", "counted_ns"), [(5.3e5, 5e5), (5.86e5, 5.5e5)], ids=["noise", "clearly slower"])
def test_what_late_blocks_take_longer_than_others_is_added(late_ns: float, counted_ns: float) -> None:
    pairs = itertools.cycle([late_ns, 5e5])
    times_ns = itertools.chain(in_rounds(5e5, 5e5), pairs)  # the first block after the rounds confirms roughly
    samples, _ = race_of(times_ns, itertools.repeat(1e6), PATIENT, 1e6, trusted=False)
    assert samples.kernel_ns == pytest.approx((counted_ns,) * PATIENT.rounds_min)


def test_what_a_late_block_takes_to_wake_up_is_not_added(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ScriptedChild, "waking_ns", 8e4)
    samples, _ = race_of(itertools.repeat(5e5), itertools.repeat(1e6), PATIENT, 1e6, trusted=False)
    assert samples.kernel_ns == (5e5,) * PATIENT.rounds_min


def test_late_blocks_are_compared_with_others_of_the_same_moment() -> None:
    drifting = (5.7e5 for _ in itertools.count())
    times_ns = itertools.chain(in_rounds(5e5, 5e5), drifting)
    samples, _ = race_of(times_ns, itertools.repeat(1e6), PATIENT, 1e6, trusted=False)
    assert samples.kernel_ns == (5e5,) * PATIENT.rounds_min


def test_who_is_slower_in_every_late_block_than_in_the_one_after_it_computed_ahead() -> None:
    times_ns = itertools.chain(in_rounds(5e5, 5e5), itertools.cycle([6.01e5, 5e5]))
    with pytest.raises(
        PrecomputationDetected, match=r"computes before the clock runs: it is 1\.15 times slower when its inputs come"
    ):
        race_of(times_ns, itertools.repeat(1e6), PATIENT, 1e6, trusted=False)


def test_who_is_slow_on_inputs_that_come_while_it_is_stopped_computed_ahead() -> None:
    steady = itertools.repeat(1e6)
    with pytest.raises(
        PrecomputationDetected, match=r"computes before the clock runs: it is 3.0 times slower when its"
    ):
        race_of(in_rounds(5e5, *[1.5e6] * 12), steady, PATIENT, 1e6, trusted=False)
    with pytest.raises(Busy, match=r"a kernel was 1.8 times slower when its inputs come while it is stopped"):
        race_of(in_rounds(5e5, *[9e5] * 12), steady, PATIENT, 1e6, trusted=False)


def test_a_drift_that_is_linear_in_time_cancels_within_every_two_rounds() -> None:
    clock = itertools.count()
    samples, _ = race_of(
        (100.0 + next(clock) for _ in itertools.count()), (100.0 + next(clock) for _ in itertools.count()), RULE, None
    )
    kernel, reference = (np.array(ns).reshape(-1, 2).sum(axis=1) for ns in (samples.kernel_ns, samples.reference_ns))
    assert np.array_equal(kernel, reference)


def test_a_steady_ratio_needs_the_fewest_rounds() -> None:
    samples, _ = race_of(itertools.repeat(50.0), itertools.repeat(100.0), PATIENT)
    assert samples.kernel_ns == (50.0,) * PATIENT.rounds_min
    assert set(samples.ratios) == {2.0}


def test_an_uncertain_ratio_gets_more_rounds_up_to_the_most() -> None:
    samples, _ = race_of(wobbling(50, 0.1), itertools.repeat(100.0), PATIENT)
    assert len(samples.kernel_ns) == PATIENT.rounds_max


def test_rounds_with_a_disturbed_reference_do_not_count() -> None:
    samples, _ = race_of(itertools.repeat(50.0), itertools.cycle([100.0, 100.0, 180.0, 100.0]), PATIENT)
    assert set(samples.reference_ns) == {100.0}
    assert len(samples.reference_ns) >= PATIENT.rounds_min


@pytest.mark.parametrize("slower", [1.3, 3.0])
def test_a_reference_slower_than_on_quiet_cores_makes_no_kernel_faster(slower: float) -> None:
    samples, _ = race_of(itertools.repeat(50.0), itertools.repeat(100.0 * slower), RULE)
    assert set(samples.reference_ns) == {100.0 * slower}
    assert set(samples.ratios) == {2.0}


def test_a_drift_of_both_cancels_up_to_a_disturbance() -> None:
    samples, _ = race_of(itertools.repeat(55.0), itertools.repeat(110.0), PATIENT)
    assert set(samples.ratios) == {2.0}


def test_on_a_slower_host_a_round_slower_still_does_not_count() -> None:
    samples, _ = race_of(itertools.repeat(70.0), itertools.cycle([140.0, 140.0, 260.0, 140.0, 140.0, 140.0]), RULE)
    assert set(samples.reference_ns) == {140.0}


def test_a_ratio_that_stays_uncertain_is_marked_as_one_of_a_busy_host() -> None:
    samples, _ = race_of(wobbling(50, 0.9), itertools.repeat(100.0), RULE)
    assert not samples.quiet
    assert len(samples.kernel_ns) >= RULE.rounds_max


@pytest.mark.parametrize("delayed", ["kernel", "reference"])
def test_rounds_in_which_a_thread_waited_for_its_core_do_not_count(delayed: str) -> None:
    times_ns, delays_ns = itertools.cycle([5e6, 9e6, 5e6]), itertools.cycle([1e5, 4e6, 1e5])
    steady = itertools.repeat(5e6)
    if delayed == "kernel":
        samples, _ = race_of(times_ns, steady, PATIENT, 5e6, kernel_delays_ns=delays_ns)
    else:
        samples, _ = race_of(steady, times_ns, PATIENT, 9e6, reference_delays_ns=delays_ns)
    assert set(samples.ratios) == {1.0}
    assert samples.quiet


def test_waits_in_every_block_are_the_kernels_own_doing() -> None:
    samples, _ = race_of(
        itertools.repeat(5e6), itertools.repeat(5e6), PATIENT, 5e6, kernel_delays_ns=itertools.repeat(3e6)
    )
    assert samples.kernel_ns == (5e6,) * PATIENT.rounds_min
    assert samples.quiet


def test_two_rounds_disturbed_alike_wait_for_quiet_cores() -> None:
    samples, diary = race_of(
        itertools.chain([9e6] * 4, itertools.repeat(5e6)),
        itertools.repeat(5e6),
        PATIENT,
        5e6,
        kernel_delays_ns=itertools.chain([4e6] * 4, itertools.repeat(0.0)),
        quiet=iter([False, True]),
    )
    assert set(samples.ratios) == {1.0}
    assert samples.quiet
    assert diary.count("wait") == 2


@pytest.mark.parametrize("first_rounds", [None, 2])
def test_no_wait_for_quiet_cores_is_longer_than_the_rule_says(first_rounds: int | None) -> None:
    spec = TimingSpec((), 1, 1.0, 1.0, 1, rule=TimingRule(budget_s=0.0, quiet_s=0.0), first_rounds=first_rounds)
    always = itertools.repeat(4e6)
    _, diary = race_of(itertools.repeat(5e6), itertools.repeat(5e6), spec.first_rule, 5e6, kernel_delays_ns=always)
    assert "wait" not in diary
    assert TimingSpec((), 1, 1.0, 1.0, 1).first_rule.quiet_s < TimingRule.quiet_s  # a first estimate decides little


def test_a_measurement_waits_a_few_times_only() -> None:
    samples, diary = race_of(
        itertools.repeat(9e6),
        itertools.repeat(5e6),
        RULE,
        5e6,
        kernel_delays_ns=itertools.repeat(4e6),
        quiet=itertools.repeat(False),
    )
    assert not samples.quiet
    assert diary.count("wait") == 6


def test_on_a_host_that_is_never_quiet_the_ratio_is_to_the_reference_on_quiet_cores() -> None:
    delays_ns = itertools.chain([0.0], itertools.repeat(4e6))
    samples, _ = race_of(
        itertools.repeat(5e6),
        itertools.repeat(8e6),
        RULE,
        5e6,
        reference_delays_ns=delays_ns,
        quiet=itertools.repeat(False),
    )
    assert set(samples.ratios) == {1.0}
    assert not samples.quiet


@pytest.mark.parametrize(
    ("kernel_ns", "hopeful", "rounds"),
    [(50.0, None, 2), (101.0, None, 2), (90.0, None, 6), (100.0, None, 6), (99.0, 1.015, 2), (97.0, 1.015, 6)],
)
def test_two_rounds_decide_for_a_kernel_far_ahead_and_against_one_behind(
    kernel_ns: float, hopeful: float | None, rounds: int
) -> None:
    rule = TimingRule(rounds_min=6, rounds_max=6, budget_s=1e9, tie=0.015, decisive=1.3, hopeful=hopeful)
    samples, _ = race_of(itertools.repeat(kernel_ns), itertools.repeat(100.0), rule, quiet_ns=None)
    assert len(samples.kernel_ns) == rounds


def test_no_quiet_cores_are_awaited_for_a_challenger_that_disturbed_rounds_show_to_be_hopeless() -> None:
    rule = TimingRule(budget_s=1e9, disturbed=math.inf, tie=0.015, decisive=1.3, hopeful=1.015)
    samples, _ = race_of(
        itertools.repeat(5e6),
        itertools.repeat(5e6),
        rule,
        quiet_ns=None,
        kernel_delays_ns=itertools.repeat(4e6),
        quiet=itertools.repeat(False),
    )
    assert len(samples.kernel_ns) == 4
    assert not samples.quiet


@pytest.mark.parametrize(("kernel_ns", "rounds"), [((97.0, 103.0, 103.0), 6), ((103.0, 97.0, 97.0), 16)])
def test_a_duel_ends_early_for_a_challenger_that_is_behind_at_the_median(
    kernel_ns: tuple[float, ...], rounds: int
) -> None:
    rule = TimingRule(rounds_min=6, rounds_max=16, half_width=0.0, budget_s=1e9, tie=0.015, decisive=1.3)
    samples, _ = race_of(itertools.cycle(kernel_ns), itertools.repeat(100.0), rule, quiet_ns=None)
    assert len(samples.kernel_ns) == rounds


def test_a_duel_of_slow_kernels_ends_when_its_time_is_over() -> None:
    rule = TimingRule(rounds_min=6, rounds_max=6, tie=0.015, decisive=1.3, most_s=0.0)
    samples, _ = race_of(itertools.repeat(90.0), itertools.repeat(100.0), rule, quiet_ns=None)
    assert len(samples.kernel_ns) == 2


@pytest.mark.parametrize(("round_s", "rounds"), [(3e-3, 6), (0.012, 5), (0.022, 2), (10.0, 2)])
def test_a_measurement_of_long_calls_has_as_many_rounds_as_fit_its_budget(round_s: float, rounds: int) -> None:
    assert TimingRule(budget_s=0.12).within_budget(round_s).rounds_min == rounds


@pytest.mark.parametrize(("team", "accused"), [(False, True), (True, False)])
def test_a_team_of_threads_may_take_longer_to_wake_up_than_a_short_block_takes(team: bool, accused: bool) -> None:
    times_ns = in_rounds(2e4, *[5e5] * 12)
    placement = replace(TRACK, team=team)
    with pytest.raises(PrecomputationDetected) if accused else contextlib.nullcontext():
        race_of(times_ns, itertools.repeat(1e4), PATIENT, 1e4, trusted=False, placement=placement)


def test_who_asks_for_no_certainty_gets_what_there_is() -> None:
    samples, _ = race_of(wobbling(50, 0.9), itertools.repeat(100.0), TimingRule(budget_s=0.0, disturbed=1000))
    assert len(samples.kernel_ns) >= RULE.rounds_min


@pytest.mark.parametrize(("kernel_ns", "ends_early"), [(80.0, True), (125.0, True), (100.0 / 1.015, False)])
def test_a_duel_ends_as_soon_as_it_is_decided(kernel_ns: float, ends_early: bool) -> None:
    rule = TimingRule(rounds_min=6, rounds_max=16, half_width=0.0, budget_s=1e9, tie=0.015)
    samples, _ = race_of(wobbling(kernel_ns, 0.02), wobbling(100, 0.02, seed=2), rule, quiet_ns=None)
    assert (len(samples.kernel_ns) < 16) == ends_early


def test_calls_of_a_slow_kernel_are_not_hurried_below_the_fewest_rounds() -> None:
    samples, _ = race_of(itertools.repeat(5e8), itertools.repeat(100.0), RULE)
    assert len(samples.kernel_ns) == RULE.rounds_min
