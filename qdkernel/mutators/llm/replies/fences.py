"""Fenced blocks of a markdown text, and whether one of them defines a C function."""

from __future__ import annotations

import enum
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from qdkernel.evaluators.source import Token, tokenize_c

_FENCE = re.compile(r"^([ \t]*+)(`{3,}+|~{3,}+)[ \t]*+([^`]*)$")
_LABEL = re.compile(r"[\w+#.:/-]*")
_C_LABELS = frozenset({"c", "c++", "cpp", "cc", "h", "hpp", "c99", "c11", "c17", "gnu11"})


@dataclass(frozen=True)
class Fence:
    """A fenced block.

    Attributes:
        label: first word after the opening marks, in lower case; empty when there is none.
        lines: what stands inside, without the lines of fences nested in it.
        closed: whether it ends before the text does.
    """

    label: str
    lines: tuple[str, ...]
    closed: bool


@dataclass(frozen=True)
class Fenced:
    """A text taken apart: its fences in the order of their opening lines, and the lines outside of every fence."""

    fences: tuple[Fence, ...]
    outside: tuple[str, ...]


@dataclass
class _Open:
    at: int
    indent: str
    marks: str
    label: str
    lines: list[str] = field(default_factory=list)

    def fence(self, closed: bool) -> Fence:
        """The block as it stands."""
        listed = all(line.startswith(self.indent) for line in self.lines if line.strip())
        indent = len(self.indent) if listed else 0
        return Fence(self.label, tuple(line[indent:] for line in self.lines), closed)


def read_fences(lines: Sequence[str]) -> Fenced:
    """The fences of a text, as markdown has it, and more forgiving where models are careless.

    A fence opened inside another one, e.g. in a reply that is one markdown block, is a fence of its own; one that a
    fence around it closes counts as closed. Only what is still open at the end of the text is not.
    """
    done: list[tuple[int, Fence]] = []
    stack: list[_Open] = []
    outside: list[str] = []
    for at, line in enumerate(lines):
        match = _FENCE.match(line)
        if match is None:
            (stack[-1].lines if stack else outside).append(line)
            continue
        indent, marks, info = match.groups()
        keep = _closes(stack, marks, info.split())
        if keep is not None:
            done += [(opened.at, opened.fence(closed=True)) for opened in stack[keep:]]
            del stack[keep:]
        elif stack and marks[0] != stack[-1].marks[0]:
            stack[-1].lines.append(line)  # a row of tildes in a comment
        else:
            label = info.split()[0].lower() if info.strip() else ""
            stack.append(_Open(at, indent, marks, label))
    done += [(opened.at, opened.fence(closed=False)) for opened in stack]
    return Fenced(tuple(fence for _, fence in sorted(done, key=lambda pair: pair[0])), tuple(outside))


def _closes(stack: Sequence[_Open], marks: str, info: Sequence[str]) -> int | None:
    """How many of the open fences stay open after a line of marks; ``None`` when the line opens a fence."""
    if not stack or marks[0] != stack[-1].marks[0]:
        return None
    if info and (len(info) == 1 or info[0].lower() in _C_LABELS) and _LABEL.fullmatch(info[0]):
        return None
    for depth in range(len(stack) - 1, max(-1, len(stack) - 9), -1):  # real replies nest less deeply
        if stack[depth].marks == marks:
            return depth
    return len(stack) - 1 if len(stack[-1].marks) < len(marks) else None


class Definition(enum.Enum):
    """How much of a function's definition a text holds."""

    ABSENT = "absent"
    """No definition; a declaration or a call is none."""
    BROKEN = "broken"
    """It begins, but braces are left open at the end of the text."""
    WHOLE = "whole"
    """All of it, and every brace of the text is closed."""


def definition(text: str, function: str) -> Definition:
    """How much of ``function``'s definition stands in a C text; preprocessor lines are left out of the count."""
    if function not in text:
        return Definition.ABSENT
    tokens = [token for line in tokenize_c(text).lines if line[0].text != "#" for token in line]
    if not _defines(tokens, function):
        return Definition.ABSENT
    depth = 0
    for token in tokens:
        depth += (token.text == "{") - (token.text == "}")
    return Definition.WHOLE if depth <= 0 else Definition.BROKEN


def _defines(tokens: Sequence[Token], function: str) -> bool:
    """Whether ``function ( ... ) {`` occurs; a call is never followed by a brace."""
    opened: list[int] = []
    for at, token in enumerate(tokens):
        if token.text == "(":
            opened.append(at)
        elif token.text == ")" and opened:
            before = opened.pop() - 1
            followed = at + 1 < len(tokens) and tokens[at + 1].text == "{"
            if followed and before >= 0 and tokens[before].text == function:
                return True
    return False
