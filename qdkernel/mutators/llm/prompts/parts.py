"""What a prompt states of the run: the parent, other elites, failures, sweeps and lessons, each from full to short."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence

import numpy as np

from qdkernel.core import AXES, Cell, Outcome, Timing, sampled_speed
from qdkernel.mutators.contract import Brief, Elite, RecentFailure, Sweep
from qdkernel.mutators.llm.prompts.attempts import attempt_variants, in_flight_variants
from qdkernel.mutators.llm.prompts.budget import Variants, fenced, one_line, shrinking
from qdkernel.mutators.llm.prompts.neighbour import neighbour_variants
from qdkernel.mutators.llm.prompts.speeds import format_speed, short_speed, with_interval
from qdkernel.mutators.llm.prompts.wording import OUTCOME_TEXTS, format_cell, number, pairs
from qdkernel.mutators.skills import LONGEST_SKILL, Skill

SWEEP_ROWS = 12
_HOT_LOOP = ("hot loop lines", "hot loop", "time split", "hot loop bound", "compiler")  # of the evidence
_FAR_IDEAS = 4
_RECENT_FAILURES = 4
_LESSONS = 12
_FAILURE_CHARACTERS = 1500
_CONTEXT_LINES = 4  # of the compiler's picture of the place: source line, caret, suggestion


def parent_parts(brief: Brief, parent: Elite) -> dict[str, Variants]:
    """The parent: where it stands, why it is in its cell, its source."""
    evidence = "\n".join(
        f"- {axis.name}: {one_line(parent.evidence[axis.name])}" for axis in AXES if axis.name in parent.evidence
    )
    return {
        "parent": (describe_elite(brief, parent),),
        "evidence": (evidence, ""),
        "hot_loop": (hot_loop_facts(parent), ""),
        "source": (fenced(parent.kernel.source),),
    }


def hot_loop_facts(elite: Elite) -> str:
    """What is known of an elite's hot loop, two to five lines."""
    known = [one_line(elite.evidence[name], 300) for name in _HOT_LOOP if name in elite.evidence]
    return "\n".join(f"- {text}" for text in known)


def describe_elite(brief: Brief, elite: Elite) -> str:
    """An elite's cell, speed at each size, and idea."""
    lines = [f"Cell: {format_cell(elite.cell)}. Speed: {format_speed(brief, elite)}."]
    if len(elite.timings) > 1 or brief.problem.bandwidth_bound:
        lines += [_timing(timing, brief.problem.bandwidth_bound) for timing in elite.timings]
    if idea := one_line(elite.idea):
        lines.append(f"Its idea: {idea}")
    return "\n".join(lines)


def _timing(timing: Timing, bandwidth_bound: bool) -> str:
    sampled = sampled_speed([timing])
    fast = sampled.fast if sampled else timing.gflops
    streamed = f", {number(fast * timing.bytes / timing.flops)} GB/s" if bandwidth_bound else ""
    ratio = f"{number(timing.ratio)} [{number(timing.ratio_low)}, {number(timing.ratio_high)}] x the baseline"
    return f"- {pairs(timing.size.items())}: {number(fast)} GFLOP/s{streamed}, {ratio}"


def run_parts(brief: Brief, rng: np.random.Generator) -> dict[str, Variants]:
    """Inspirations, failures, sweep and lessons of a brief that has a parent."""
    parent, near = brief.parent, _near(brief, rng)
    return {
        "near": (*neighbour_variants(near.kernel.source, parent.kernel.source), "") if near and parent else ("",),
        "ideas": _ideas(brief, near, rng),
        "setbacks": failure_variants(brief.recent_failures),
        "lessons": lesson_variants(brief.lessons),
        "sweep": sweep_variants(brief.sweep),
        "attempts": attempt_variants(brief.attempts),
        "in_flight": in_flight_variants(brief.in_flight),
        "skills": skill_variants(brief.skills),
    }


def _near(brief: Brief, rng: np.random.Generator) -> Elite | None:
    """An elite of another cell, on each axis at most one level from the parent, or from the target.

    Those that have what the target asks for come first, then the fast ones; weights fall off as 1 / rank.
    """
    parent = brief.parent
    if parent is None:
        return None
    target = brief.target or parent.cell
    elsewhere = [elite for elite in others(brief) if elite.cell != parent.cell]
    near = [elite for elite in elsewhere if min(_distance(elite.cell, parent.cell), _distance(elite.cell, target)) <= 1]
    wanted = [axis for axis, level in enumerate(target) if level != parent.cell[axis]]
    return drawn(near, lambda elite: -sum(elite.cell[axis] == target[axis] for axis in wanted), rng)


def others(brief: Brief) -> list[Elite]:
    """The elites but the parent, in the order of their cells."""
    own = brief.parent.kernel.id if brief.parent else None
    return [brief.elites[cell] for cell in sorted(brief.elites) if brief.elites[cell].kernel.id != own]


