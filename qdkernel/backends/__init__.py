"""Where evaluations run."""

from qdkernel.backends.loky import FanOut

__all__ = [
    "FanOut",
]
