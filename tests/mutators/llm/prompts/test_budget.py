from __future__ import annotations

import dataclasses
import re

import pytest

from qdkernel.core import Cell, Kernel, parse_cell
from qdkernel.mutators import Elite
from qdkernel.mutators.llm.prompts import compose_program, compose_reflect, estimate_tokens
from qdkernel.mutators.llm.prompts.budget import PROMPT_TOKENS, fill, fit, fits, template
from qdkernel.mutators.llm.prompts.compose import compose_cross, compose_edit, compose_plan, compose_rewrite
from qdkernel.mutators.schedule import ScheduleMutator
from tests.mutators.briefs import ARCHIVE, brief, prompt_brief
from tests.mutators.llm.prompts.texts import LOG, SECTIONS, STRATEGY, made, rng, system, tokens, user


def test_tokens_are_estimated_on_the_high_side() -> None:
    assert estimate_tokens("") == 0
    assert estimate_tokens("x") == 1
    assert estimate_tokens("x" * 32) == 10


def packed_elites(count: int) -> list[Elite]:
    """Packed kernels that the schedule operator makes, by the size of their source, the largest first."""
    found: dict[str, Elite] = {}
    for seed in range(count):
        for goal in ("packed/512/static/both", "packed/256/nested/near", "packed/512/dynamic/far"):
            proposal = ScheduleMutator().propose(brief(target=parse_cell(goal)), rng(seed))
            assert proposal is not None
            found[goal] = max(
                (
                    Elite(proposal.kernel, parse_cell(goal), 60.0, "schedule", proposal.idea, {}, ARCHIVE[0].timings),
                    *([found[goal]] if goal in found else []),
                ),
                key=lambda elite: len(elite.kernel.source),
            )
    return sorted(found.values(), key=lambda elite: -len(elite.kernel.source))


def test_prompts_of_each_operator_from_real_gemm_kernels_stay_under_six_thousand_tokens() -> None:
    elites = packed_elites(12)
    assert len(elites[0].kernel.source) > 9000
    evidence, built = ARCHIVE[0].evidence, list[str]()
    for parent in (dataclasses.replace(each, evidence=evidence) for each in elites):
        others = tuple(each for each in elites if each.cell != parent.cell)
        full = prompt_brief(parent, "packed/512/static/near", elites=(parent, *others, *ARCHIVE))
        for assignment in (
            compose_edit(full, SECTIONS, rng()),
            compose_rewrite(full, SECTIONS, rng()),
            compose_cross(full, SECTIONS, rng()),
            compose_plan(full, SECTIONS, 4, rng()),
            compose_program(full, SECTIONS, STRATEGY, 1, rng()),
            compose_reflect(full, LOG * 40, full.lessons),
        ):
            if assignment is not None:  # no two kernels to cross fit beside each other
                assert tokens(assignment) <= PROMPT_TOKENS == 6000
                built.append(assignment.operator)
        for assignment in (compose_edit(full, SECTIONS, rng()), compose_rewrite(full, SECTIONS, rng())):
            assert parent.kernel.source.rstrip() in user(assignment)
            assert "## Target\n" in user(assignment)
    assert {name: built.count(name) for name in ("edit", "rewrite", "plan", "program", "reflect")} == dict.fromkeys(
        ("edit", "rewrite", "plan", "program", "reflect"), len(elites)
    )
    assert "cross" in built


def test_parts_are_dropped_in_the_order_of_their_importance() -> None:
    def shown(room: int) -> tuple[bool, ...]:
        parent = dataclasses.replace(ARCHIVE[1], kernel=Kernel("x" * int(3.2 * (PROMPT_TOKENS - room))))
        near = dataclasses.replace(ARCHIVE[0], kernel=Kernel("int near;"), cell=Cell(4, 3, 1, 2))
        text = user(compose_edit(prompt_brief(parent, elites=(parent, near)), (), rng()))
        headings = ("## Source of the first", "## Recent failures", "## Lessons", "## Results", "## Other elites")
        assert "## Answer" in text
        assert parent.kernel.source in text
        return tuple(heading in text for heading in headings)

    seen = [shown(room) for room in range(3600, 1200, -20)]
    assert seen[0] == (True,) * 5
    assert seen[-1] == (False,) * 5
    for kept in seen:
        assert list(kept) == sorted(kept)  # what matters less goes first


def test_a_parent_too_large_for_any_prompt_is_shown_alone() -> None:
    parent = dataclasses.replace(ARCHIVE[1], kernel=Kernel("x" * 4 * PROMPT_TOKENS))
    assignment = made(compose_edit(prompt_brief(parent, "packed/512/static/near"), SECTIONS, rng()))
    text = user(assignment)
    assert not fits(assignment.messages)
    assert parent.kernel.source in text
    assert "## Target\n" in text
    for heading in ("## Other elites", "## Recent failures", "## Lessons", "## Results", "Why it is in that cell"):
        assert heading not in text
    assert "## Strategies" not in system(assignment)
    assert assignment.provenance.sections == {}  # those left out are not credited


def test_a_paragraph_with_an_empty_place_is_left_out_with_its_heading() -> None:
    assert fill("a $x\n\n## B\n$y\n\nc", {"x": "1", "y": ""}) == "a 1\n\nc"
    assert fill("$x", {"x": "$y ${z} $$"}) == "$y ${z} $$"
    with pytest.raises(KeyError, match="missing"):
        fill("$missing", {})


def test_fit_shortens_only_as_far_as_it_must() -> None:
    places = re.findall(r"\$(\w+)", template("system") + template("plan"))
    parts = {**{name: ("x", "") for name in places}, "near": ("y" * 90_000, "short", "")}
    messages = fit("plan", parts)
    assert "## Source of number 1\nshort" in messages[1].content
    assert "## Lessons of this run\nx" in messages[1].content
