from __future__ import annotations

import itertools
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qdkernel.core import reachable_cells
from qdkernel.mutators.schedule.choices import BLOCKINGS, SCHEDULES, WIDTHS
from qdkernel.mutators.schedule.gemm import Genome, Prefetch, print_gemm, repaired, summary
from qdkernel.mutators.schedule.gemm.genome import (
    EDGES,
    ORDERS,
    PACKINGS,
    SMALLS,
    THREADS,
    UNROLLS,
    cell_of,
    panel_bytes,
    tile_units,
)
from qdkernel.mutators.schedule.gemm.ideas import difference
from qdkernel.mutators.schedule.gemm.model import ASSUMED_CACHES
from qdkernel.mutators.schedule.gemm.moves import TuningContext, context_of, crossed, fitted, fresh, mutated, towards
from tests.mutators.briefs import brief

prefetches = st.none() | st.builds(Prefetch, st.integers(-9, 99), st.integers(0, 3))
genomes = st.builds(
    Genome,
    blocking=st.sampled_from(BLOCKINGS),
    order=st.sampled_from(ORDERS),
    width=st.sampled_from(WIDTHS),
    rows=st.integers(0, 40),
    vectors=st.integers(0, 9),
    unroll=st.sampled_from(UNROLLS),
    mc=st.integers(0, 9999),
    nc=st.integers(0, 9999),
    kc=st.integers(0, 9999),
    packing=st.sampled_from(PACKINGS),
    stream=st.booleans(),
    upright=st.booleans(),
    edges=st.sampled_from(EDGES),
    threads=st.sampled_from(THREADS),
    schedule=st.sampled_from(SCHEDULES),
    prefetch_a=prefetches,
    prefetch_b=prefetches,
    prefetch_c=prefetches,
    small=st.sampled_from(SMALLS),
)
seeds = st.integers(0, 2**32)
SETTING = context_of(brief(), 8)


def valid(genome: Genome, element_bytes: int) -> bool:
    """What the C relies on, stated apart from ``repaired``."""
    registers = {0: 16, 128: 16, 256: 16, 512: 32}[genome.width]
    unit_m, unit_n = tile_units(genome, element_bytes)
    a_bytes, b_bytes = panel_bytes(genome)
    fits = genome.rows * genome.vectors + genome.vectors + 1 <= registers
    enough = genome.rows * genome.vectors >= 4 or not genome.registers
    whole = not genome.tiled or (genome.mc % unit_m == 0 and genome.nc % unit_n == 0 and min(genome.mc, genome.nc) >= 8)
    bounded = genome.packing == "none" or (
        genome.mc * genome.kc * element_bytes <= a_bytes and genome.nc * genome.kc * element_bytes <= b_bytes
    )
    ordered = (
        genome.blocking == "packed"
        or genome.threads == "serial"
        or genome.order[0] in {"rows": "i", "columns": "j", "grid": "ij"}[genome.threads]
    )
    return fits and enough and whole and bounded and ordered


@given(genomes, st.sampled_from([4, 8]))
def test_any_genome_is_repaired_to_a_valid_one_with_the_same_aim(genome: Genome, element_bytes: int) -> None:
    mended = repaired(genome, element_bytes)
    assert valid(mended, element_bytes)
    assert repaired(mended, element_bytes) == mended
    assert cell_of(mended) == cell_of(genome)
    assert Genome.from_json(json.loads(json.dumps(mended.to_json()))) == mended


@settings(max_examples=50)
@given(seeds, st.integers(1, 6))
def test_walks_through_the_space_stay_valid_and_print(seed: int, steps: int) -> None:
    rng = np.random.default_rng(seed)
    genome = fresh(SETTING, rng)
    for _ in range(steps):
        before = genome
        genome = (
            mutated(genome, SETTING, rng) if rng.random() < 0.7 else crossed(genome, fresh(SETTING, rng), SETTING, rng)
        )
        assert valid(genome, 8)
        assert repaired(genome, 8) == genome
        assert "\n" not in difference(before, genome)
    assert print_gemm(genome, "dgemm").count("void dgemm(") == 1
    assert print_gemm(genome, "sgemm").count("void sgemm(") == 1


@settings(max_examples=50)
@given(genomes, seeds)
def test_a_mutation_always_changes_something(genome: Genome, seed: int) -> None:
    genome = repaired(genome, 8)
    assert mutated(genome, SETTING, np.random.default_rng(seed)) != genome


@settings(max_examples=40)
@given(genomes, seeds)
def test_every_cell_can_be_aimed_at_from_anywhere(genome: Genome, seed: int) -> None:
    rng = np.random.default_rng(seed)
    for cell in itertools.islice(reachable_cells((128, 256, 512)), int(rng.integers(7)), None, 7):
        aimed = towards(repaired(genome, 8), cell, SETTING, rng)
        assert cell_of(aimed) == cell
        assert valid(aimed, 8)


def test_aiming_at_its_own_cell_changes_nothing() -> None:
    genome = repaired(Genome(prefetch_c=Prefetch(0, 3)), 8)
    assert towards(genome, cell_of(genome), SETTING, np.random.default_rng(0)) == genome


@pytest.mark.parametrize(("threads", "name"), [("rows", "mc"), ("columns", "nc")])
def test_fitted_tiles_give_every_thread_the_same_share(threads: str, name: str) -> None:
    setting = TuningContext(8, WIDTHS, True, 2, ASSUMED_CACHES, 1024, 1024, 1024, aimed=True)
    for seed in range(30):
        genome = fitted(Genome(threads=threads), setting, np.random.default_rng(seed))
        blocks = -(-1024 // getattr(genome, name))
        assert blocks % 2 == 0


def test_a_fresh_genome_uses_the_widest_vectors_and_packs() -> None:
    genome = fresh(SETTING, np.random.default_rng(0))
    assert (genome.width, genome.blocking) == (512, "packed")
    assert summary(genome).startswith("512-bit, ")


def test_an_idea_says_what_changed_and_why() -> None:
    before, after = Genome(kc=256), Genome(kc=384, packing="b")
    assert difference(before, after) == (
        "pack B into panels as wide as the register tile, leave A in place; kc 256 -> 384: fewer updates of C per sum"
    )
