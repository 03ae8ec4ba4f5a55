"""Pictures of a run: each drawing takes plain data and a figure or axes; matplotlib is loaded when one is drawn."""

from qdkernel.plots.heatmap import draw_archive
from qdkernel.plots.progress import Progress, draw_progress, progress_of
from qdkernel.plots.projections import draw_projections
from qdkernel.plots.roofline import Point, draw_roofline
from qdkernel.plots.run_pictures import picture, plot_run

__all__ = [
    "Point",
    "Progress",
    "draw_archive",
    "draw_progress",
    "draw_projections",
    "draw_roofline",
    "picture",
    "plot_run",
    "progress_of",
]
