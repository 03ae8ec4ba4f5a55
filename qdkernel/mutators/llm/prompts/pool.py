"""The evolving sections of the prompt: versions, what kernels written with each have earned, and which is used next.

After the meta-prompting of KernelFoundry (arXiv 2603.12440), which evolves named sections of the prompt beside the
kernels: a version's worth is its best child's, choice is a softmax with a penalty for use and a bonus for the unused.
Simplifications of ours: sections are chosen independently of one another, a whole section is rewritten at a time
rather than patched, and a child's earnings are credited to every section of its prompt alike.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from qdkernel.errors import unknown
from qdkernel.mutators.llm.prompts.budget import PROMPTS

SECTION_NAMES = ("philosophy", "strategies", "pitfalls")
"""The sections, in the order in which a prompt shows them."""

SECTION_TEXTS = 180
"""Words that a model is asked to stay below."""

FIRST = 1
"""Number of every section's first version, which is never dropped."""

# All heuristic. Earnings lie between 0 and 1: at this temperature a version that earns 0.25 more is e times likelier.
_TEMPERATURE = 0.25
_EPSILON = 0.1
_FEW_USES = 5
_USE_PENALTY = 0.1  # arXiv 2603.12440
_MOST_VERSIONS = 8
_MOST_CHARACTERS = 1500  # three sections of this size are a quarter of a prompt
_MARKERS = re.compile(r"<{5,}|>{5,}|={5,}|```|~~~")
_UNWANTED = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


@dataclass(frozen=True)
class Section:
    """One version of a named section of the prompt."""

    name: str
    version: int
    text: str


@dataclass
class _Version:
    """A version's record: prompts it went into, the most that a kernel of such a prompt earned, what it came from."""

    text: str
    uses: int = 0
    best: float = 0.0
    parent: int | None = None

    @property
    def worth(self) -> float:
        """What the softmax weighs: little used versions get a chance, much used ones have to keep earning."""
        bonus = 1 / (1 + self.uses) if self.uses < _FEW_USES else 0.0
        return self.best - _USE_PENALTY * float(np.log1p(self.uses)) + bonus


class PromptPool:
    """Versions of each section; at first the ones that come with the project."""

    def __init__(self) -> None:
        self._versions = {section.name: {FIRST: _Version(section.text)} for section in first_sections()}
        self._last = dict.fromkeys(SECTION_NAMES, FIRST)

    def choose(self, rng: np.random.Generator) -> tuple[Section, ...]:
        """A version of each section for one prompt; counts as a use of it."""
        chosen = []
        for name in SECTION_NAMES:
            numbers = sorted(self._versions[name])
            if rng.random() < _EPSILON:
                number = numbers[int(rng.integers(len(numbers)))]
            else:
                worth = np.array([self._versions[name][each].worth for each in numbers]) / _TEMPERATURE
                weights = np.exp(worth - worth.max())
                number = numbers[int(rng.choice(len(numbers), p=weights / weights.sum()))]
            self._versions[name][number].uses += 1
            chosen.append(self._section(name, number))
        return tuple(chosen)

    def credit(self, versions: Mapping[str, int], earned: float) -> None:
        """Notes what a kernel earned with the sections of its prompt.

        Args:
            versions: the ``sections`` of an assignment's notes; versions dropped meanwhile are passed over.
            earned: 0 for nothing gained; what exceeds 1 counts as 1, and what is no number as 0.
        """
        earned = float(np.clip(np.nan_to_num(earned, nan=0.0), 0.0, 1.0))
        for name, number in versions.items():
            version = self._versions.get(name, {}).get(number)
            if version is not None:
                version.best = max(version.best, earned)

    def add(self, name: str, text: str, parent: int | None) -> int | None:
        """Takes in a new version of a section.

        A full section drops the version that is worth least among those tried a few times, never the first one; while
        none has been, the oldest.

        Returns:
            Its number, or ``None`` for a text that is empty, too long, already there, or contains fences or edit
            markers, which would break the answer's format.

        Raises:
            UnknownName: no such section.
        """
        if name not in self._versions:
            raise unknown("prompt section", name, SECTION_NAMES)
        text = _UNWANTED.sub(" ", text.replace("\r\n", "\n")).strip()
        same = {_normalised(version.text) for version in self._versions[name].values()}
        if not text or len(text) > _MOST_CHARACTERS or _MARKERS.search(text) or _normalised(text) in same:
            return None
        if len(self._versions[name]) >= _MOST_VERSIONS:
            self._drop_worst(name)
        self._last[name] += 1
        self._versions[name][self._last[name]] = _Version(text, parent=parent)
        return self._last[name]

    def worst_section(self) -> str:
        """The section whose best version has earned least; of equals the one rewritten least often, then the first."""
        return min(
            SECTION_NAMES,
            key=lambda name: (max(version.best for version in self._versions[name].values()), self._last[name]),
        )

    def choose_for_revision(self, rng: np.random.Generator) -> Section:
        """The section to rewrite next, now and then any, in the version that has earned most so far."""
        name = self.worst_section()
        if rng.random() < _EPSILON:
            name = SECTION_NAMES[int(rng.integers(len(SECTION_NAMES)))]
        versions = self._versions[name]
        return self._section(name, max(versions, key=lambda number: (versions[number].best, -number)))

    def versions(self, name: str) -> tuple[Section, ...]:
        """All versions of a section, oldest first."""
        return tuple(self._section(name, number) for number in sorted(self._versions[name]))

    def to_json(self) -> dict[str, Any]:  # Any: JSON
        """State, as stored with a run."""
        return {
            name: {"last": self._last[name], "versions": {str(n): vars(v).copy() for n, v in self._numbered(name)}}
            for name in SECTION_NAMES
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> PromptPool:  # Any: JSON
        """The inverse of ``to_json``; a section that the state lacks starts with its first version."""
        pool = cls()
        for name in SECTION_NAMES:
            if name in data:
                pool._last[name] = data[name]["last"]
                pool._versions[name] = {int(n): _Version(**v) for n, v in data[name]["versions"].items()}
        return pool

    def _numbered(self, name: str) -> Iterator[tuple[int, _Version]]:
        return iter(sorted(self._versions[name].items()))

    def _section(self, name: str, number: int) -> Section:
        return Section(name, number, self._versions[name][number].text)

    def _drop_worst(self, name: str) -> None:
        candidates = {number: version for number, version in self._numbered(name) if number != FIRST}
        tried = [number for number, version in candidates.items() if version.uses >= _FEW_USES]
        del self._versions[name][
            min(tried, key=lambda number: (candidates[number].best, number)) if tried else min(candidates)
        ]


def first_sections() -> tuple[Section, ...]:
    """The sections as they come with the project."""
    folder = PROMPTS / "sections"
    return tuple(
        Section(name, FIRST, (folder / f"{name}.txt").read_text(encoding="utf-8").strip()) for name in SECTION_NAMES
    )


def _normalised(text: str) -> str:
    """Text without what makes no difference: case, blanks, list marks and punctuation at the ends of words."""
    return " ".join(re.findall(r"[\w.+/-]*\w", text.casefold()))
