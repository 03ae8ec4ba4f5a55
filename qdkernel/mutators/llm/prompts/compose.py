"""Composes what is said to a model: the opening messages of every kind of conversation about kernels.

Pure functions of what is known: the same brief, sections and generator state give the same assignment. Wording lives
in ``prompts/*.txt``; what is filled in is measured or comes from the run, and is trimmed to ``Brief.prompt_tokens``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from qdkernel.core import AXES, Cell, KernelId, Provenance, cell_name, neighbours, reachable_cells
from qdkernel.llm import Message
from qdkernel.mutators.contract import Brief, Elite
from qdkernel.mutators.llm.assignment import Assignment, Expect, Strategy
from qdkernel.mutators.llm.prompts.attempts import in_flight_variants, plan_variants
from qdkernel.mutators.llm.prompts.budget import (
    Variants,
    fenced,
    fill,
    fit,
    fits,
    one_line,
    template,
)
from qdkernel.mutators.llm.prompts.facts import system_parts
from qdkernel.mutators.llm.prompts.neighbour import mate_variants, neighbour_variants
from qdkernel.mutators.llm.prompts.parts import (
    describe_elite,
    drawn,
    elite_line,
    failure_variants,
    lesson_variants,
    others,
    parent_parts,
    run_parts,
    skill_text,
    skill_variants,
)
from qdkernel.mutators.llm.prompts.pool import Section
from qdkernel.mutators.llm.prompts.target import parse_target_cell
from qdkernel.mutators.llm.prompts.wording import format_cell, format_stage, format_target, listed
from qdkernel.mutators.skills import PREFIX

_MATES_TRIED = 4
_MATE_FACTOR = 2.0  # heuristic: beside a kernel twice as fast the slower one contributes nothing
_PLAN_BEST = 3
_PLAN_OTHERS = 3
_PLAN_EMPTY = 6


def compose_edit(brief: Brief, sections: Sequence[Section], rng: np.random.Generator) -> Assignment | None:
    """Asks for edit blocks to the parent; ``None`` without a parent."""
    if brief.parent is None:
        return None
    messages = fit("edit", _kernel_parts(brief, brief.parent, brief.target, sections, rng), brief.prompt_tokens)
    return _assignment("edit", messages, Expect.EDITS, brief, sections)


def compose_rewrite(brief: Brief, sections: Sequence[Section], rng: np.random.Generator) -> Assignment | None:
    """Asks for a whole kernel in place of the parent; ``None`` without a parent."""
    if brief.parent is None:
        return None
    messages = fit("rewrite", _kernel_parts(brief, brief.parent, brief.target, sections, rng), brief.prompt_tokens)
    return _assignment("rewrite", messages, Expect.KERNEL, brief, sections)


def compose_cross(brief: Brief, sections: Sequence[Section], rng: np.random.Generator) -> Assignment | None:
    """Asks for one kernel made of the parent and a second elite, whose source is shown too.

    Without a target of the brief that is neither's cell, the target is the parent's cell with one or two levels of the
    second elite.
    ``None`` without a parent, or when no other elite is within a factor of two of it in speed, has a cell that leads to
    a target which is neither's, and has a source that fits into the prompt beside the parent's.
    """
    parent = brief.parent
    if parent is None:
        return None
    mates = [elite for elite in others(brief) if _comparable(elite.objective, parent.objective)]
    for _ in range(_MATES_TRIED):
        mate = drawn(mates, lambda elite: -len(_donated(parent.cell, elite.cell, brief.target)), rng)
        if mate is None:
            return None
        mates = [elite for elite in mates if elite is not mate]
        target = brief.target
        if target in (None, parent.cell, mate.cell):
            target = _crossed(brief, parent.cell, mate.cell, rng)
        if target in (None, parent.cell, mate.cell):
            continue
        donated = [AXES[axis].name for axis in _donated(parent.cell, mate.cell, target)]
        parts = {
            **_kernel_parts(brief, parent, target, sections, rng),
            "cross": (_cross_text(parent.cell, mate.cell, target),),
            "mate": (describe_elite(brief, mate),),
            "mate_source": mate_variants(mate.kernel.source, parent.kernel.source, donated),
        }
        messages = fit("cross", parts, brief.prompt_tokens)
        if fits(messages, brief.prompt_tokens):
            made = _assignment("cross", messages, Expect.KERNEL, brief, sections, target)
            return _with_parents(made, (parent.kernel.id, mate.kernel.id))
    return None


def compose_plan(
    brief: Brief, sections: Sequence[Section], programmers: int, rng: np.random.Generator
) -> Assignment | None:
    """Asks a manager for one strategy per programmer; ``None`` while there is no kernel to start from.

    The assignment's notes hold the kernels that were shown, ``{"kernels": [{"id": ..., "cell": "packed/..."}, ...]}``:
    ``Strategy.parent`` 1 is the first of them.
    """
    shown = _shown(brief, rng)
    if not shown:
        return None
    count = f"{programmers} programmer{'s' if programmers > 1 else ''}"
    parts: dict[str, Variants] = {
        **system_parts(brief, sections),
        "programmers_words": (count,),
        "programmers_count": (f"{programmers} object{'s' if programmers > 1 else ''}",),
        "kernels": ("\n".join(f"{i}. {elite_line(elite)[2:]}" for i, elite in enumerate(shown, 1)),),
        "near": (fenced(shown[0].kernel.source), ""),
        "empty": _empty_cell_text(brief, shown, rng),
        "setbacks": failure_variants(brief.recent_failures),
        "lessons": lesson_variants(brief.lessons),
        "last_plan": plan_variants(brief.last_plan),
        "in_flight": in_flight_variants(brief.in_flight),
        "skills": skill_variants(brief.skills),
        "stage": (format_stage(brief.stage, brief.permitted, brief.machine.simd_widths),),
        "target": (f"Let one programmer aim at the cell {format_cell(brief.target)}." if brief.target else "",),
    }
    made = _assignment("plan", fit("plan", parts, brief.prompt_tokens), Expect.PLAN, brief, sections)
    kernels = [{"id": elite.kernel.id, "cell": cell_name(elite.cell)} for elite in shown]
    return replace(_with_parents(made, tuple(elite.kernel.id for elite in shown)), notes={"kernels": kernels})


def compose_program(
    brief: Brief, sections: Sequence[Section], strategy: Strategy, plan: int, rng: np.random.Generator
) -> Assignment:
    """Asks one programmer to carry out a strategy of a plan on the brief's parent.

    The target is the cell in the strategy's words, where they name one that this machine can fill and the stage
    permits; otherwise the brief's. The assignment's notes name the plan and the strategy.

    Raises:
        ValueError: the brief has no parent.
    """
    if brief.parent is None:
        raise ValueError("a strategy starts from a kernel, but the brief has no parent; brief with the plan's kernel")
    target = parse_target_cell(strategy.target, brief.parent.cell)
    if target is None or not _open(brief, target):
        target = brief.target
    said = one_line(strategy.text, 800)
    text = said
    if wanted := one_line(strategy.target):
        text += f"\nTarget in the manager's words: {wanted}"
    parts = {**_kernel_parts(brief, brief.parent, target, sections, rng), "strategy": (text,)}
    messages = fit("program", parts, brief.prompt_tokens)
    made = _assignment("program", messages, Expect.KERNEL, brief, sections, target)
    return replace(made, notes={"plan": plan, "strategy": said})


def compose_next(brief: Brief, kernel: Elite, target: Cell | None) -> Message:
    """What a conversation goes on with after a correct kernel: how fast it is, and where to go from it.

    Args:
        brief: problem, stage and machine.
        kernel: the one that the last reply brought.
        target: of the next kernel.
    """
    parts = {
        **parent_parts(brief, kernel),
        "stage": (format_stage(brief.stage, brief.permitted, brief.machine.simd_widths),),
        "target": (format_target(kernel.cell, target),),
    }
    return Message("user", fill(template("next"), {name: fullest for name, (fullest, *_) in parts.items()}))


def _kernel_parts(
    brief: Brief, parent: Elite, target: Cell | None, sections: Sequence[Section], rng: np.random.Generator
) -> dict[str, Variants]:
    """The places of every prompt that asks for a kernel."""
    return {
        **system_parts(brief, sections),
        **parent_parts(brief, parent),
        **run_parts(brief, rng),
        "stage": (format_stage(brief.stage, brief.permitted, brief.machine.simd_widths),),
        "target": (format_target(parent.cell, target),),
    }


def _assignment(
    operator: str,
    messages: tuple[Message, ...],
    expects: Expect,
    brief: Brief,
    sections: Sequence[Section],
    target: Cell | None = None,
) -> Assignment:
    """An assignment on the brief's parent, whose provenance names the stage, and the sections and kernels shown."""
    parent = brief.parent
    provenance = Provenance(
        stage=brief.stage,
        sections={s.name: s.version for s in sections if s.text in messages[0].content}
        | {f"{PREFIX}{s.name}": 1 for s in brief.skills if skill_text(s) in messages[-1].content},
        shown=tuple(elite.kernel.id for elite in others(brief) if _is_shown(elite, parent, messages)),
    )
    return Assignment(
        operator,
        messages,
        expects,
        base=parent.kernel.source if parent and expects is not Expect.PLAN else "",
        parents=(parent.kernel.id,) if parent else (),
        target=target or brief.target,
        provenance=provenance,
    )


