"""Skills: optimization techniques as small Markdown files, which a person can read, edit and ship.

A file ``NAME.md`` begins with a heading and lines ``key: value``; the technique follows after an empty line::

    # Register tile of 256-bit vectors
    problems: dgemm sgemm
    blocking: register cache+register packed
    simd: 256
    source: Goto and van de Geijn 2008, Anatomy of High-Performance Matrix Multiplication

    Keep 4 x 12 doubles of C in 12 of the 16 vector registers ...

``problems`` and the axes say where the skill applies; what is left out does not restrict it. EffiSkill (arXiv
2603.27850) mines such skills from pairs of slow and fast programs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from qdkernel.core import AXES, Cell
from qdkernel.errors import ConfigError

BUILT_IN_SKILLS = Path(__file__).parent / "library"

LONGEST_SKILL = 1200
"""Characters of a technique: two of them are a tenth of a prompt."""

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_KEYS = ("problems", *(axis.name for axis in AXES), "source", "gain")
_FILE_LIMIT = 16_384


@dataclass(frozen=True)
class Skill:
    """A technique.

    Attributes:
        name: of its file, without ``.md``.
        title: one line.
        text: the technique, for a programmer.
        source: where it is from: a paper, a manual, or a run.
        problems: where it applies; empty for all.
        levels: by axis, the levels where it applies; an axis left out does not restrict it.
        gain: what it was seen to bring when it was mined, in words; empty for a hand-written one.
    """

    name: str
    title: str
    text: str
    source: str
    problems: tuple[str, ...] = ()
    levels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    gain: str = ""

    def applies(self, problem: str, cell: Cell) -> bool:
        """Whether it is for kernels of a problem in a cell."""
        levels = {axis.name: axis.levels[level] for axis, level in zip(AXES, cell, strict=True)}
        fits = all(levels[name] in allowed for name, allowed in self.levels.items())
        return fits and (not self.problems or problem in self.problems)

    def to_text(self) -> str:
        """As its file has it."""
        heads = {"problems": " ".join(self.problems)}
        heads |= {name: " ".join(allowed) for name, allowed in self.levels.items()}
        heads |= {"source": self.source, "gain": self.gain}
        lines = [f"# {self.title}", *(f"{key}: {value}" for key, value in heads.items() if value)]
        return "\n".join([*lines, "", self.text, ""])


def read_skill(path: Path) -> Skill:
    """The skill in a file.

    Raises:
        ConfigError: what is wrong with the file, and how to put it right.
    """
    if not _NAME.fullmatch(path.stem):
        raise ConfigError(f"{path}: expected a name of small letters, digits and hyphens, got {path.stem!r}; rename it")
    try:
        content = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: expected a text file in UTF-8 that can be read: {error}") from None
    if len(content) > _FILE_LIMIT:
        raise ConfigError(f"{path}: expected at most {_FILE_LIMIT} characters, got {len(content)}; shorten it")
    head, _, text = content.replace("\r\n", "\n").partition("\n\n")
    title, *lines = head.split("\n")
    if not title.startswith("# ") or not text.strip():
        raise ConfigError(
            f"{path}: expected '# title', lines 'key: value', an empty line and a text; see the module's help"
        )
    if len(text) > LONGEST_SKILL:
        raise ConfigError(f"{path}: expected a text of at most {LONGEST_SKILL} characters, got {len(text)}; shorten it")
    values = _values(path, lines)
    if not values.get("source"):
        raise ConfigError(f"{path}: expected a line 'source: ...' that says where the technique is from; add it")
    return Skill(
        path.stem,
        title[2:].strip(),
        text.strip(),
        values["source"],
        tuple(values.get("problems", "").split()),
        _levels(path, values),
        values.get("gain", ""),
    )


def read_skills(folders: Iterable[Path]) -> tuple[Skill, ...]:
    """The skills of some folders, by name; of two with one name the later folder's counts.

    Raises:
        ConfigError: a folder that does not exist, or a file that is no skill.
    """
    found: dict[str, Skill] = {}
    for folder in folders:
        if not folder.is_dir():
            raise ConfigError(
                f"{folder}: expected a folder of skills (*.md), but there is none; make it or correct the path"
            )
        found |= {skill.name: skill for skill in map(read_skill, sorted(folder.glob("*.md")))}
    return tuple(found[name] for name in sorted(found))


def _values(path: Path, lines: Iterable[str]) -> dict[str, str]:
    values = {}
    for line in lines:
        key, colon, value = line.partition(":")
        if not colon or key.strip() not in _KEYS:
            raise ConfigError(f"{path}: expected 'key: value' with a key of {', '.join(_KEYS)}, got {line!r}")
        values[key.strip()] = value.strip()
    return values


def _levels(path: Path, values: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    levels = {}
    for axis in AXES:
        allowed = tuple(values.get(axis.name, "").split())
        if wrong := [level for level in allowed if level not in axis.levels]:
            raise ConfigError(
                f"{path}: {axis.name}: expected levels of {', '.join(axis.levels)}, got {', '.join(wrong)}"
            )
        if allowed:
            levels[axis.name] = allowed
    return levels
