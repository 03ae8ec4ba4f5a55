"""The tune operator: moves the ``#define`` constants that a kernel declares tunable.

Any kernel, whoever wrote it, declares a constant tunable by a comment on its line, one of::

    #define MC 128   /* tune: 32..512 step 32; rows of the A block that stays in L2 */
    #define AHEAD 8  // tune: 0, 4, 8, 16

A range is of integers, both ends included; ``step`` may be left out and is 1. A list holds any tokens without
blanks. Text after a semicolon is for the reader.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from qdkernel.core import Kernel, Notes, Proposal
from qdkernel.mutators.contract import Brief, Elite
from qdkernel.mutators.schedule.registry import TEMPLATES, Templates, genome_of
from qdkernel.mutators.schedule.template import G, ScheduleTemplate

_LINE = re.compile(
    r"^[ \t]*#[ \t]*define[ \t]+(?P<name>[A-Za-z_]\w*)[ \t]+(?P<value>[^\s/]+)[ \t]*"
    r"(?:/\*|//)[ \t]*tune:[ \t]*(?P<choices>[^;*\n]*)",
    re.MULTILINE,
)
# At most 18 digits: Python refuses to read numbers of thousands.
_RANGE = re.compile(r"(-?[0-9]{1,18})\s*\.\.\s*(-?[0-9]{1,18})(?:\s+step\s+([0-9]{1,18}))?")
_TRIES = 20
_MOST_CHOICES = 4096  # a longer range is a typing error, and would cost memory


@dataclass(frozen=True)
class Tunable:
    """A constant declared tunable: its value now, and the values it may take, in order."""

    name: str
    value: str
    choices: tuple[str, ...]


@functools.lru_cache(maxsize=1024)  # asked for with every brief, of elites and their families
def tunables(source: str) -> tuple[Tunable, ...]:
    """The tunable constants of a kernel that have another value to go to, in the order of their lines.

    A declaration that cannot be read (an empty or huge range, a step of 0) is left alone: the kernel may be a model's.
    """
    found = []
    for match in _LINE.finditer(source):
        value = match["value"]
        choices = _choices(match["choices"].strip())
        if any(choice != value for choice in choices):
            found.append(Tunable(match["name"], value, choices))
    return tuple(found)


@functools.lru_cache(maxsize=1024)  # kernels of a template have most of their ranges in common
def _choices(text: str) -> tuple[str, ...]:
    span = _RANGE.fullmatch(text)
    if span is None:
        tokens = [token.strip() for token in text.split(",")]
        return tuple(tokens) if all(re.fullmatch(r"[+-]?\w+(\.\w*)?", token) for token in tokens) else ()
    low, high, step = int(span[1]), int(span[2]), int(span[3] or 1)
    if step == 0 or not 0 <= (high - low) // step < _MOST_CHOICES:
        return ()
    return tuple(str(value) for value in range(low, high + 1, step))


def with_values(source: str, values: Mapping[str, str]) -> str:
    """``source`` with the tunable constants named in ``values`` set; everything else stays as it is, byte for byte."""

    def set_value(match: re.Match[str]) -> str:
        line, start = match[0], match.start("value") - match.start()
        end = match.end("value") - match.start()
        return line[:start] + values.get(match["name"], match["value"]) + line[end:]

    return _LINE.sub(set_value, source)


class TuneMutator:
    """Proposes the parent with one or two of its tunable constants changed; see the module for how to declare them.

    Args:
        templates: by problem; a parent with a genome is printed anew.
    """

    name = "tune"

    def __init__(self, templates: Templates = TEMPLATES) -> None:
        self._templates = templates

    def propose(self, brief: Brief, rng: np.random.Generator) -> Proposal | None:
        """A kernel not among the elites; ``None`` without a parent, or when it declares nothing tunable."""
        if brief.parent is None:
            return None
        knobs = tunables(brief.parent.kernel.source)
        if not knobs:
            return None
        template = self._templates.get(brief.problem.name)
        known = {elite.kernel.id for elite in brief.elites.values()} | {brief.parent.kernel.id}
        for _ in range(_TRIES):
            values = _turn(knobs, rng)
            kept = _retuned(brief.parent, template, values)
            if kept is None:
                continue
            kernel, notes = kept
            if kernel.id not in known:
                before = {knob.name: knob.value for knob in knobs}
                idea = ", ".join(f"{name} {before[name]} -> {value}" for name, value in values.items())
                return Proposal(kernel, self.name, f"tune {idea}", (brief.parent.kernel.id,), brief.target, notes)
        return None


def _turn(knobs: tuple[Tunable, ...], rng: np.random.Generator) -> dict[str, str]:
    """New values for one constant, or for two in three draws out of ten."""
    count = min(len(knobs), 2 if rng.random() < 0.3 else 1)
    chosen = sorted(int(index) for index in rng.choice(len(knobs), size=count, replace=False))
    return {knobs[index].name: _step(knobs[index], rng) for index in chosen}


def _step(knob: Tunable, rng: np.random.Generator) -> str:
    """A nearby value, one to four steps away; one time in five any other value."""
    others = [choice for choice in knob.choices if choice != knob.value]
    if knob.value not in knob.choices or rng.random() < 0.2:
        return others[int(rng.integers(len(others)))]
    here = knob.choices.index(knob.value)
    there = here + int(rng.choice((-4, -2, -1, 1, 2, 4)))
    there = min(max(there, 0), len(knob.choices) - 1)
    return knob.choices[there] if there != here else others[int(rng.integers(len(others)))]


def _retuned(
    parent: Elite,
    template: ScheduleTemplate[Any] | None,
    values: Mapping[str, str],  # Any: each has its own genome
) -> tuple[Kernel, Notes] | None:
    """The parent with new values and the notes that go with it; ``None`` for values its genome forbids.

    While the source is what the genome prints, the genome moves along and is printed anew, so that declared ranges
    stay right. A source that was edited since is edited in place and its genome is dropped.
    """
    notes = {name: value for name, value in parent.notes.items() if name != "genome"}
    genome = genome_of(parent.notes, template) if template is not None else None
    if template is None or genome is None or not _gives(template.print, genome, parent.kernel.source):
        return Kernel(with_values(parent.kernel.source, values)), notes
    child = template.with_constants(genome, values)
    if child is None:
        return None
    return Kernel(template.print(child)), {**notes, "genome": template.to_json(child)}


@functools.lru_cache(maxsize=1024)  # asked again whenever an elite is a parent
def _gives(printed: Callable[[G], str], genome: G, source: str) -> bool:
    """Whether a source is what its genome prints: nobody has edited it since."""
    return printed(genome) == source
