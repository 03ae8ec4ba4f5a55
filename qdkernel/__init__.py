"""Breeds fast, verified, diverse compute kernels in C.

``qdkernel.load(run, cell=None)`` gives an elite of a run as a function on numpy arrays.
``qdkernel.open_run(run)`` gives a run as tables and pictures.
``qdkernel.Reward`` rewards the completions of a model in training; ``qdkernel.reward`` is the package with everything
about rewards.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qdkernel import rewards as reward
    from qdkernel.loading import LoadedKernel, load
    from qdkernel.notebook import Run, open_run
    from qdkernel.rewards import Reward

__all__ = ["LoadedKernel", "Reward", "Run", "load", "open_run", "reward"]

_MODULES = {
    "LoadedKernel": "loading",
    "load": "loading",
    "Run": "notebook",
    "open_run": "notebook",
    "Reward": "rewards",
}


def __getattr__(name: str) -> Any:  # Any: the import system's contract
    # Loaded when asked for: `import qdkernel` stays light.
    import importlib

    if name == "reward":
        return importlib.import_module("qdkernel.rewards")
    if name in _MODULES:
        return getattr(importlib.import_module(f"qdkernel.{_MODULES[name]}"), name)
    raise AttributeError(f"module 'qdkernel' has no attribute {name!r}")
