"""How a contained child can fail."""

from __future__ import annotations


class ChildFailed(Exception):
    """A block that was not done; ``finished`` calls of it were, by the child's own unproven word.

    ``process`` names the kernel when several are timed, ``size`` the scored size that was being timed.
    """

    def __init__(self, message: str, finished: int) -> None:
        super().__init__(message)
        self.finished = finished
        self.process = self.size = ""


class ChildCrashed(ChildFailed):
    """The child died, or exited, before its block was done; the message states how far it came."""


class ChildStartFailed(ChildCrashed):
    """The child died while it mapped its memory and loaded the kernel, before the first call."""


class ChildTimeout(ChildFailed):
    """The block was not done by its deadline; the child has been killed."""


class PrecomputationDetected(ChildFailed):
    """The child is slow when its inputs come while it is stopped: it computed before the clock ran."""


class CpuTimeExceeded(ChildFailed):
    """The child used more processor time than its processors have: it ran on others as well."""
