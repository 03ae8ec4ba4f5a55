"""Breeds fast, verified, diverse compute kernels in C.

``qdkernel.load(run, cell=None)`` gives an elite of a run as a function on numpy arrays.
``qdkernel.open_run(run)`` gives a run as tables and pictures.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qdkernel.loading import LoadedKernel, load
    from qdkernel.notebook import Run, open_run

__all__ = ["LoadedKernel", "Run", "load", "open_run"]

_MODULES = {"LoadedKernel": "loading", "load": "loading", "Run": "notebook", "open_run": "notebook"}


def __getattr__(name: str) -> Any:  # Any: the import system's contract
    # Loaded when asked for: `import qdkernel` stays light.
    if name in _MODULES:
        import importlib

        return getattr(importlib.import_module(f"qdkernel.{_MODULES[name]}"), name)
    raise AttributeError(f"module 'qdkernel' has no attribute {name!r}")
