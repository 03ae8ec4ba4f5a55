"""Breeds fast, verified, diverse compute kernels in C.

``qdkernel.load(run, cell=None)`` gives an elite of a run as a function on numpy arrays.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qdkernel.loading import LoadedKernel, load

__all__ = ["LoadedKernel", "load"]


def __getattr__(name: str) -> Any:  # Any: the import system's contract
    # Loaded when asked for: `import qdkernel` stays light.
    if name in __all__:
        import importlib

        return getattr(importlib.import_module("qdkernel.loading"), name)
    raise AttributeError(f"module 'qdkernel' has no attribute {name!r}")
