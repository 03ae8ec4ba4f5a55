"""The four axes of the archive and their ordered levels, with every text about a level, version ``behaviour/2``."""

from __future__ import annotations

import enum
import functools
from dataclasses import dataclass

BEHAVIOUR_VERSION = "behaviour/2"


@dataclass(frozen=True)
class Level:
    """One level of an axis.

    Attributes:
        name: as in the name of a cell, e.g. ``cache+register``.
        meaning: one phrase.
        label: the level where a cell is written for people; unlike ``name`` it shows which axis is meant.
        technique: what a kernel of the level has, as the object of "add" or "use".
        recognized: how a measurement recognizes the level, a sentence; ``{least_sums}`` and ``{least_tile}`` stand for
            the limits of the measurement.
    """

    name: str
    meaning: str
    label: str
    technique: str
    recognized: str


@dataclass(frozen=True)
class Axis:
    """A named dimension of the archive.

    Attributes:
        name: of the axis.
        described: its levels in order.
        kept: what to do to stay at the lowest level.
        removed: what to do to return to it.
    """

    name: str
    described: tuple[Level, ...]
    kept: str
    removed: str

    @functools.cached_property
    def levels(self) -> tuple[str, ...]:
        """Names of the levels, in order."""
        return tuple(level.name for level in self.described)

    @property
    def meanings(self) -> tuple[str, ...]:
        """One phrase per level."""
        return tuple(level.meaning for level in self.described)


class Blocking(enum.IntEnum):
    """Levels of the blocking axis."""

    NONE = 0
    REGISTER = 1
    CACHE = 2
    CACHE_REGISTER = 3
    PACKED = 4


class Simd(enum.IntEnum):
    """Levels of the simd axis."""

    SCALAR = 0
    BITS_128 = 1
    BITS_256 = 2
    BITS_512 = 3


class Threading(enum.IntEnum):
    """Levels of the threading axis."""

    SERIAL = 0
    STATIC = 1
    DYNAMIC = 2
    NESTED = 3


class PrefetchLevel(enum.IntEnum):
    """Levels of the prefetch axis."""

    NONE = 0
    NEAR = 1
    FAR = 2
    BOTH = 3


BLOCKING = Axis(
    "blocking",
    (
        Level(
            name="none",
            meaning="plain loops",
            label="no blocking",
            technique="plain loops",
            recognized="Plain loops are recognised when fewer than {least_sums} registers carry sums through the hot "
            "loop and no loop steps by a tile.",
        ),
        Level(
            name="register",
            meaning="several accumulators live in the innermost loop",
            label="register blocking",
            technique="a register tile",
            recognized="A register tile is recognised when at least {least_sums} vector registers carry sums through "
            "the hot loop, and no loop steps by a cache tile.",
        ),
        Level(
            name="cache",
            meaning="tiled loops",
            label="cache blocking",
            technique="cache tiles",
            recognized="Cache tiles are recognised when a loop steps by a constant tile of at least {least_tile}, "
            "smaller than the scored extent, and bounds the loops inside it, so that the hot loop is "
            "nested deeper than in plain code, while fewer than {least_sums} registers carry sums.",
        ),
        Level(
            name="cache+register",
            meaning="tiled loops around a register tile",
            label="cache+register blocking",
            technique="cache tiles around a register tile",
            recognized="Cache tiles around a register tile are recognised when both hold: a loop steps by a constant "
            "tile of at least {least_tile}, smaller than the scored extent, and bounds the loops inside "
            "it, so that the hot loop is nested deeper than in plain code; at least {least_sums} vector "
            "registers carry sums through the hot loop.",
        ),
        Level(
            name="packed",
            meaning="tiled loops around a register tile, operands copied into contiguous panels",
            label="packed",
            technique="cache tiles around a register tile with operands packed into panels",
            recognized="Packing is recognised when all of these hold: a loop steps by a constant tile of at least "
            "{least_tile}, smaller than the scored extent, and bounds the loops inside it, so that the "
            "hot loop is nested deeper than in plain code; at least {least_sums} vector registers carry "
            "sums through the hot loop; live code copies an operand into a scratch buffer that the hot "
            "loop reads.",
        ),
    ),
    kept="stay with plain loops",
    removed="go back to plain loops, without tiles",
)