def drawn(elites: Sequence[Elite], first: Callable[[Elite], float], rng: np.random.Generator) -> Elite | None:
    """One of the elites; the likelier the lower ``first``, then the faster. ``None`` when there are none."""
    if not elites:
        return None
    ranked = sorted(elites, key=lambda elite: (first(elite), -elite.objective, elite.cell))
    weights = 1.0 / np.arange(1, len(ranked) + 1) ** 2
    return ranked[int(rng.choice(len(ranked), p=weights / weights.sum()))]


def _distance(one: Cell, other: Cell) -> int:
    """The most levels that two cells are apart on any axis."""
    return max(abs(a - b) for a, b in zip(one, other, strict=True))


def _ideas(brief: Brief, near: Elite | None, rng: np.random.Generator) -> Variants:
    """The near elite's line, the fastest one's, and some of any others."""
    rest = [elite for elite in others(brief) if elite is not near]
    chosen = [near] if near else []
    if rest:
        fastest = max(rest, key=lambda elite: elite.objective)
        rest.remove(fastest)
        picked = rng.choice(len(rest), size=min(len(rest), _FAR_IDEAS - 1), replace=False) if rest else ()
        chosen += [fastest, *(rest[int(index)] for index in picked)]
    return shrinking([elite_line(elite) for elite in chosen], 2)


def elite_line(elite: Elite) -> str:
    """An elite in one line: cell, speed, idea."""
    idea = one_line(elite.idea)
    return f"- {format_cell(elite.cell)}, {short_speed(elite.speed, elite.objective)}{f': {idea}' if idea else ''}"


def failure_variants(recent_failures: Sequence[RecentFailure]) -> Variants:
    """Failures, one line each."""
    lines = []
    for failure in recent_failures[:_RECENT_FAILURES]:
        detail = trim_failure(failure.outcome, failure.detail)
        if failure.outcome is Outcome.COMPILE_ERROR:
            detail = detail.partition("\n")[0]  # the first error; its picture of the place needs lines of its own
        detail = one_line(detail, 240)
        suffix = f" [{detail}]" if detail else ""
        lines.append(f"- {OUTCOME_TEXTS[failure.outcome]}: {one_line(failure.idea, 160)}{suffix}")
    return shrinking(lines, 1)


def lesson_variants(lessons: str) -> Variants:
    """Lessons, one line each, at most a dozen."""
    lines = [one_line(line.strip().removeprefix("- "), 300) for line in lessons.splitlines()]
    return shrinking([f"- {line}" for line in lines if line][:_LESSONS], 6)


def skill_variants(skills: Sequence[Skill]) -> Variants:
    """Techniques, a paragraph each, fewer when they do not fit."""
    texts = [skill_text(skill) for skill in skills]
    return tuple("\n".join(texts[:count]) for count in range(len(texts), -1, -1))


def skill_text(skill: Skill) -> str:
    """A technique as a prompt shows it."""
    seen = f" (seen to bring {one_line(skill.gain)})" if skill.gain else ""
    return f"- {one_line(skill.title)}{seen}: {one_line(skill.text, LONGEST_SKILL)}"


def sweep_variants(sweep: Sweep | None) -> Variants:
    """The table of a sweep, best rows first and failed ones last, in columns."""
    if sweep is None or not sweep.rows:
        return ("",)
    ordered = sorted(sweep.rows, key=lambda row: -math.inf if row[1] is None else row[1].median, reverse=True)
    table = [(*sweep.names, "GFLOP/s")]
    table += [(*values, "failed" if speed is None else with_interval(speed)) for values, speed in ordered]
    cells = [[one_line(cell, 24) for cell in row] for row in table]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in cells]
    counts = [count for count in (SWEEP_ROWS, 6, 3) if count < len(ordered)]
    if len(ordered) <= SWEEP_ROWS:
        counts.insert(0, len(ordered))
    return (*(_top(lines, count) for count in counts), "")


def _top(lines: Sequence[str], count: int) -> str:
    left = len(lines) - 1 - count
    return "\n".join([*lines[: count + 1], *([f"({left} slower or failed)"] if left > 0 else [])])


def trim_failure(outcome: Outcome, detail: str, limit: int = _FAILURE_CHARACTERS) -> str:
    """A failure's text cut to what helps to mend it, at most ``limit`` characters.

    Of a compiler's text the first errors with their place stay; warnings, notes and repetitions go when there are
    errors. Control characters go, line ends stay.
    """
    text = re.sub(r"[^\n\x20-\x7e\u00a0-\u2027\u202a-\ud7ff\ue000-\uffff\U00010000-\U0010ffff]", " ", detail).strip()
    if outcome is Outcome.COMPILE_ERROR:
        text = "\n".join(_errors(text.splitlines())) or text
    if len(text) <= limit:
        return text
    cut = text[: limit - 6]
    return f"{cut.rsplit(chr(10), 1)[0] if chr(10) in cut else cut}\n[...]"


def _errors(lines: Sequence[str]) -> list[str]:
    """The error lines of a GCC-like compiler, each with the lines that picture the place."""
    kept: list[str] = []
    room = 0
    for line in lines:
        if re.search(r"\berror:|undefined reference", line):
            kept.append(line)
            room = _CONTEXT_LINES - 1
        elif room and re.match(r"\s", line):
            kept.append(line)
            room -= 1
        else:
            room = 0
    return kept
