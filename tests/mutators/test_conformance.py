from __future__ import annotations

from dataclasses import replace

import numpy as np

from qdkernel.core import Cell, Kernel
from qdkernel.mutators import MODEL_OPERATORS, MUTATORS, OPERATORS, Elite
from qdkernel.mutators.schedule import TEMPLATES
from tests.mutators.briefs import brief, sized_brief
from tests.mutators.conformance import ModelOperatorConformance, MutatorConformance

START = {"dgemm": brief("dgemm"), "jacobi2d": sized_brief("jacobi2d", {"n": 1024, "t": 4})}


def scheduled(problem: str, count: int = 6) -> dict[Cell, Elite]:
    """Elites as the schedule operator leaves them, each in the cell that its genome predicts."""
    template, generator = TEMPLATES[problem], np.random.default_rng(1)
    found = {}
    for _ in range(count):
        genome = template.mutate(template.fresh(START[problem], generator), START[problem], generator)
        cell, notes = template.cell_of(genome), {"genome": template.to_json(genome)}
        found[cell] = Elite(Kernel(template.print(genome)), cell, 1.0, "schedule", "an idea", notes)
    return found


class TestScheduleOfDgemm(MutatorConformance):
    mutator = MUTATORS["schedule"]()
    brief = replace(START["dgemm"], elites=scheduled("dgemm"))


class TestScheduleOfJacobi2d(MutatorConformance):
    mutator = MUTATORS["schedule"]()
    brief = replace(START["jacobi2d"], elites=scheduled("jacobi2d"))


class TestTuneOfDgemm(MutatorConformance):
    mutator = MUTATORS["tune"]()
    brief = replace(START["dgemm"], elites=scheduled("dgemm"))


class TestTuneOfJacobi2d(MutatorConformance):
    mutator = MUTATORS["tune"]()
    brief = replace(START["jacobi2d"], elites=scheduled("jacobi2d"))


class TestEdit(ModelOperatorConformance):
    operator = MODEL_OPERATORS["edit"]


class TestRewrite(ModelOperatorConformance):
    operator = MODEL_OPERATORS["rewrite"]


class TestCross(ModelOperatorConformance):
    operator = MODEL_OPERATORS["cross"]


class TestPlan(ModelOperatorConformance):
    operator = MODEL_OPERATORS["plan"]


def test_every_registered_operator_is_held_to_its_conformance_class() -> None:
    built_in = {each.mutator.name for each in MutatorConformance.__subclasses__() if each.__module__ == __name__}
    model = {each.operator.name for each in ModelOperatorConformance.__subclasses__() if each.__module__ == __name__}
    assert built_in | model == {name for name, each in OPERATORS.items() if each.kind != "agent"}