SIMD = Axis(
    "simd",
    (
        Level(
            name="scalar",
            meaning="scalar floating-point arithmetic in the hot loop",
            label="scalar",
            technique="scalar arithmetic",
            recognized="Scalar is recognised when the hot loop has no packed floating-point instruction, so the "
            "compiler must not vectorise it either.",
        ),
        Level(
            name="128",
            meaning="128-bit vectors in the hot loop",
            label="128-bit",
            technique="128-bit vectors",
            recognized="The width is that of the widest packed floating-point arithmetic in the hot loop: there must "
            "be 128-bit instructions, and none wider.",
        ),
        Level(
            name="256",
            meaning="256-bit vectors in the hot loop",
            label="256-bit",
            technique="256-bit vectors",
            recognized="The width is that of the widest packed floating-point arithmetic in the hot loop: there must "
            "be 256-bit instructions, and none wider.",
        ),
        Level(
            name="512",
            meaning="512-bit vectors in the hot loop",
            label="512-bit",
            technique="512-bit vectors",
            recognized="The width is that of the widest packed floating-point arithmetic in the hot loop: there must "
            "be 512-bit instructions.",
        ),
    ),
    kept="stay scalar",
    removed="use scalar arithmetic only",
)

THREADING = Axis(
    "threading",
    (
        Level(
            name="serial",
            meaning="one thread",
            label="serial",
            technique="one thread",
            recognized="Serial is recognised when no reachable code starts a parallel region.",
        ),
        Level(
            name="static",
            meaning="a parallel loop with static shares",
            label="static loop",
            technique="a parallel loop with static shares",
            recognized="Static shares are recognised when a parallel region is started and its shares are fixed from "
            "the start.",
        ),
        Level(
            name="dynamic",
            meaning="a parallel loop with dynamic or guided shares",
            label="dynamic loop",
            technique="a parallel loop with dynamic or guided shares",
            recognized="Dynamic shares are recognised by schedule(dynamic), guided or runtime, sections, or an "
            "atomic counter that threads draw their next share from.",
        ),
        Level(
            name="nested",
            meaning="nested parallelism, a 2-D partition, or tasks",
            label="nested or 2-D threading",
            technique="nested parallelism, a 2-D partition or tasks",
            recognized="This level is recognised by tasks, by a parallel region inside another one, or by one index "
            "that is divided into two, as collapse(2) does.",
        ),
    ),
    kept="stay serial",
    removed="make it serial",
)

PREFETCH = Axis(
    "prefetch",
    (
        Level(
            name="none",
            meaning="no prefetch instruction inside a loop",
            label="no prefetch",
            technique="no software prefetch",
            recognized="No prefetch is recognised when no loop has a prefetch instruction or a streaming store.",
        ),
        Level(
            name="near",
            meaning="prefetch to L1 inside a loop",
            label="prefetch near",
            technique="software prefetch to L1",
            recognized="Near prefetch is recognised by prefetch instructions to L1 (locality 3, _MM_HINT_T0) inside "
            "a loop, and none to outer levels.",
        ),
        Level(
            name="far",
            meaning="prefetch to L2 or L3, or non-temporal stores, inside a loop",
            label="prefetch far",
            technique="software prefetch to L2 or L3 (or streaming stores)",
            recognized="Far prefetch is recognised by prefetch instructions to L2, L3 or non-temporal (locality 2, "
            "1, 0), or streaming stores, inside a loop, and none to L1.",
        ),
        Level(
            name="both",
            meaning="near and far prefetch inside loops",
            label="prefetch both",
            technique="software prefetch to L1 as well as to L2 or L3",
            recognized="Both is recognised by prefetch instructions to L1 and others to L2, L3 or non-temporal "
            "inside loops.",
        ),
    ),
    kept="stay without software prefetch",
    removed="remove all software prefetch",
)

AXES: tuple[Axis, ...] = (BLOCKING, SIMD, THREADING, PREFETCH)
"""The axes in the order in which a cell holds their levels."""
