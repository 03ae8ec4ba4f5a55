"""The space of packed matrix multiplies: its configurations, and the nearest one of any genome."""

from __future__ import annotations

from dataclasses import replace

from qdkernel.mutators.schedule.gemm import Genome, Prefetch, cell_of
from qdkernel.recorded import PACKED_DGEMM


def genome(**values: int | str) -> Genome:
    first = dict(PACKED_DGEMM.named(PACKED_DGEMM.configurations[0]))
    return PACKED_DGEMM.genome({**first, **values})


def test_every_configuration_has_a_genome_of_its_own_whose_nearest_configuration_it_is() -> None:
    configurations = PACKED_DGEMM.configurations
    genomes = [PACKED_DGEMM.genome(PACKED_DGEMM.named(each)) for each in configurations]
    assert len(set(genomes)) == len(configurations) == 5376
    assert [PACKED_DGEMM.nearest(each) for each in genomes[::50]] == list(configurations[::50])


def test_the_nearest_configuration_is_the_one_with_the_nearest_ratios() -> None:
    near = PACKED_DGEMM.nearest(replace(genome(kc=160, mc=64), kc=200, mc=110))
    assert PACKED_DGEMM.named(near)["kc"] == 160  # 200 / 160 < 320 / 200
    assert PACKED_DGEMM.named(near)["mc"] == 160  # 160 / 110 < 110 / 64


def test_the_nearest_configuration_is_in_the_same_cell_at_the_cost_of_everything_else() -> None:
    start = genome(width=512, rows=12, vectors=2, threads="rows", prefetch="both")
    narrow = replace(start, width=128)
    assert cell_of(PACKED_DGEMM.genome(PACKED_DGEMM.named(PACKED_DGEMM.nearest(narrow)))) == cell_of(narrow)
    other = replace(start, prefetch_a=None, prefetch_b=Prefetch(4, 3))
    assert PACKED_DGEMM.named(PACKED_DGEMM.nearest(other))["prefetch"] == "near"