def _is_shown(elite: Elite, parent: Elite | None, messages: Sequence[Message]) -> bool:
    """Whether a prompt, after it was cut to its budget, contains an elite's source, whole or abridged, or its line."""
    source = elite.kernel.source
    texts = (*neighbour_variants(source, parent.kernel.source if parent else ""), elite_line(elite)[2:])
    return any(text in message.content for message in messages for text in texts)


def _with_parents(made: Assignment, parents: tuple[KernelId, ...]) -> Assignment:
    """The assignment with these parents, which are not among the other kernels shown."""
    shown = tuple(kernel for kernel in made.provenance.shown if kernel not in parents)
    return replace(made, parents=parents, provenance=replace(made.provenance, shown=shown))


def _open(brief: Brief, cell: Cell) -> bool:
    """Whether this machine can fill a cell and the stage permits it."""
    return cell in set(reachable_cells(brief.machine.simd_widths)) and (
        brief.permitted is None or cell in brief.permitted
    )


# -- crossing ---------------------------------------------------------------------------------------------------------


def _comparable(one: float, other: float) -> bool:
    return max(one, other) <= _MATE_FACTOR * min(one, other)


def _donated(parent: Cell, mate: Cell, target: Cell | None) -> list[int]:
    """Axes on which the mate has what the parent lacks: the target's level, or without a target any other."""
    aim = mate if target is None else target
    return [axis for axis in range(len(AXES)) if parent[axis] != aim[axis] == mate[axis]]


