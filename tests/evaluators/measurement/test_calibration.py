"""The baseline's own speed, from scripted children."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import cast

from qdkernel.evaluators.measurement import TimedCase, TimedProcess, TimingBuffers, calibrate
from qdkernel.evaluators.sandbox import Child
from tests.evaluators.measurement.test_paired import SCORED, TRACK, NoArena, ScriptedChild


def calibrated(times_ns: Iterator[float], delays_ns: Iterator[float], settled: bool = True) -> tuple[float, bool]:
    diary: list[str] = []
    child = ScriptedChild("B", times_ns, diary, delays_ns)
    case = TimedCase(TimedProcess("baseline", cast(Child, child), trusted=True), 0, 1)
    return calibrate(cast(TimingBuffers, NoArena(diary)), SCORED, case, TRACK, 0.001, settled)


def test_blocks_in_which_a_thread_waited_do_not_count() -> None:
    disturbed, quiet = (3e6, 4e6), (1e6, 1e5)
    times_ns, delays_ns = zip(*[disturbed, quiet, disturbed], strict=True)
    assert calibrated(itertools.cycle(times_ns), itertools.cycle(delays_ns)) == (1e6, True)


def test_on_a_host_that_is_never_quiet_the_fastest_block_counts_and_it_is_told() -> None:
    times_ns = itertools.chain([2e6, 1.5e6], itertools.repeat(3e6))
    delays_ns = itertools.chain([0.0], itertools.repeat(4e6))
    assert calibrated(times_ns, delays_ns) == (1.5e6, False)


def test_waits_in_every_block_are_the_baselines_own_only_if_the_cores_were_quiet() -> None:
    always = itertools.repeat(4e6)
    assert calibrated(itertools.repeat(2e6), always, settled=True) == (2e6, True)
    assert calibrated(itertools.repeat(2e6), always, settled=False) == (2e6, False)
