from __future__ import annotations

import numpy as np
import pytest

from qdkernel.core import Cell
from qdkernel.mutators import MUTATORS, Elite
from qdkernel.mutators.schedule import TEMPLATES, TuneMutator, genome_of, tunables, with_values
from qdkernel.mutators.schedule.gemm import Genome, Prefetch, print_gemm, repaired
from qdkernel.mutators.schedule.tune import Tunable
from tests.mutators.briefs import brief, elite

SOURCE = """\
#define TILE 64 /* tune: 32..128 step 32; stays in L1 */
#define FIXED 3 /* not for tune */
  # define AHEAD 8  // tune: 0, 4, 8
void jacobi2d(void) {}
"""


def test_it_is_registered_under_its_name() -> None:
    assert MUTATORS["tune"]().name == "tune"


def test_ranges_and_lists_are_read() -> None:
    assert tunables(SOURCE) == (
        Tunable("TILE", "64", ("32", "64", "96", "128")),
        Tunable("AHEAD", "8", ("0", "4", "8")),
    )


@pytest.mark.parametrize(
    "choices", ["", "64", "64..64", "9..1", "1..9 step 0", "0..99999999", "1, two words", "1..", "; only words"]
)
def test_a_declaration_that_offers_nothing_is_left_alone(choices: str) -> None:
    assert tunables(f"#define TILE 64 /* tune: {choices} */\n") == ()


def test_setting_a_value_leaves_every_other_byte_alone() -> None:
    assert with_values(SOURCE, {"AHEAD": "4"}) == SOURCE.replace("AHEAD 8", "AHEAD 4")


@pytest.mark.parametrize("source", ["void jacobi2d(void) {}", "", "#define TILE 64"])
def test_a_parent_that_declares_nothing_gets_nothing(source: str) -> None:
    assert TuneMutator().propose(brief("jacobi2d", elite(source)), np.random.default_rng(0)) is None


def test_no_parent_gets_nothing() -> None:
    assert TuneMutator().propose(brief("jacobi2d"), np.random.default_rng(0)) is None


def test_one_or_two_constants_move_within_their_choices() -> None:
    parent, moved = elite(SOURCE, notes={"model": "m"}), set()
    for seed in range(50):
        made = TuneMutator().propose(brief("jacobi2d", parent), np.random.default_rng(seed))
        assert made is not None
        assert made.parents == (parent.kernel.id,)
        assert made.notes == {"model": "m"}
        before = {knob.name: knob.value for knob in tunables(SOURCE)}
        after = {knob.name: knob for knob in tunables(made.kernel.source)}
        changes = {name for name in before if after[name].value != before[name]}
        assert all(after[name].value in after[name].choices for name in changes)
        moved.add(frozenset(changes))
    assert moved == {frozenset({"TILE"}), frozenset({"AHEAD"}), frozenset({"TILE", "AHEAD"})}


def test_the_idea_names_the_constants() -> None:
    parent = elite("#define TILE 64 /* tune: 32, 64 */\n")
    made = TuneMutator().propose(brief("jacobi2d", parent), np.random.default_rng(0))
    assert made is not None
    assert made.idea == "tune TILE 64 -> 32"


def test_when_every_value_is_known_nothing_is_offered() -> None:
    parent = elite("#define TILE 64 /* tune: 32, 64 */\n")
    known: dict[Cell, Elite] = {Cell(1, 0, 0, 0): elite("#define TILE 32 /* tune: 32, 64 */\n")}
    assert TuneMutator().propose(brief("jacobi2d", parent, others=known), np.random.default_rng(0)) is None


def test_the_genome_of_a_scheduled_kernel_moves_along() -> None:
    genome = repaired(Genome(prefetch_b=Prefetch(8, 3), prefetch_c=Prefetch(1, 2), small=4096), 8)
    parent = elite(print_gemm(genome, "dgemm"), notes={"genome": genome.to_json()})
    for seed in range(50):
        made = TuneMutator().propose(brief(parent=parent), np.random.default_rng(seed))
        assert made is not None
        child = genome_of(made.notes, TEMPLATES["dgemm"])
        assert child is not None
        assert child != genome
        assert print_gemm(child, "dgemm") == made.kernel.source


def test_a_scheduled_kernel_edited_by_hand_parts_with_its_genome() -> None:
    genome = repaired(Genome(), 8)
    edited = print_gemm(genome, "dgemm").replace("row major", "rows first")
    parent = elite(edited, notes={"genome": genome.to_json()})
    made = TuneMutator().propose(brief(parent=parent), np.random.default_rng(0))
    assert made is not None
    assert "genome" not in made.notes
    assert "rows first" in made.kernel.source
