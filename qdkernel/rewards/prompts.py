"""Prompts to train on: the texts of the language-model operators, for a problem, its stages and target cells."""

from __future__ import annotations

from typing import Any

import numpy as np

from qdkernel.config import Config
from qdkernel.core import Cell, Kernel, reachable_cells
from qdkernel.machine import this_machine
from qdkernel.mutators import Brief, Elite
from qdkernel.mutators.llm.prompts import PromptPool, compose
from qdkernel.problems import find_problem
from qdkernel.search import plan_of, resolve_sizes, resolve_threads

_SEED_CELL = Cell(0, 0, 0, 0)


def prompt_rows(config: Config, count: int, seed: int = 0) -> list[dict[str, Any]]:
    """Rows of a data set: ``prompt``, a list of messages, and ``stage``, a name or empty.

    Each asks for a whole kernel in a target cell, drawn from the reachable cells that its stage permits; the stages
    take turns in the configuration's order. The parent shown is the problem's naive seed kernel, not timed.

    Args:
        config: problem, sizes, threads and stages.
        count: rows.
        seed: of the draws.
    """
    rng = np.random.default_rng(seed)
    problem, machine = find_problem(config.problem, config.accuracy), this_machine()
    plan = plan_of(config.stages, config.stage_order)
    reachable = sorted(reachable_cells(machine.simd_widths))
    stages = [stage for stage in plan.stages if stage.cells(reachable)] if plan else [None]
    parent = Elite(Kernel(problem.seed_source(problem.seeds[0])), _SEED_CELL, 0.0, "seed", "the naive seed kernel", {})
    rows: list[dict[str, Any]] = []
    for number in range(count):
        stage = stages[number * len(stages) // count]
        cells = sorted(stage.cells(reachable)) if stage else reachable
        brief = Brief(
            problem,
            machine,
            resolve_threads(config, machine),
            resolve_sizes(config, problem, machine),
            {_SEED_CELL: parent},
            parent,
            cells[int(rng.integers(len(cells)))],
            stage=stage.name if stage else "",
            permitted=frozenset(cells) if stage else None,
            prompt_tokens=config.llm.prompt_tokens,
        )
        assignment = compose("rewrite", brief, PromptPool().choose(rng), 1, rng)
        assert assignment is not None  # it has a parent
        messages = [{"role": message.role, "content": message.content} for message in assignment.messages]
        rows.append({"prompt": messages, "stage": brief.stage})
    return rows
