from __future__ import annotations

import json
import os
from collections.abc import Callable

import pytest
from pydantic import TypeAdapter

from qdkernel.core import reachable_cells
from qdkernel.mutators.llm import Assignment
from qdkernel.mutators.llm.prompts import compose_program, compose_reflect, compose_revise
from qdkernel.mutators.llm.prompts.compose import compose_cross, compose_edit, compose_plan, compose_rewrite
from tests.mutators.briefs import ARCHIVE, NAIVE_DGEMM, SETBACKS, prompt_brief
from tests.mutators.llm.prompts.texts import LOG, SECTIONS, STRATEGY, made, repair, rng
from tests.paths import GOLDEN

GOLDENS: dict[str, Callable[[], Assignment | None]] = {
    "edit": lambda: compose_edit(prompt_brief(target="packed/512/static/near"), SECTIONS, rng()),
    "rewrite": lambda: compose_rewrite(
        prompt_brief(NAIVE_DGEMM, "register/512/serial/near", sweep=None, recent_failures=(), lessons=""),
        SECTIONS,
        rng(),
    ),
    "cross": lambda: compose_cross(prompt_brief(ARCHIVE[3]), SECTIONS, rng()),
    "plan": lambda: compose_plan(
        prompt_brief(
            stage="vectors", permitted=frozenset(c for c in reachable_cells((128, 256, 512)) if c[2] == 1 and c[1] > 1)
        ),
        SECTIONS,
        4,
        rng(),
    ),
    "program": lambda: compose_program(prompt_brief(), SECTIONS, STRATEGY, 1, rng()),
    "repair": lambda: repair(SETBACKS[0].outcome, SETBACKS[0].detail),
    "reflect": lambda: compose_reflect(prompt_brief(), LOG, "Wider vectors paid once (22.8 against 12.1)."),
    "revise": lambda: compose_revise(SECTIONS[1], LOG, rng()),
}


def readable(assignment: Assignment) -> str:
    """An assignment as a person reads it; only its base is left out, which stands in the messages."""
    parts = [f"##### {message.role}\n{message.content}\n" for message in assignment.messages]
    rest = {name: value for name, value in assignment.to_json().items() if name not in ("messages", "base")}
    return "\n".join([*parts, f"##### assignment\n{json.dumps(rest, indent=1)}\n"])


@pytest.mark.parametrize("operator", GOLDENS)
def test_a_prompt_is_its_golden_file(operator: str) -> None:
    assignment = made(GOLDENS[operator]())
    assert assignment.operator == operator
    golden = GOLDEN / f"prompt_{operator}.txt"
    text = readable(assignment)
    if os.environ.get("QDKERNEL_UPDATE_GOLDEN") == "1":
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text(encoding="utf-8"), "QDKERNEL_UPDATE_GOLDEN=1 pytest rewrites the golden files"


@pytest.mark.parametrize("operator", GOLDENS)
def test_an_assignment_survives_json_and_is_the_same_every_time(operator: str) -> None:
    assignment = made(GOLDENS[operator]())
    assert TypeAdapter(Assignment).validate_python(json.loads(json.dumps(assignment.to_json()))) == assignment
    assert made(GOLDENS[operator]()) == assignment
