"""Looking back: what a model is shown of past proposals when it writes lessons or a better section of the prompt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from qdkernel.core import Evaluation, Outcome, Proposal
from qdkernel.llm import Message
from qdkernel.mutators.contract import Brief
from qdkernel.mutators.llm.assignment import Assignment, Expect
from qdkernel.mutators.llm.prompts.budget import Variants, fill, fit, one_line, template
from qdkernel.mutators.llm.prompts.facts import system_parts
from qdkernel.mutators.llm.prompts.parts import elite_line, lesson_variants
from qdkernel.mutators.llm.prompts.pool import SECTION_TEXTS, Section
from qdkernel.mutators.llm.prompts.wording import OUTCOME_TEXTS, format_cell, number

_BEST = 3
_LESSON_LINES = 12
_EXAMPLES = 6
_DIRECTIONS = (
    "Sharper: replace general advice by what the evidence above supports.",
    "Shorter: keep only what would change a decision, and drop the rest.",
    "More complete: add what the failures above show to be missing.",
    "Better ordered: put first what pays most, and say when each piece of advice applies.",
)


@dataclass(frozen=True)
class LogLine:
    """One past proposal in a line.

    Attributes:
        operator: that proposed it.
        idea: its idea.
        outcome: how its evaluation ended.
        gain: what it earned, as the portfolio counts it; ``None`` when that is unknown.
        cell: its measured cell in words; empty when it was not measured.
        gflops: its objective; ``None`` when it was not timed.
    """

    operator: str
    idea: str
    outcome: Outcome
    gain: float | None = None
    cell: str = ""
    gflops: float | None = None


def log_line(proposal: Proposal, evaluation: Evaluation, gain: float | None) -> LogLine:
    """An evaluated proposal as a line of the log."""
    cell = format_cell(evaluation.cell) if evaluation.cell is not None else ""
    return LogLine(proposal.operator, proposal.idea, evaluation.outcome, gain, cell, evaluation.objective)


def compose_reflect(brief: Brief, log: Sequence[LogLine], lessons: str) -> Assignment:
    """Asks for the lessons of the run: plain text, at most a dozen lines, which will replace the old ones.

    Args:
        brief: problem, machine and elites; parent and target are not used.
        log: past proposals, oldest first; the oldest are left out when there are too many for a prompt.
        lessons: the old ones.
    """
    best = sorted(brief.elites.values(), key=lambda elite: -elite.objective)[:_BEST]
    parts: dict[str, Variants] = {
        **system_parts(brief, ()),
        "best": ("\n".join(map(elite_line, best)),),
        "log": _log_variants(log),
        "lessons": lesson_variants(lessons)[:1],  # what is not shown would be forgotten
        "lines": (str(_LESSON_LINES),),
    }
    return Assignment("reflect", fit("reflect", parts, brief.prompt_tokens), Expect.TEXT)


def _log_variants(log: Sequence[LogLine]) -> Variants:
    lines = [_words(line) for line in reversed(log)]
    counts = [len(lines), *(count for count in (120, 80, 60, 40, 30, 20, 10) if count < len(lines))]
    return tuple("\n".join(lines[:count]) for count in counts)


def compose_revise(section: Section, log: Sequence[LogLine], rng: np.random.Generator) -> Assignment:
    """Asks for a better version of a section of the prompt: plain text of at most ``SECTION_TEXTS`` words.

    The assignment's notes hold the section's name and the version that was shown.

    Args:
        section: its best version so far.
        log: past proposals of models, oldest first.
        rng: chooses among several directions of improvement, so that versions differ.
    """
    ranked = sorted(reversed(log), key=lambda line: -(line.gain or 0.0))
    gained = [line for line in ranked if (line.gain or 0.0) > 0][:_EXAMPLES]
    lost = [line for line in reversed(log) if not (line.gain or 0.0) > 0][:_EXAMPLES]
    values = {
        "name": section.name,
        "text": section.text,
        "gained": "\n".join(map(_words, gained)),
        "lost": "\n".join(map(_words, lost)),
        "direction": _DIRECTIONS[int(rng.integers(len(_DIRECTIONS)))],
        "words": str(SECTION_TEXTS),
    }
    message = Message("user", fill(template("revise"), values))
    return Assignment("revise", (message,), Expect.TEXT, notes={"section": section.name, "version": section.version})


def _words(line: LogLine) -> str:
    result = OUTCOME_TEXTS[line.outcome]
    if line.gflops is not None:
        result = f"{number(line.gflops)} GFLOP/s"
    if line.cell:
        result += f" in {one_line(line.cell)}"
    earned = f"; gain {line.gain:.2f}" if line.gain is not None and line.gflops is not None else ""
    return f"- {one_line(line.operator, 20)}: {one_line(line.idea, 160)} -> {result}{earned}"
