"""The recorded space of packed matrix multiplies in double precision.

The values are listed here and do not change with the template: a recording stays valid as long as the template can
print these genomes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qdkernel.core import PREFETCH
from qdkernel.mutators.schedule.gemm import Genome, Prefetch, cell_of, repaired
from qdkernel.recorded.space import Space, Value

_ELEMENT_BYTES = 8

_TILES: Mapping[int, tuple[tuple[int, int], ...]] = {
    128: ((4, 2), (6, 2)),
    256: ((4, 1), (8, 1), (4, 2), (6, 2), (4, 3)),
    512: ((8, 1), (6, 2), (8, 2), (12, 2), (6, 3), (8, 3), (4, 4)),
}
"""Register tiles as (rows, vectors) by SIMD width in bits: good and bad ones, all of which the registers hold."""

_PREFETCHES: Mapping[str, Mapping[str, Prefetch]] = {
    "none": {},
    "near": {"prefetch_c": Prefetch(0, 3)},
    "far": {"prefetch_a": Prefetch(8, 0)},
    "both": {"prefetch_c": Prefetch(0, 3), "prefetch_a": Prefetch(8, 0)},
}


def _valid(values: Mapping[str, Value]) -> bool:
    return (values["rows"], values["vectors"]) in _TILES[int(values["width"])]


def _genome(values: Mapping[str, Value]) -> Genome:
    named: dict[str, Any] = {name: value for name, value in values.items() if name != "prefetch"}
    named |= _PREFETCHES[str(values["prefetch"])]
    return repaired(Genome(**named), _ELEMENT_BYTES)


def _values(genome: Genome) -> Mapping[str, Value]:
    numbers = {name: max(1, getattr(genome, name)) for name in ("rows", "vectors", "unroll", "mc", "nc", "kc")}
    return {
        **numbers,
        "width": genome.width or 128,
        "packing": "ab" if genome.packing == "ab" else "b",
        "threads": "serial" if genome.threads == "serial" else "rows",
        "prefetch": PREFETCH.levels[cell_of(genome).prefetch],
    }


PACKED_DGEMM: Space[Genome] = Space(
    problem="dgemm",
    parameters={
        "width": (128, 256, 512),
        "rows": (4, 6, 8, 12),
        "vectors": (1, 2, 3, 4),
        "unroll": (1, 4),
        "mc": (64, 160),
        "nc": (64, 320),
        "kc": (64, 160, 320),
        "packing": ("b", "ab"),
        "threads": ("serial", "rows"),
        "prefetch": tuple(_PREFETCHES),
    },
    valid=_valid,
    genome=_genome,
    values=_values,
    kept=frozenset({"width", "threads", "prefetch"}),
)
