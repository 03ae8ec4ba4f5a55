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
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic

import numpy as np

from qdkernel.core import Cell, Kernel, Notes, Proposal
from qdkernel.mutators.contract import Brief, Draft, Elite
from qdkernel.mutators.schedule.elite_genomes import TRIES, EliteGenomes, first_new
from qdkernel.mutators.schedule.registry import TEMPLATES, Templates
from qdkernel.mutators.schedule.template import G, ScheduleTemplate

_LINE = re.compile(
    r"^[ \t]*#[ \t]*define[ \t]+(?P<name>[A-Za-z_]\w*)[ \t]+(?P<value>[^\s/]+)[ \t]*"
    r"(?:/\*|//)[ \t]*tune:[ \t]*(?P<choices>[^;*\n]*)",
    re.MULTILINE,
)
# At most 18 digits: Python refuses to read numbers of thousands.
_RANGE = re.compile(r"(-?[0-9]{1,18})\s*\.\.\s*(-?[0-9]{1,18})(?:\s+step\s+([0-9]{1,18}))?")
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
        self._genomes = {problem: EliteGenomes(template) for problem, template in templates.items()}

    def propose(self, brief: Brief, rng: np.random.Generator) -> Proposal | None:
        """A kernel not among the elites; ``None`` without a parent, or when it declares nothing tunable."""
        return first_new(self, brief, rng)

    def drafts(self, brief: Brief, count: int, rng: np.random.Generator) -> Sequence[Draft]:
        """Draws that no elite is known to be; those of a parent without a genome are printed."""
        if brief.parent is None:
            return ()
        knobs = tunables(brief.parent.kernel.source)
        if not knobs:
            return ()
        tuning = self._tuning(brief, brief.parent, knobs)
        draws = [tuning.new(rng) for _ in range(count)]
        return [draft for draft in draws if draft is not None]

    def further(self, draft: Draft, brief: Brief, count: int, rng: np.random.Generator) -> Sequence[Draft]:
        """None: which constants a draft would declare is known when it is printed."""
        return ()

    def _tuning(self, brief: Brief, parent: Elite, knobs: Sequence[Tunable]) -> _Tuning[Any]:  # Any: a genome
        elites, genomes = brief.elites.values(), self._genomes.get(brief.problem.name)
        genome = genomes.of(parent) if genomes else None
        if genomes and genome is not None and _gives(genomes.template.print, genome, parent.kernel.source):
            return _Tuning(parent, brief.target, knobs, genomes.among(elites), genomes.template, genome)
        return _Tuning(parent, brief.target, knobs, {elite.kernel.id for elite in (*elites, parent)})


@dataclass(frozen=True)
class _Tuning(Generic[G]):
    """A parent whose constants are tuned.

    While its source is what its genome prints, the genome moves along and is printed anew, so that declared ranges stay
    right. A source that was edited since is edited in place, and the genome is dropped.

    Attributes:
        parent: the elite.
        target: of the proposals.
        knobs: its tunable constants.
        known: keys of the drafts that are elites.
        template: prints the genome; ``None`` to edit the source in place.
        genome: the parent's; ``None`` to edit the source in place.
    """

    parent: Elite
    target: Cell | None
    knobs: Sequence[Tunable]
    known: Collection[Hashable]
    template: ScheduleTemplate[G] | None = None
    genome: G | None = None

    def new(self, rng: np.random.Generator) -> Draft | None:
        """A draw that is not known; ``None`` when every draw is, or has values that the genome forbids."""
        draws = (self._draft(_turn(self.knobs, rng)) for _ in range(TRIES))
        return next((draft for draft in draws if draft is not None and draft.key not in self.known), None)

    def _draft(self, values: Mapping[str, str]) -> Draft | None:
        notes = {name: value for name, value in self.parent.notes.items() if name != "genome"}
        if self.template is None or self.genome is None:
            return Draft.of(self._proposal(with_values(self.parent.kernel.source, values), values, notes))
        template, child = self.template, self.template.with_constants(self.genome, values)
        if child is None or child == self.genome:
            return None
        notes["genome"] = template.to_json(child)
        parents = (self.parent.kernel.id,)
        return Draft(child, notes["genome"], parents, lambda: self._proposal(template.print(child), values, notes))

    def _proposal(self, source: str, values: Mapping[str, str], notes: Notes) -> Proposal:
        before = {knob.name: knob.value for knob in self.knobs}
        idea = ", ".join(f"{name} {before[name]} -> {value}" for name, value in values.items())
        parents = (self.parent.kernel.id,)
        return Proposal(Kernel(source), TuneMutator.name, f"tune {idea}", parents, self.target, notes)


def _turn(knobs: Sequence[Tunable], rng: np.random.Generator) -> dict[str, str]:
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


@functools.lru_cache(maxsize=1024)  # asked again whenever an elite is a parent
def _gives(printed: Callable[[G], str], genome: G, source: str) -> bool:
    """Whether a source is what its genome prints: nobody has edited it since."""
    return printed(genome) == source
