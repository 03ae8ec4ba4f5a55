from __future__ import annotations

from qdkernel.core import Behaviour, Cell, Evaluation, Kernel, Measured, Outcome, Proposal
from qdkernel.mutators.llm import Expect
from qdkernel.mutators.llm.prompts import LogLine, compose_reflect, compose_revise, log_line
from qdkernel.mutators.llm.prompts.budget import PROMPT_TOKENS
from tests.mutators.briefs import prompt_brief
from tests.mutators.llm.prompts.texts import LOG, SECTIONS, rng, tokens, user


def test_a_log_line_takes_what_the_evaluation_says() -> None:
    proposal = Proposal(Kernel("int a;"), "edit", "an idea")
    measured = Evaluation(
        proposal.kernel.id, Outcome.OK, behaviour=Behaviour(Cell(4, 3, 1, 1)), measured=Measured(71.2)
    )
    assert log_line(proposal, measured, 0.1) == LogLine(
        "edit", "an idea", Outcome.OK, 0.1, "packed, 512-bit, static loop, prefetch near", 71.2
    )
    failed = Evaluation(proposal.kernel.id, Outcome.CRASHED)
    assert log_line(proposal, failed, None) == LogLine("edit", "an idea", Outcome.CRASHED)


def test_a_long_log_loses_its_oldest_lines() -> None:
    log = [LogLine("edit", f"idea {i} {'x' * 140}", Outcome.OK, 0.0, "packed", 1.0) for i in range(200)]
    assignment = compose_reflect(prompt_brief(), log, "old lesson")
    assert tokens(assignment) <= PROMPT_TOKENS
    assert "idea 199 " in user(assignment)
    assert "idea 0 " not in user(assignment)
    assert "- old lesson" in user(assignment)
    assert assignment.expects is Expect.TEXT


def test_a_revision_names_section_and_version_and_shows_gains_and_losses() -> None:
    assignment = compose_revise(SECTIONS[2], LOG, rng())
    assert assignment.notes == {"section": "pitfalls", "version": 1}
    text = user(assignment)
    assert SECTIONS[2].text in text
    gained, _, lost = text.partition("## Recent kernels that gained nothing or failed")
    assert gained.index("pack both operands") < gained.index("prefetch near only")
    assert "stream C past the caches" in lost


def test_revisions_go_in_different_directions() -> None:
    assert len({user(compose_revise(SECTIONS[0], LOG, rng(seed))) for seed in range(20)}) == 4
