"""Pictures of a page as inline SVG."""

from qdkernel.web.pictures.archive import Tile, draw_archive
from qdkernel.web.pictures.bars import draw_shares, draw_timeline
from qdkernel.web.pictures.color_scale import DIVERGING, VIRIDIS, level
from qdkernel.web.pictures.lines import Band, Chart, Level, Line, draw_chart
from qdkernel.web.pictures.roofline import draw_roofline
from qdkernel.web.pictures.svg import element, picture, text

__all__ = [
    "DIVERGING",
    "VIRIDIS",
    "Band",
    "Chart",
    "Level",
    "Line",
    "Tile",
    "draw_archive",
    "draw_chart",
    "draw_roofline",
    "draw_shares",
    "draw_timeline",
    "element",
    "level",
    "picture",
    "text",
]
