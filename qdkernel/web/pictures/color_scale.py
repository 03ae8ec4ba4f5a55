"""The color scale of the archive in steps, as numbers of CSS classes."""

from __future__ import annotations

# viridis in 32 steps (Smith and van der Walt 2015): even to the eye, readable without color vision and in grey.
_VIRIDIS = (
    "#46075a #471365 #481d6f #482878 #46327e #443b84 #404588 #3d4e8a #39568c #355f8d #31678e #2e6f8e #2a768e "
    "#277e8e #25858e #228d8d #1f948c #1e9c89 #20a386 #25ab82 #2db27d #38b977 #46c06f #56c667 #67cc5c #7ad151 "
    "#8ed645 #a2da37 #b8de29 #cde11d #e2e418 #f6e620 "
)
VIRIDIS = tuple(_VIRIDIS.split())

# From the first run's side (blue) over nothing (grey) to the second's (orange): distinct with any color vision.
_DIVERGING = "#0d5a9e #2f7fc1 #6aaee0 #a9d0ee #c9c9c9 #f7cd9a #f2a356 #d97a16 #a85000"
DIVERGING = tuple(_DIVERGING.split())

_BRIGHT = 0.5  # from this brightness on, numbers in a cell are dark


def level(value: float, top: float) -> int:
    """The step of a value between 0 and ``top``, from 0 to ``len(VIRIDIS) - 1``."""
    share = value / top if top > 0 else 0.0
    return min(len(VIRIDIS) - 1, max(0, int(share * len(VIRIDIS))))


def css() -> str:
    """A class for each step of both scales, ``v0`` ... and ``d0`` ..., with the ink that is readable on it."""
    lines = []
    for prefix, colors in (("v", VIRIDIS), ("d", DIVERGING)):
        for number, color in enumerate(colors):
            ink = "#111" if _brightness(color) > _BRIGHT else "#fff"
            lines.append(f".{prefix}{number} rect{{fill:{color}}}.{prefix}{number} text{{fill:{ink}}}")
    return "\n".join(lines)


def _brightness(color: str) -> float:
    red, green, blue = (int(color[at : at + 2], 16) / 255 for at in (1, 3, 5))
    return 0.3 * red + 0.59 * green + 0.11 * blue
