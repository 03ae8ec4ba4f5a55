"""A kernel and what happened to it when it was evaluated."""

from __future__ import annotations

import enum
import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NewType

from qdkernel.core.axes import AXES
from qdkernel.core.cells import Cell

KernelId = NewType("KernelId", str)
"""SHA-256 of a kernel's source, 64 hexadecimal digits."""


class Outcome(enum.StrEnum):
    """How an evaluation ended; closed: every evaluation has exactly one."""

    OK = "ok"
    """Compiled, verified, timed, plausible."""
    DUPLICATE = "duplicate"
    """Equal to an earlier kernel after normalisation, or compiled to the same machine code."""
    POLICY_VIOLATION = "policy_violation"
    """Source or object breaks the policy (size, includes, symbols, instructions ...)."""
    COMPILE_ERROR = "compile_error"
    """The contained compiler or linker rejected it, or ran out of its limits."""
    CRASHED = "crashed"
    """The contained child died or left without finishing its calls."""
    TIMEOUT = "timeout"
    """A step passed its deadline."""
    OUTSIDE_STAGE = "outside_stage"
    """Uses a technique that the stage it was proposed in does not permit, or lacks one that it requires."""
    WRONG = "wrong"
    """A result outside the error bound, or memory written that is not the kernel's to write."""
    RACE = "race"
    """Two of its threads access the same memory, at least one of them writing, and nothing orders them."""
    IMPLAUSIBLE = "implausible"
    """Faster than the machine's measured peaks allow."""
    LOST = "lost"
    """The evaluator itself was killed or failed; no evidence about the kernel."""


@dataclass(frozen=True)
class Kernel:
    """One C translation unit that defines the problem's function."""

    source: str

    @cached_property
    def id(self) -> KernelId:
        """Identity: SHA-256 of the source."""
        return KernelId(hashlib.sha256(self.source.encode("utf-8", "surrogateescape")).hexdigest())


@dataclass(frozen=True)
class Timing:
    """One scored size, timed in blocks interleaved with a reference kernel (the baseline, or the incumbent).

    Attributes:
        size: the scored size, e.g. ``{"m": 512, "n": 512, "k": 512}``.
        flops: floating-point operations of one call.
        bytes: bytes one call streams by the problem's convention.
        block_calls: calls in one timed block.
        kernel_ns: time of one call in each block, nanoseconds, by the parent's clock.
        reference_ns: the same for the reference kernel, block ``i`` beside block ``i``.
        ratio: median over blocks of reference time / kernel time; above 1 the kernel is faster. On a host that was
            slow throughout, and for kernels of which one call takes longer than a measurement may, the calibrated
            reference time is used instead of a measured one.
        ratio_low: lower end of the ratio's 95 % bootstrap interval.
        ratio_high: upper end.
        gflops: GFLOP/s of the kernel with the machine's drift cancelled: ``ratio`` times the run-long GFLOP/s of
            the reference.
        quiet: whether the reference was timed beside the kernel and about as fast as on quiet cores; otherwise the
            kernel may have been slowed down, and ``ratio`` and ``gflops`` are too low rather than too high.
        bound: whether the kernel was stopped after ``kernel_ns``; ``ratio`` and ``gflops`` are upper bounds, and its
            result at this size was never seen. Only of seeds.
        joules: energy of one call, all processor packages together, whatever else ran on them included; ``None`` where
            the host does not report it, or a single call is all that was timed.
    """

    size: Mapping[str, int]
    flops: float
    bytes: float
    block_calls: int
    kernel_ns: tuple[float, ...]
    reference_ns: tuple[float, ...]
    ratio: float
    ratio_low: float
    ratio_high: float
    gflops: float
    quiet: bool = True
    bound: bool = False
    joules: float | None = None

    @property
    def gflop_per_joule(self) -> float | None:
        """Operations by energy, which is GFLOP/s by watts; ``None`` where the energy is not known."""
        return 1e-9 * self.flops / self.joules if self.joules else None

    @property
    def gbytes_per_s(self) -> float:
        """Streamed GB/s at the drift-cancelled speed."""
        return self.gflops * self.bytes / self.flops


@dataclass(frozen=True)
class VerificationResult:
    """What the correctness step found, up to the first wrong result.

    Attributes:
        error_ratio: largest error met, in units of the arithmetic's rounding error; infinite for a wrong result.
        error_limit: largest accepted.
        rule: what errors are measured against, ``componentwise`` or ``normwise``.
        calls: calls judged, over all numbers of threads.
        deterministic: whether two runs with all threads left the same bits; ``None`` when it did not come to that.
    """

    error_ratio: float
    error_limit: float
    rule: str
    calls: int
    deterministic: bool | None = None


@dataclass(frozen=True)
class Fault:
    """How a verified kernel failed when it was timed later.

    Attributes:
        outcome: ``wrong`` or ``crashed``.
        detail: what happened.
    """

    outcome: Outcome
    detail: str


@dataclass(frozen=True)
class Duel:
    """A challenger timed against the incumbent of its cell in one interleaved measurement.

    Attributes:
        incumbent: the elite of the cell.
        ratio: incumbent time / challenger time, median over blocks and geometric mean over sizes; above 1 the
            challenger is faster. Infinite, as its bounds are, when the incumbent failed.
        low: lower end of the ratio's 95 % bootstrap interval.
        high: upper end.
        kernel_ns: time of one call of the challenger in each block, nanoseconds; one row per scored size.
        incumbent_ns: the same for the incumbent, block ``i`` beside block ``i``.
        fault: how the incumbent failed.
    """

    incumbent: KernelId
    ratio: float
    low: float
    high: float
    kernel_ns: tuple[tuple[float, ...], ...] = ()
    incumbent_ns: tuple[tuple[float, ...], ...] = ()
    fault: Fault | None = None


