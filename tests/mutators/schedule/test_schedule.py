from __future__ import annotations

from dataclasses import replace

import numpy as np

from qdkernel.core import Kernel, Proposal, parse_cell
from qdkernel.mutators import MUTATORS, Draft, Elite
from qdkernel.mutators.schedule import TEMPLATES, ScheduleMutator, genome_of
from qdkernel.mutators.schedule.gemm import Genome, print_gemm, repaired
from qdkernel.mutators.schedule.gemm.genome import cell_of
from tests.mutators.briefs import brief, elite

GEMM = TEMPLATES["dgemm"]
NAIVE = elite("void dgemm(void) {}")


def scheduled(genome: Genome) -> Elite:
    genome = repaired(genome, 8)
    return elite(print_gemm(genome, "dgemm"), cell_of(genome), {"genome": genome.to_json()})


def proposal(seed: int = 0, **briefing: object) -> Proposal:
    made = ScheduleMutator().propose(brief(**briefing), np.random.default_rng(seed))  # type: ignore[arg-type]
    assert made is not None
    return made


def test_it_is_registered_under_its_name() -> None:
    assert MUTATORS["schedule"]().name == "schedule"


def test_a_problem_without_a_template_gets_nothing_while_there_is_no_parent() -> None:
    assert ScheduleMutator().propose(brief("fft"), np.random.default_rng(0)) is None


def test_the_genome_is_kept_beside_the_kernel_it_prints() -> None:
    made = proposal(parent=NAIVE)
    genome = genome_of(made.notes, GEMM)
    assert genome is not None
    assert made.kernel.source == print_gemm(genome, "dgemm")
    assert made.operator == "schedule"


def test_a_parent_without_a_genome_is_not_claimed_as_an_ancestor() -> None:
    assert proposal(parent=NAIVE).parents == ()


def test_a_parent_with_a_genome_is_the_ancestor_of_most_proposals() -> None:
    parent = scheduled(Genome())
    ancestors = [proposal(seed, parent=parent).parents for seed in range(40)]
    assert ancestors.count((parent.kernel.id,)) > 20


def test_proposals_aim_at_the_target() -> None:
    for name in ("none/scalar/serial/none", "cache/256/dynamic/both", "packed/512/nested/near"):
        target = parse_cell(name)
        for seed in range(10):
            made = proposal(seed, parent=scheduled(Genome(threads="rows")), target=target)
            genome = genome_of(made.notes, GEMM)
            assert genome is not None
            assert cell_of(genome) == target
            assert made.target == target


def test_the_first_proposals_are_the_template_s_own_wherever_the_target_is() -> None:
    for seed in range(10):
        genome = genome_of(proposal(seed, parent=NAIVE, target=parse_cell("none/scalar/serial/none")).notes, GEMM)
        assert genome is not None
        assert (genome.blocking, genome.width) == ("packed", 512)


def test_the_first_proposals_keep_to_what_the_stage_permits() -> None:
    target = parse_cell("none/scalar/serial/none")
    made = ScheduleMutator().propose(
        replace(brief(parent=NAIVE, target=target), permitted=frozenset({target})), np.random.default_rng(0)
    )
    assert made is not None
    assert cell_of(Genome.from_json(made.notes["genome"])) == target


def test_two_elites_are_crossed_now_and_then() -> None:
    one, other = scheduled(Genome()), scheduled(Genome(blocking="register", width=256, threads="grid"))
    parents = {proposal(seed, parent=one, others={other.cell: other}).parents for seed in range(40)}
    assert (one.kernel.id, other.kernel.id) in parents


def test_a_kernel_that_the_archive_holds_is_not_proposed_again() -> None:
    first = [proposal(seed, parent=NAIVE) for seed in range(20)]
    held = {(1, 0, 0, index): elite(made.kernel.source) for index, made in enumerate(first)}
    again = [proposal(seed, parent=NAIVE, others=held) for seed in range(20)]
    assert not {made.kernel.id for made in first} & {made.kernel.id for made in again}


def test_further_drafts_change_the_draft_and_are_described_beside_the_parent() -> None:
    parent = scheduled(Genome())
    start = Genome(blocking="register", width=256, small=0)
    draft = Draft(repaired(start, 8), start.to_json(), (parent.kernel.id,), lambda: proposal(0))
    drawn = ScheduleMutator().further(draft, brief(parent=parent), 40, np.random.default_rng(0))
    changed = [each for each in drawn if each.parents == (parent.kernel.id,)]
    assert len(changed) > 20
    blockings = [each.genome["blocking"] for each in changed if each.genome is not None]
    assert blockings.count("register") > 0.7 * len(changed)
    idea = GEMM.difference(repaired(Genome(), 8), changed[0].key)
    assert changed[0].proposal().idea == idea


def test_loops_that_are_transformed_are_not_drawn_further() -> None:
    made = Draft.of(Proposal(Kernel("void fft(void) {}"), "schedule", "an idea"))
    assert ScheduleMutator().further(made, brief("fft", NAIVE), 4, np.random.default_rng(0)) == ()


def test_the_same_generator_state_gives_the_same_proposal() -> None:
    assert proposal(7, parent=scheduled(Genome())) == proposal(7, parent=scheduled(Genome()))


def test_a_genome_of_another_version_counts_as_none() -> None:
    assert genome_of({"genome": {"color": "red"}}, GEMM) is None
    assert genome_of({"genome": "packed"}, GEMM) is None
