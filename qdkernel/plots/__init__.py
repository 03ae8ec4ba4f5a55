"""Runs as pictures."""

from qdkernel.plots import style
from qdkernel.plots.against_baseline import draw_against_baseline
from qdkernel.plots.progress import Progress, progress_of
from qdkernel.plots.run_pictures import picture, plot_run

__all__ = [
    "Progress",
    "draw_against_baseline",
    "picture",
    "plot_run",
    "progress_of",
    "style",
]
