"""Choices that the genomes of several templates have in common."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from qdkernel.core import BLOCKING
from qdkernel.machine import Machine

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

BLOCKINGS = BLOCKING.levels
TILED = ("cache", "cache+register", "packed")  # the blockings with cache tiles
REGISTERS = ("register", "cache+register", "packed")  # those whose innermost loop keeps a register tile
WIDTHS = (0, 128, 256, 512)
SCHEDULES = ("static", "dynamic", "guided")
LOCALITIES = (2, 1, 0)  # third argument of the ``__builtin_prefetch`` to outer caches: t1, t2, nta

G = TypeVar("G", bound="DataclassInstance")


class FetchingGenome(Protocol):
    """A genome with prefetches and streaming stores."""

    @property
    def near(self) -> int:
        """Distance of the prefetch to L1; 0 for none."""

    @property
    def far(self) -> int:
        """Distance of the prefetch to outer caches; 0 for none."""

    @property
    def locality(self) -> int:
        """That prefetch's, one of ``LOCALITIES``."""

    @property
    def stream(self) -> bool:
        """Whether results are stored past the caches."""


def widths_of(machine: Machine) -> tuple[int, ...]:
    """The SIMD widths of the machine in bits, 0 for scalar first."""
    return tuple(width for width in WIDTHS if width == 0 or width in machine.simd_widths)


def changed(genome: G, values: Mapping[str, Any]) -> G:  # Any: the fields' own types
    """The genome with the named fields set; itself when they have these values already, which costs a fifth."""
    if all(getattr(genome, name) == value for name, value in values.items()):
        return genome
    return replace(genome, **values)