@dataclass(frozen=True)
class Behaviour:
    """Which techniques a kernel uses.

    Attributes:
        cell: level indices, one per axis.
        evidence: the facts behind them, e.g. ``{"simd": "512-bit FMA x24 in dgemm"}``.
    """

    cell: Cell
    evidence: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Measured:
    """How fast a kernel is.

    Attributes:
        objective: GFLOP/s, geometric mean over the scored sizes.
        timings: one per scored size.
        duel: the duel with the cell's incumbent, when there was one.
    """

    objective: float
    timings: tuple[Timing, ...] = ()
    duel: Duel | None = None

    @property
    def bound(self) -> bool:
        """Whether the objective is an upper bound, as a call at a scored size was stopped."""
        return any(timing.bound for timing in self.timings)


@dataclass(frozen=True)
class CodeHashes:
    """By what equal kernels are recognized; ``None`` where the evaluation ended before the hash was taken.

    Attributes:
        normal: hash of the token-normal form of the source.
        assembly: hash of the assembly at ``-O0``, by which published work groups kernels.
        object: hash of machine code, data and relocations.
    """

    normal: str | None = None
    assembly: str | None = None
    object: str | None = None

    @property
    def identities(self) -> tuple[str, ...]:
        """The hashes that make a kernel a duplicate of an earlier one with the same."""
        return tuple(code for code in (self.normal, self.object) if code)


@dataclass(frozen=True)
class Evaluation:
    """What happened to one kernel.

    Attributes:
        kernel_id: which kernel.
        outcome: how it ended.
        detail: text that a person or a model can act on; may be empty.
        behaviour: measured behaviour; ``None`` when the evaluation ended before step 5.
        measured: speed; always there when the outcome is ``ok``, and when the kernel failed after it was timed.
        verification: what the correctness step found; ``None`` when the evaluation ended before.
        duplicate_of: the earlier kernel this one equals.
        hashes: of source, assembly and object, as far as the evaluation came.
        step_s: seconds spent in each step, by step name; ``kernels`` is the part of verify and time in which kernels
            ran.
        began_s: when each step began, in seconds of the host's monotonic clock; shows what ran at the same time.
    """

    kernel_id: KernelId
    outcome: Outcome
    detail: str = ""
    behaviour: Behaviour | None = None
    measured: Measured | None = None
    verification: VerificationResult | None = None
    duplicate_of: KernelId | None = None
    hashes: CodeHashes = field(default_factory=CodeHashes)
    step_s: Mapping[str, float] = field(default_factory=dict)
    began_s: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.outcome is Outcome.OK and self.measured is None:
            raise ValueError(f"an evaluation that ended ok has a measured speed; kernel {self.kernel_id[:12]} has none")

    @property
    def score(self) -> Measured | None:
        """The measured speed of a kernel that ended ``ok``; the speed of one that failed counts nowhere."""
        return self.measured if self.outcome is Outcome.OK else None

    @property
    def objective(self) -> float | None:
        """GFLOP/s, geometric mean over the scored sizes; ``None`` unless the outcome is ``ok``."""
        return self.score.objective if self.score else None

    @property
    def timings(self) -> tuple[Timing, ...]:
        """One per scored size; of a kernel that failed after it was timed, too."""
        return self.measured.timings if self.measured else ()

    @property
    def duel(self) -> Duel | None:
        """The duel with the cell's incumbent, when there was one."""
        return self.measured.duel if self.measured else None

    @property
    def cell(self) -> Cell | None:
        """Measured behaviour as level indices; ``None`` when the evaluation ended before step 5."""
        return self.behaviour.cell if self.behaviour else None

    @property
    def further_evidence(self) -> dict[str, str]:
        """Facts about the behaviour that belong to no axis, e.g. ``as compiled`` and ``as run``."""
        return {name: text for name, text in self.evidence.items() if name not in {axis.name for axis in AXES}}

    @property
    def evidence(self) -> Mapping[str, str]:
        """The facts behind the behaviour, by axis."""
        return self.behaviour.evidence if self.behaviour else {}


TIE_WIDTH = 0.015
"""Relative difference below which two kernels count as equally fast, by default: the noise of paired medians."""

_MARGIN, _SINGLE_MARGIN = (
    1.02,
    1.08,
)  # by which the estimates of challenger and incumbent may be off; the second: of a call


def worth_a_duel(objective: float, timings: Sequence[Timing], held: float) -> bool:
    """Whether a kernel may beat an incumbent with the objective ``held``: by the upper end of its interval.

    On a slow host only a duel decides. A kernel of which only a bound is known beats none.
    """
    if any(timing.bound for timing in timings):
        return False
    if not all(timing.quiet for timing in timings):
        return True
    upper = math.prod(timing.ratio_high / timing.ratio for timing in timings) ** (1 / max(1, len(timings)))
    margin = _MARGIN if all(len(timing.kernel_ns) > 1 for timing in timings) else _SINGLE_MARGIN
    return objective * upper * margin > held


def is_win(duel: Duel, tie: float) -> bool:
    """Whether the challenger takes the cell: significantly faster, and by more than the tie width."""
    return duel.low > 1.0 and duel.ratio > 1.0 + tie
