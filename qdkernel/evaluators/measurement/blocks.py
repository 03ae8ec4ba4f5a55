"""One block of calls of one kernel: with its inputs in place, or with inputs that come while it is stopped."""

from __future__ import annotations

from dataclasses import dataclass

from qdkernel.evaluators.measurement.buffers import ScoredSize, TimedCase, TimedProcess, TimingBuffers
from qdkernel.machine import EnergyMeter

_DELAYED_NS, _DELAYED = 200e3, 0.02  # the parent itself delays a team by 50 to 100 us; another process by 1 ms or more


class Busy(Exception):
    """The host keeps the cores busy; the kernel's speed cannot be measured."""


@dataclass(frozen=True)
class CpuPlacement:
    """Where the parent waits while a child runs.

    Attributes:
        cpu: the processor.
        spin: whether the parent may spin there.
        timeout_s: deadline of a block, seconds.
        team: whether the child has more than one thread.
        energy: the host's energy counters; ``None`` where it has none.
    """

    cpu: int
    spin: bool
    timeout_s: float
    team: bool = False
    energy: EnergyMeter | None = None


@dataclass(frozen=True)
class Block:
    """A timed block.

    Attributes:
        ns: nanoseconds per call.
        calls: number of calls.
        delayed_ns: how long the child's threads waited for a processor in the block, altogether.
        joules: energy of a call; ``None`` where the host does not report it.
        busy_ns: of a block with late inputs, processor time of a call since they came; time on the clock where the
            inputs are brought into the caches first.
    """

    ns: float
    calls: int = 1
    delayed_ns: float = 0.0
    joules: float | None = None
    busy_ns: float = 0.0

    def disturbed(self, usual_ns: float = 0.0) -> bool:
        """Whether threads waited longer than ``usual_ns``, as they do in this kernel's blocks on quiet cores."""
        return self.delayed_ns > usual_ns + _DELAYED_NS + _DELAYED * self.ns * self.calls


def probe(
    buffers: TimingBuffers,
    scored: ScoredSize,
    process: TimedProcess,
    placement: CpuPlacement,
    most_s: float | None = None,
) -> Block:
    """One checked call by itself, with late inputs: a first estimate, and for long calls a sample.

    ``most_s`` is the call's own deadline; by default that of a block.

    Raises:
        WrongResult: its result is wrong.
        ChildFailed: it died or was late.
    """
    return time_with_late_inputs(buffers, scored, TimedCase(process, 0, 1), placement, most_s)


def checked_call(
    buffers: TimingBuffers, index: int, process: TimedProcess, placement: CpuPlacement, what: str = "a timed call"
) -> None:
    """Makes one call, as it would be timed, whose inputs are in place, and checks it; ``what`` names it in messages.

    Raises:
        WrongResult: its result is wrong.
        ChildFailed: it died or was late.
    """
    case = buffers.layout.calls[index].case
    with process.attributing_failures({name: int(case[name]) for name in buffers.problem.size_names}):
        process.child.go_on()
        process.child.run(index, 1, placement.timeout_s, cpu=placement.cpu, spin=placement.spin, freeze=True)
        process.child.stop()
    buffers.check(range(index, index + 1), process.name, what)


def time_with_late_inputs(
    buffers: TimingBuffers,
    scored: ScoredSize,
    timed_case: TimedCase,
    placement: CpuPlacement,
    calls_s: float | None = None,
) -> Block:
    """A checked block whose inputs are written while the child is stopped; ``calls_s``: see ``Child.run_on``.

    Raises:
        WrongResult: a result is wrong.
        ChildFailed: it died or was late.
    """
    process, calls = timed_case.process, range(scored.first, scored.first + timed_case.timed)
    used_before_s = 0.0

    def inputs() -> None:
        nonlocal used_before_s
        used_before_s = process.child.cpu_s
        buffers.refresh(calls, [process.name])

    with process.attributing_failures(scored.size):
        process.child.go_on()
        elapsed = process.child.run_on(
            inputs,
            calls.start,
            len(calls),
            placement.timeout_s,
            calls_s=calls_s,
            cpu=placement.cpu,
            spin=placement.spin,
        )
    buffers.check(calls, process.name)
    busy_ns = elapsed if process.child.cached else 1e9 * (process.child.cpu_s - used_before_s)
    return Block(elapsed / len(calls), len(calls), process.child.delayed_ns, busy_ns=busy_ns / len(calls))


def time_block(scored: ScoredSize, timed_case: TimedCase, placement: CpuPlacement) -> Block:
    """One block; the child is stopped before and after.

    Only a trusted kernel is warmed up by calls: in an untimed call a kernel could compute the timed ones ahead, as
    their inputs are in place. The runner wakes a kernel's threads instead.
    """
    child, first = timed_case.process.child, scored.first + timed_case.warm
    with timed_case.process.attributing_failures(scored.size):
        child.go_on()
        if timed_case.warm and timed_case.process.trusted:
            child.run(scored.first, timed_case.warm, placement.timeout_s, cpu=placement.cpu, spin=placement.spin)
        before = placement.energy.read() if placement.energy else ()
        elapsed = child.run(
            first, timed_case.timed, placement.timeout_s, cpu=placement.cpu, spin=placement.spin, freeze=True
        )
        joules = placement.energy.joules(before, placement.energy.read()) if placement.energy else None
        child.stop()
    per_call = None if joules is None else joules / timed_case.timed
    return Block(elapsed / timed_case.timed, timed_case.timed, child.delayed_ns, per_call)
