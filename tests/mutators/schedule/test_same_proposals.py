"""The same seed proposes the same kernels, across versions of the code."""

from __future__ import annotations

import hashlib

import numpy as np

from qdkernel.core import Cell, Kernel, parse_cell
from qdkernel.mutators import MUTATORS, Brief, Elite
from qdkernel.mutators.schedule.gemm import print_gemm, repaired
from qdkernel.mutators.schedule.gemm.genome import cell_of
from tests.mutators.briefs import brief
from tests.mutators.schedule.genomes import GENOMES

NUM_PROPOSALS = 200
TARGETS: tuple[Cell | None, ...] = (
    None,
    parse_cell("packed/512/static/near"),
    parse_cell("cache/256/dynamic/both"),
    parse_cell("register/scalar/nested/far"),
    parse_cell("none/128/serial/none"),
    parse_cell("cache+register/512/dynamic/none"),
)
DIGEST = "700d6c5b4cd0be483bcde6b5d4edc056a157af667867870ded1bd6ab7345b5e4"
"""SHA-256 of the proposals' source hashes, recorded when register tiles were first drawn from all there are."""


def elites(function: str) -> list[Elite]:
    """One elite per named genome, as the schedule operator would have left it, and a kernel without a genome."""
    size = {"dgemm": 8, "sgemm": 4}[function]
    found = []
    for genome in (repaired(genome, size) for genome in GENOMES.values()):
        kernel = Kernel(print_gemm(genome, function))
        found.append(Elite(kernel, cell_of(genome), 1.0, "schedule", "an idea", {"genome": genome.to_json()}))
    by_hand = Kernel("#define TILE 64 /* tune: 32..256 step 8 */\n#define AHEAD 8 /* tune: 0, 4, 8, 16 */\nint x;\n")
    return [*found, Elite(by_hand, parse_cell("none/scalar/serial/none"), 0.5, "seed", "by hand", {})]


def briefs(function: str, number: int) -> Brief:
    held = elites(function)
    parent = held[number // 2 % len(held)] if number % 23 else None
    target = TARGETS[number // 3 % len(TARGETS)]
    return brief(function, parent, target, {each.cell: each for each in held}, threads=1 + number % 2)


def source_hashes() -> list[str]:
    """The source hashes of 200 proposals on a fixed archive, three in four of the schedule operator."""
    rng = np.random.default_rng(2026)
    hashes = []
    for number in range(NUM_PROPOSALS):
        operator = "tune" if number % 4 == 3 else "schedule"
        made = MUTATORS[operator]().propose(briefs(("dgemm", "sgemm")[number % 5 == 4], number), rng)
        hashes.append("none" if made is None else str(made.kernel.id))
    return hashes


def test_the_same_seed_proposes_the_same_gemm_kernels_as_ever() -> None:
    hashes = source_hashes()
    assert len(set(hashes)) > 0.8 * NUM_PROPOSALS  # tune offers nothing for an empty archive, and repeats small moves
    assert hashlib.sha256("\n".join(hashes).encode()).hexdigest() == DIGEST
