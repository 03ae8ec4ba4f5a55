"""Runs as pictures."""

from qdkernel.plots.run_pictures import plot_run

__all__ = [
    "plot_run",
]
