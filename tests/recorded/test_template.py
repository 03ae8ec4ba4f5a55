"""A template within a recorded space: every genome it returns is one of the space's."""

from __future__ import annotations

import itertools

import numpy as np

from qdkernel.core import cell_name
from qdkernel.mutators.schedule import TEMPLATES, tunables
from qdkernel.mutators.schedule.gemm import Genome
from qdkernel.recorded import PACKED_DGEMM, RecordedTemplate
from tests.mutators.briefs import brief

TEMPLATE = RecordedTemplate(TEMPLATES["dgemm"], PACKED_DGEMM)
GENOMES = {PACKED_DGEMM.genome(PACKED_DGEMM.named(each)) for each in PACKED_DGEMM.configurations}
CELLS = {TEMPLATE.cell_of(genome) for genome in GENOMES}
BRIEF = brief(threads=1)


def walk(steps: int, seed: int) -> list[Genome]:
    """Genomes one mutation apart."""
    rng = np.random.default_rng(seed)
    found = [TEMPLATE.fresh(BRIEF, rng)]
    for _ in range(steps):
        found.append(TEMPLATE.mutate(found[-1], BRIEF, rng))
    return found


def test_fresh_genomes_mutations_and_crosses_are_in_the_space_and_a_mutation_is_another_genome() -> None:
    genomes, rng = walk(100, seed=0), np.random.default_rng(1)
    crosses = [TEMPLATE.cross(one, other, BRIEF, rng) for one, other in zip(genomes, walk(100, seed=2), strict=True)]
    assert set(genomes) | set(crosses) <= GENOMES
    assert all(one != other for one, other in itertools.pairwise(genomes))


def test_towards_reaches_every_cell_of_the_space() -> None:
    rng = np.random.default_rng(3)
    for genome in walk(5, seed=4):
        aimed = {cell: TEMPLATE.towards(genome, cell, BRIEF, rng) for cell in CELLS}
        assert set(aimed.values()) <= GENOMES
        assert {cell_name(TEMPLATE.cell_of(each)) for each in aimed.values()} == {cell_name(cell) for cell in CELLS}


def test_constants_are_set_to_the_nearest_values_of_the_space() -> None:
    for genome in walk(30, seed=5):
        for constant in tunables(TEMPLATE.print(genome)):
            child = TEMPLATE.with_constants(genome, {constant.name: constant.choices[-1]})
            assert child is None or child in GENOMES
