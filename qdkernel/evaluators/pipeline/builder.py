"""The evaluation of a kernel while it is made, and how a step ends it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from qdkernel.core import Behaviour, CodeHashes, Evaluation, Kernel, KernelId, Measured, Outcome, VerificationResult
from qdkernel.evaluators.measurement import Busy, WrongResult
from qdkernel.evaluators.sandbox import (
    ChildCrashed,
    ChildFailed,
    ChildStartFailed,
    ChildTimeout,
    CpuTimeExceeded,
    PrecomputationDetected,
)
from qdkernel.machine import lent_s

FAILURES = {
    ChildCrashed: Outcome.CRASHED,
    ChildStartFailed: Outcome.CRASHED,
    ChildTimeout: Outcome.TIMEOUT,
    CpuTimeExceeded: Outcome.IMPLAUSIBLE,
    PrecomputationDetected: Outcome.IMPLAUSIBLE,
}
"""How an evaluation ends when its child failed."""


class Stop(Exception):
    """Ends an evaluation at a step, with its outcome."""

    def __init__(self, outcome: Outcome, detail: str, duplicate_of: KernelId | None = None) -> None:
        super().__init__(detail)
        self.outcome = outcome
        self.detail = detail
        self.duplicate_of = duplicate_of


@dataclass
class EvaluationBuilder:
    """The results of the steps so far."""

    kernel: Kernel
    compiled_text: str = ""  # the source without what the preprocessor drops; behaviour is read from it
    behaviour: Behaviour | None = None
    measured: Measured | None = None
    verification: VerificationResult | None = None
    hashes: CodeHashes = field(default_factory=CodeHashes)
    detail: str = ""
    step_s: dict[str, float] = field(default_factory=dict)
    began_s: dict[str, float] = field(default_factory=dict)

    @contextlib.contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Adds the time spent inside to the step's; what of it benchmarks had the cores for is the step ``wait``."""
        start, lent_before_s = time.monotonic(), lent_s()
        self.began_s[name] = start
        try:
            yield
        finally:
            waited_s = lent_s() - lent_before_s
            self._add(name, time.monotonic() - start - waited_s)
            if waited_s:
                self._add("wait", waited_s)

    def _add(self, name: str, seconds: float) -> None:
        self.step_s[name] = self.step_s.get(name, 0.0) + seconds

    @contextlib.contextmanager
    def holding(self, lock: contextlib.AbstractContextManager[None]) -> Iterator[None]:
        """Holds a lock; the time it took to get it is the step ``wait``."""
        with contextlib.ExitStack() as stack:
            with self.step("wait"):
                stack.enter_context(lock)
            yield

    def finish(self, outcome: Outcome, detail: str, duplicate_of: KernelId | None = None) -> Evaluation:
        """The finished evaluation."""
        return Evaluation(
            kernel_id=self.kernel.id,
            outcome=outcome,
            detail=detail,
            behaviour=self.behaviour,
            measured=self.measured,
            verification=self.verification,
            duplicate_of=duplicate_of,
            hashes=self.hashes,
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
            raise  # not a fact about the kernel; the worker makes a new context
        at = f" at {error.size}" if error.size else ""
        raise Stop(FAILURES[type(error)], f"{error}{where(error.finished)}{at}") from None
    except WrongResult as error:
        raise Stop(Outcome.WRONG, str(error)) from None
    except Busy as error:
        raise Stop(Outcome.LOST, f"the machine was too busy to time a kernel: {error}") from None
