"""What a family of kernels declares: which schedule parts its loop nest has, and how it is printed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qdkernel.mutators.schedule.choices import REGISTERS

if TYPE_CHECKING:
    from qdkernel.mutators.schedule.families.style import Style


@dataclass(frozen=True)
class Family:
    """A problem's loop nest and the schedule parts that it has.

    Attributes:
        function: the problem's name.
        summary: what the kernel computes, for its first comment.
        real: ``double`` or ``float``.
        sections: the C of a genome after the constants: types, functions, the problem's function last.
        blockings: levels of the blocking axis that the nest can have, in the axis' order.
        tiles: extents of a cache tile.
        tile_meaning: what a tile is, for its comment.
        most_rows: rows (or points) that can be computed together.
        most_vectors: vectors that can lie side by side.
        flat: whether threads share equal parts of a vector; otherwise they share a loop over rows.
        streams: whether results can be stored past the caches.
        arithmetic: whether there is floating-point arithmetic, of which blocking and SIMD width are measured.
        headers: C headers besides ``stddef.h``.
    """

    function: str
    summary: str
    real: str
    sections: Callable[[Style], list[str]]
    blockings: tuple[str, ...] = ("none",)
    tiles: range = range(1024, 65537, 1024)
    tile_meaning: str = "elements that are worked through together"
    most_rows: int = 1
    most_vectors: int = 8
    flat: bool = False
    streams: bool = False
    arithmetic: bool = True
    headers: tuple[str, ...] = ()

    @property
    def sums(self) -> bool:
        """Whether a register tile is a choice, so that the number of sums determines the blocking."""
        return any(name in REGISTERS for name in self.blockings)

    @property
    def element_bytes(self) -> int:
        """Of a number."""
        return 8 if self.real == "double" else 4


def both(name: str) -> tuple[tuple[str, str], ...]:
    """The names of a routine in double and in single precision with the type of its numbers; ``ddot``, ``sdot``."""
    return ((name, "double"), ("s" + name[1:], "float"))
