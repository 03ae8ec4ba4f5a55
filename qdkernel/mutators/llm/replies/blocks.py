"""SEARCH/REPLACE blocks in a reply, wherever they stand."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from qdkernel.mutators.llm.replies.edits import EditBlock

MAX_BLOCKS = 100  # applying one is linear in the kernel; no sensible edit has as many

# Five to nine marks, since models miscount the seven; no line of C begins like this. Whatever follows is ignored.
_MARKER = re.compile(r"[ \t]*+(?:(<{5,9})(?!<)|(={5,9})(?![^\s])|(>{5,9})(?!>))")
_FUNCTION = re.compile(r"[ \t]*+<{5,9}[ \t]*+FUNCTION[ \t]++(\w+)", re.IGNORECASE)
_FENCE = re.compile(r"[ \t]*+`{3,}[\w+]*+[ \t]*+")


@dataclass(frozen=True)
class BlocksRead:
    """The edit blocks of a reply.

    Attributes:
        blocks: the complete ones, in order.
        broken: a block lacks its divider or its end, and another one follows.
        cut: the last block has no end.
    """

    blocks: tuple[EditBlock, ...]
    broken: bool
    cut: bool

    @property
    def tried(self) -> bool:
        """Whether the reply tries to edit at all."""
        return bool(self.blocks) or self.broken or self.cut


def read_blocks(lines: Sequence[str]) -> BlocksRead:
    """The blocks ``<<<<<<< SEARCH``, ``=======``, ``>>>>>>> REPLACE`` of a text, inside fences or not.

    A block ``<<<<<<< FUNCTION name`` has no SEARCH part: all of it up to its end replaces the function.
    """
    blocks: list[EditBlock] = []
    search: list[str] | None = None
    replace: list[str] | None = None
    function = ""
    broken = False
    for mark, line in _marked(lines):
        if mark == "<":
            broken = broken or search is not None
            named = _FUNCTION.match(line)
            function = named[1] if named else ""
            search, replace = [], [] if named else None
        elif search is None:
            broken = broken or mark == ">"  # an end without a begin; a lone row of = is a heading's underline
        elif mark == "=" and (replace is None or function):
            replace = []  # some models put a divider, and the old function before it
        elif mark == ">":
            if replace is None:
                broken = True
            else:
                blocks.append(EditBlock(_joined(search), _joined(replace), function))
            search = replace = None
        else:
            (search if replace is None else replace).append(line)
    return BlocksRead(tuple(blocks), broken, cut=search is not None)


def has_marker(line: str) -> bool:
    """Whether a line begins or ends an edit block."""
    match = _MARKER.match(line)
    return match is not None and match[2] is None


def _marked(lines: Sequence[str]) -> Iterator[tuple[str, str]]:
    for line in lines:
        match = _MARKER.match(line)
        yield (match[0].strip()[0] if match else ""), line


def _joined(lines: Sequence[str]) -> str:
    """A part of a block; fences that a model put around it are no part of the kernel."""
    return "".join(line + "\n" for line in lines if not _FENCE.fullmatch(line))
