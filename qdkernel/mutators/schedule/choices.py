"""Choices that the genomes of several templates have in common."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from qdkernel.core import BLOCKING
from qdkernel.machine import Machine

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

BLOCKINGS = BLOCKING.levels
TILED = ("cache", "cache+register", "packed")  # the blockings with cache tiles
REGISTERS = ("register", "cache+register", "packed")  # those whose innermost loop keeps a register tile
WIDTHS = (0, 128, 256, 512)
SCHEDULES = ("static", "dynamic", "guided")

G = TypeVar("G", bound="DataclassInstance")


def widths_of(machine: Machine) -> tuple[int, ...]:
    """The SIMD widths of the machine in bits, 0 for scalar first."""
    return tuple(width for width in WIDTHS if width == 0 or width in machine.simd_widths)


def changed(genome: G, values: Mapping[str, Any]) -> G:  # Any: the fields' own types
    """The genome with the named fields set; for names that are computed."""
    return replace(genome, **values)
