"""Runs as pictures."""

from qdkernel.plots import style
from qdkernel.plots.progress import Progress, progress_of
from qdkernel.plots.run_pictures import plot_run

__all__ = [
    "Progress",
    "plot_run",
    "progress_of",
    "style",
]
