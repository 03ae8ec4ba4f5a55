"""What is known of a kernel on its way through an evaluation, and how a step ends it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from qdkernel.core import Cell, Duel, Evaluation, Kernel, KernelId, Outcome, Timing, VerificationResult, geometric_mean
from qdkernel.evaluators.measurement import Busy, WrongResult
from qdkernel.evaluators.sandbox import (
    ChildCrashed,
    ChildFailed,
    ChildStartFailed,
    ChildTimeout,
    CpuTimeExceeded,
    PrecomputationDetected,
)

_FAILURES = {
    ChildCrashed: Outcome.CRASHED,
    ChildStartFailed: Outcome.CRASHED,
    ChildTimeout: Outcome.TIMEOUT,
    CpuTimeExceeded: Outcome.IMPLAUSIBLE,
    PrecomputationDetected: Outcome.IMPLAUSIBLE,
}


class Stop(Exception):
    """Ends an evaluation at a step, with its outcome."""

    def __init__(self, outcome: Outcome, detail: str, duplicate_of: KernelId | None = None) -> None:
        super().__init__(detail)
        self.outcome = outcome
        self.detail = detail
        self.duplicate_of = duplicate_of


@dataclass
class EvaluationBuilder:
    """What is known of a kernel so far."""

    kernel: Kernel
    compiled_text: str = ""  # the source without what the preprocessor drops; behaviour is read from it
    cell: Cell | None = None
    evidence: Mapping[str, str] = field(default_factory=dict)
    timings: tuple[Timing, ...] = ()
    verification: VerificationResult | None = None
    duel: Duel | None = None
    normal_hash: str | None = None
    assembly_hash: str | None = None
    object_hash: str | None = None
    detail: str = ""
    step_s: dict[str, float] = field(default_factory=dict)
    began_s: dict[str, float] = field(default_factory=dict)

    @contextlib.contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Adds the time spent inside to the step's."""
        start = self.began_s[name] = time.monotonic()
        try:
            yield
        finally:
            self.step_s[name] = self.step_s.get(name, 0.0) + time.monotonic() - start

    @contextlib.contextmanager
    def holding(self, lock: contextlib.AbstractContextManager[None]) -> Iterator[None]:
        """Holds a lock; the time it took to get it is the step ``wait``."""
        with contextlib.ExitStack() as stack:
            with self.step("wait"):
                stack.enter_context(lock)
            yield

    def finish(self, outcome: Outcome, detail: str, duplicate_of: KernelId | None = None) -> Evaluation:
        """The finished evaluation."""
        objective = geometric_mean([t.gflops for t in self.timings]) if outcome is Outcome.OK else None
        return Evaluation(
            kernel_id=self.kernel.id,
            outcome=outcome,
            detail=detail,
            cell=self.cell,
            evidence=self.evidence,
            objective=objective,
            timings=self.timings,
            verification=self.verification,
            duel=self.duel,
            duplicate_of=duplicate_of,
            normal_hash=self.normal_hash,
            assembly_hash=self.assembly_hash,
            object_hash=self.object_hash,
            step_s=self.step_s,
            began_s=self.began_s,
        )


@contextlib.contextmanager
def outcomes(where: Callable[[int], str]) -> Iterator[None]:
    """Turns what can happen to a contained child into outcomes.

    Raises:
        Stop: the kernel's own failure.
        ChildFailed: the baseline's.
    """
    try:
        yield
    except ChildFailed as error:
        if error.process == "baseline":
            raise  # says nothing about the kernel; whoever holds the bench makes a new one
        at = f" at {error.size}" if error.size else ""
        raise Stop(_FAILURES[type(error)], f"{error}{where(error.finished)}{at}") from None
    except WrongResult as error:
        raise Stop(Outcome.WRONG, str(error)) from None
    except Busy as error:
        raise Stop(Outcome.LOST, f"the machine was too busy to time a kernel: {error}") from None
