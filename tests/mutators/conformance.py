"""What every operator has to hold; a new one passes when a subclass of these classes passes."""

from __future__ import annotations

import json
from collections.abc import Hashable, Iterator
from dataclasses import replace
from typing import ClassVar

import numpy as np
from pydantic import TypeAdapter

from qdkernel.core import KernelId, Proposal, parse_cell
from qdkernel.mutators import Brief, Draft, ModelOperator, Mutator, drafter_of
from qdkernel.mutators.llm import Assignment
from qdkernel.mutators.llm.prompts import PromptPool
from tests.mutators.briefs import prompt_brief

PROGRAMMERS = 3
TARGETS = (None, parse_cell("packed/512/nested/both"), parse_cell("none/scalar/serial/none"))


def briefs(start: Brief) -> Iterator[Brief]:
    """The brief with each of its elites as the parent, with and without a target."""
    for parent in start.elites.values():
        for target in TARGETS:
            yield replace(start, parent=parent, target=target)


class MutatorConformance:
    """Subclass it with an operator that needs no model.

    Attributes:
        mutator: the operator under test.
        brief: with an archive from which it has something to propose.
    """

    mutator: ClassVar[Mutator]
    brief: ClassVar[Brief]

    def proposals(self) -> Iterator[tuple[Brief, Proposal]]:
        """What it proposes for every parent and target, and the brief of each."""
        for seed, each in enumerate(briefs(self.brief)):
            for again in range(3):
                proposal = self.mutator.propose(each, np.random.default_rng((seed, again)))
                if proposal is not None:
                    yield each, proposal

    def drafts(self) -> Iterator[tuple[Brief, Draft]]:
        """What it drafts for every parent and target, and further from the first draft, and the brief of each."""
        drafter = drafter_of(self.mutator)
        for seed, each in enumerate(briefs(self.brief)):
            rng = np.random.default_rng(seed)
            drawn = drafter.drafts(each, 4, rng)
            for draft in (*drawn, *(drafter.further(drawn[0], each, 2, rng) if drawn else ())):
                yield each, draft

    def test_it_has_something_to_propose_under_its_own_name(self) -> None:
        assert {proposal.operator for _, proposal in self.proposals()} == {self.mutator.name}

    def test_the_same_generator_state_gives_the_same_proposals(self) -> None:
        assert list(self.proposals()) == list(self.proposals())

    def test_parents_are_elites_of_the_brief_or_its_parent(self) -> None:
        for each, proposal in self.proposals():
            known = {elite.kernel.id for elite in each.elites.values()}
            assert set(proposal.parents) <= known

    def test_a_kernel_of_the_archive_is_not_proposed_again(self) -> None:
        for each, proposal in self.proposals():
            assert proposal.kernel.id not in {elite.kernel.id for elite in each.elites.values()}

    def test_the_target_is_handed_on_and_the_idea_is_one_line(self) -> None:
        for each, proposal in self.proposals():
            assert proposal.target == each.target
            assert proposal.idea.strip()
            assert "\n" not in proposal.idea

    def test_notes_are_json(self) -> None:
        for _, proposal in self.proposals():
            assert json.loads(json.dumps(proposal.notes)) == proposal.notes

    def test_a_draft_has_the_genome_of_its_proposal_and_its_key_is_the_kernel_s_own(self) -> None:
        kernels: dict[Hashable, KernelId] = {}
        for each, draft in self.drafts():
            proposal = draft.proposal()
            assert (proposal.operator, proposal.target) == (self.mutator.name, each.target)
            assert (proposal.notes.get("genome"), proposal.parents) == (draft.genome, draft.parents)
            assert set(draft.parents) <= {elite.kernel.id for elite in each.elites.values()}
            assert kernels.setdefault(draft.key, proposal.kernel.id) == proposal.kernel.id
        assert len(kernels) > 1

    def test_the_same_generator_state_gives_the_same_drafts(self) -> None:
        first, second = ([draft.proposal() for _, draft in self.drafts()] for _ in range(2))
        assert first == second

    def test_neither_an_empty_archive_nor_a_missing_parent_is_an_error(self) -> None:
        for start in (replace(self.brief, elites={}), self.brief):
            for target in TARGETS:
                each = replace(start, parent=None, target=target)
                proposal = self.mutator.propose(each, np.random.default_rng(0))
                assert proposal is None or proposal.parents == ()


class ModelOperatorConformance:
    """Subclass it with an operator that asks a model."""

    operator: ClassVar[ModelOperator]
    brief: ClassVar[Brief] = prompt_brief()

    def compose(self, brief: Brief, seed: int = 0) -> Assignment | None:
        """The operator's assignment for a brief."""
        rng = np.random.default_rng(seed)
        return self.operator.compose(brief, PromptPool().choose(rng), PROGRAMMERS, rng)

    def assignments(self) -> Iterator[tuple[Brief, Assignment]]:
        """What it asks for every parent and target, and the brief of each."""
        for seed, each in enumerate(briefs(self.brief)):
            made = self.compose(each, seed)
            if made is not None:
                yield each, made

    def test_it_has_something_to_ask_under_its_own_name(self) -> None:
        assert {made.operator for _, made in self.assignments()} == {self.operator.name}

    def test_the_same_generator_state_gives_the_same_prompts(self) -> None:
        assert list(self.assignments()) == list(self.assignments())

    def test_parents_are_elites_of_the_brief(self) -> None:
        for each, made in self.assignments():
            assert set(made.parents) <= {elite.kernel.id for elite in each.elites.values()}

    def test_an_assignment_survives_json_text(self) -> None:
        for _, made in self.assignments():
            assert TypeAdapter(Assignment).validate_python(json.loads(json.dumps(made.to_json()))) == made

    def test_there_is_nothing_to_ask_of_an_empty_archive(self) -> None:
        assert self.compose(replace(self.brief, elites={}, parent=None)) is None

    def test_a_missing_parent_is_no_error(self) -> None:
        made = self.compose(replace(self.brief, parent=None))
        assert made is None or made.parents