def _crossed(brief: Brief, parent: Cell, mate: Cell, rng: np.random.Generator) -> Cell | None:
    """The parent's cell with one or two of the mate's levels; ``None`` when no such cell is open."""
    differing = [int(axis) for axis in rng.permutation(_donated(parent, mate, None))]
    # All of the mate's levels would be the mate's own cell, and no crossover.
    most = min(2, max(1, len(differing) - 1))
    for count in (int(rng.integers(1, most + 1)), 1):
        taken = differing[:count]
        cell = Cell(*(mate[axis] if axis in taken else parent[axis] for axis in range(len(AXES))))
        if taken and _open(brief, cell):
            return cell
    return None


def _cross_text(parent: Cell, mate: Cell, target: Cell | None) -> str:
    donated = [AXES[axis].name for axis in _donated(parent, mate, target)]
    if target is None or not donated:
        return "Keep the frame of the first, and take from the second whatever serves the target below."
    kept = [axis.name for axis in AXES if axis.name not in donated]
    return f"Keep the {listed(kept)} of the first, and take the {listed(donated)} of the second."


# -- planning ---------------------------------------------------------------------------------------------------------


def _shown(brief: Brief, rng: np.random.Generator) -> list[Elite]:
    """The kernels a manager sees: the parent, the fastest, and some of any others; fastest first."""
    ranked = sorted(others(brief), key=lambda elite: (-elite.objective, elite.cell))
    best, rest = ranked[:_PLAN_BEST], ranked[_PLAN_BEST:]
    picked = rng.choice(len(rest), size=min(len(rest), _PLAN_OTHERS), replace=False) if rest else ()
    shown = [*([brief.parent] if brief.parent else []), *best, *(rest[int(index)] for index in picked)]
    return sorted(shown, key=lambda elite: (-elite.objective, elite.cell))


def _empty_cell_text(brief: Brief, shown: Sequence[Elite], rng: np.random.Generator) -> Variants:
    """Some empty cells beside the fastest that this machine can fill and the stage permits."""
    reachable = set(reachable_cells(brief.machine.simd_widths))
    near = {cell for elite in shown[:_PLAN_BEST] for cell in neighbours(elite.cell)}
    empty = sorted(c for c in near & reachable - brief.elites.keys() if brief.permitted is None or c in brief.permitted)
    if not empty:
        return ("",)
    picked = rng.choice(len(empty), size=min(len(empty), _PLAN_EMPTY), replace=False)
    return "\n".join(f"- {format_cell(empty[index])}" for index in sorted(int(i) for i in picked)), ""
