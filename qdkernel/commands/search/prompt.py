"""``qdkernel prompt``: what a model would be sent."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from qdkernel.config import Config, load_config
from qdkernel.core import Cell, printable, reachable_cells
from qdkernel.errors import unknown
from qdkernel.machine import this_machine
from qdkernel.mutators import MODEL_OPERATORS, Brief, Elite, ReferenceSpeeds
from qdkernel.mutators.llm import Assignment
from qdkernel.mutators.llm.prompts import PromptPool, compose, estimate_tokens
from qdkernel.mutators.skills import BUILT_IN_SKILLS, Skill, SkillPool, read_skills
from qdkernel.problems import find_problem
from qdkernel.runs import RunFolder, elites
from qdkernel.search import (
    check_names,
    elite_of,
    naive_elite,
    recorded_lessons,
    recorded_reference_speeds,
    resolve_sizes,
    resolve_threads,
)
from qdkernel.search.policies import POLICIES, Situation

_LAYOUT = "\n\t"  # of the kernels in a prompt


def prompt(path: Path, show: bool, operator: str | None, run: Path | None, overrides: Sequence[str]) -> int:
    """Prints the first prompts of a configuration, or the next ones of a run; needs no compiler and no model."""
    config = load_config(path, overrides)
    check_names(config)
    if operator is not None and operator not in MODEL_OPERATORS:
        raise unknown("model operator", operator, MODEL_OPERATORS)
    rng = np.random.default_rng(config.seed)
    brief = _brief(config, run, rng)
    for name in [operator] if operator else MODEL_OPERATORS:
        assignment = compose(name, brief, PromptPool().choose(rng), config.llm.programmers, rng)
        if assignment is None:
            print(f"{name}: nothing to ask yet (it needs more than one elite; give a run with --run)", file=sys.stderr)
            continue
        tokens = sum(estimate_tokens(message.content) for message in assignment.messages)
        print(f"{name}: about {tokens} tokens in {len(assignment.messages)} messages")
        if show:
            for message in assignment.messages:
                print(f"\n--- {message.role} ---\n{printable(message.content, keep=_LAYOUT, limit=None)}")
            print()
    return 0


def first_assignment(config: Config) -> Assignment:
    """The first thing that a run of this configuration would ask a model: to rewrite the naive seed."""
    rng = np.random.default_rng(config.seed)
    assignment = compose("rewrite", _brief(config, None, rng), PromptPool().choose(rng), config.llm.programmers, rng)
    assert assignment is not None  # a rewrite needs one kernel, and the seed is there
    return assignment


def _brief(config: Config, run: Path | None, rng: np.random.Generator) -> Brief:
    problem, machine = find_problem(config.problem, config.accuracy), this_machine(config.machine.isa)
    held: dict[Cell, Elite] = {}
    reference_speeds, lessons = ReferenceSpeeds(), ""
    if run is not None:
        with RunFolder.open(run) as folder:
            found = {
                cell: elite_of(record.proposal, record.evaluation)
                for cell, record in elites(folder.evaluations.records()).items()
            }
            held = {cell: elite for cell, elite in found.items() if elite is not None}
            reference_speeds, lessons = recorded_reference_speeds(folder.facts), recorded_lessons(folder)
    if not held:  # before the first evaluation: the naive seed, not timed yet
        seed = naive_elite(problem)
        held = {seed.cell: seed}
    reachable = frozenset(reachable_cells(machine.simd_widths))
    policy = POLICIES[config.search](reachable, config.selection)
    for elite in held.values():
        policy.observe(elite)
    choice = policy.choose(Situation(held), rng)
    skills: tuple[Skill, ...] = ()
    if choice.parent is not None:
        pool = SkillPool(read_skills((BUILT_IN_SKILLS, *config.llm.skill_folders)))
        skills = pool.choose(problem.name, choice.parent.cell, choice.target, config.llm.skills, rng)
    threads, sizes = resolve_threads(config, machine), resolve_sizes(config, problem, machine)
    return Brief(
        problem,
        machine,
        threads,
        sizes,
        held,
        choice.parent,
        choice.target,
        reference_speeds=reference_speeds,
        lessons=lessons,
        prompt_tokens=config.llm.prompt_tokens,
        skills=skills,
    )
