"""Reads a model's reply: its idea, its kernel, its edit blocks, its plan. Any text is fine; none raises."""

from __future__ import annotations

import enum
import re
from collections.abc import Sequence
from dataclasses import dataclass

from qdkernel.llm import LONGEST_REPLY, clean_line, clean_text, readable
from qdkernel.mutators.llm.replies.blocks import MAX_BLOCKS, BlocksRead, has_marker, read_blocks
from qdkernel.mutators.llm.replies.edits import EditBlock
from qdkernel.mutators.llm.replies.fences import Definition, Fence, Fenced, definition, read_fences
from qdkernel.mutators.llm.replies.plan import NO_PLAN, read_plan

__all__ = [
    "IDEA_LIMIT",
    "LONGEST_REPLY",
    "NO_PLAN",
    "Complaint",
    "EditBlock",
    "Reply",
    "clean_line",
    "clean_text",
    "read_plan",
    "read_reply",
    "readable",
]

IDEA_LIMIT = 160  # characters: two lines of a terminal

_IDEA = re.compile(
    r"""[\s>\#*_/`"'•|(\[-]*+                          # list, heading, emphasis, comment
        idea [*_`"']*+
        (?: \s*+ [:：] | \s++ [-–—] (?=\s) | (?=\s*+$) )  # "Idea:", "Idea - ", or a heading of its own
        [*_`]*+ \s*+ (?P<text>.*)""",
    re.VERBOSE | re.IGNORECASE,
)
_LIKE_C = re.compile(
    r"\s*+(?:\#\s*+(?:include|define|if|pragma)\b|/\*|//"
    r"|(?:static|inline|enum|typedef|struct|union|extern|void|const|int|long|double|float|unsigned|__attribute__)\b)"
)
_NOT_C = frozenset({"diff", "patch", "udiff", "md", "markdown", "json", "python", "asm", "sh", "bash"})
_HUNK = re.compile(r"@@ -\d+(?:,\d+)? \+\d+(?:,\d+)? @@")
_MUCH_SHORTER = 2


class Complaint(enum.StrEnum):
    """Why a reply gives no kernel, in words that a model can act on; closed."""

    EMPTY = "the reply is empty"
    """Nothing but blanks."""
    PROSE = "the reply holds neither a C kernel nor a SEARCH/REPLACE block"
    """Only prose, or code of another kind."""
    CUT = "the reply was cut off before the kernel was complete"
    """A fence without an end around code with open braces, or without the function."""
    CUT_BLOCK = "the last SEARCH/REPLACE block has no end: it was cut off, or its >>>>>>> REPLACE line is missing"
    """The text ends inside a block."""
    HALF_BLOCK = "a SEARCH/REPLACE block lacks one of its three marker lines"
    """A block without its divider, its begin or its end, among others."""
    MANY_BLOCKS = f"the reply holds more than {MAX_BLOCKS} SEARCH/REPLACE blocks"
    """More blocks than any sensible edit has."""
    DIFF = "the reply is a unified diff; only SEARCH/REPLACE blocks or a whole kernel can be read"
    """Line numbers that models get wrong."""
    NO_DEFINITION = "no code block of the reply defines the kernel's function"
    """Code, but only helpers, a declaration or a call."""


@dataclass(frozen=True)
class Reply:
    """The contents of a reply.

    Attributes:
        idea: one line of at most ``IDEA_LIMIT`` characters, safe to show; empty when there is none.
        blocks: edit blocks in order; none when one of them is broken, since half an edit is not what was meant.
        source: the whole kernel, ends in a newline; ``None`` when there is none or it was cut.
        complaint: why there is neither; empty when there is something.
    """

    idea: str
    blocks: tuple[EditBlock, ...]
    source: str | None
    complaint: str


def read_reply(text: str, function: str) -> Reply:
    """What a reply contains of a kernel that defines ``function``.

    The kernel is the text of a fence that defines the function, or of the lines outside of all fences when they do.
    Of several, the last complete one counts, for models correct themselves, unless it is less than half as long as
    the longest: then it is an excerpt or a sketch of something else. Edit blocks may stand anywhere.
    """
    lines = readable(text).split("\n")
    fenced = read_fences(lines)
    read = read_blocks(lines)
    source, cut = _kernel(fenced, read, function)
    blocks = () if read.broken or read.cut or len(read.blocks) > MAX_BLOCKS else read.blocks
    complaint = "" if blocks or source else _complaint(lines, fenced, read, cut)
    return Reply(_idea(lines), blocks, source, complaint)


# -- idea -------------------------------------------------------------------------------------------------------------


def _idea(lines: Sequence[str]) -> str:
    """The first idea spelt ``IDEA``, else the first one in another spelling."""
    found = [(at, match) for at, line in enumerate(lines) if (match := _idea_line(line))]
    found.sort(key=lambda pair: "IDEA" not in pair[1][0])  # stable: in the order of the text otherwise
    for at, match in found[:8]:
        following = next((line for line in lines[at + 1 : at + 4] if line.strip()), "")
        said = match["text"].strip() or ("" if has_marker(following) or following.startswith("```") else following)
        idea = clean_line(said.removesuffix("*/"), IDEA_LIMIT)
        if idea:
            return idea
    return ""


def _idea_line(line: str) -> re.Match[str] | None:
    return _IDEA.match(line) if "idea" in line[:80].lower() else None


# -- kernel -----------------------------------------------------------------------------------------------------------


def _kernel(fenced: Fenced, read: BlocksRead, function: str) -> tuple[str | None, bool]:
    """The whole kernel, and whether one was begun but cut."""
    whole: list[str] = []
    broken: list[str] = []
    cut = False
    for fence in fenced.fences:
        if fence.label in _NOT_C or any(map(has_marker, fence.lines)):
            continue
        body = _body(fence.lines)
        extent = definition(body, function)
        if extent is Definition.WHOLE:
            whole.append(body)
        elif extent is Definition.BROKEN and fence.closed:
            broken.append(body)  # not cut but wrong, or braces in both branches of an #if: the compiler will tell
        else:
            cut = cut or not fence.closed
    source = _last_of_weight(whole) or _last_of_weight(broken)
    if source is None and not read.tried:
        body = _body(_bare(fenced.outside))
        extent = definition(body, function)
        source = body if extent is Definition.WHOLE else None
        cut = cut or extent is Definition.BROKEN
    return source, cut


def _bare(outside: Sequence[str]) -> Sequence[str]:
    """From the first line outside of fences that looks like C to the last one that ends like C."""
    first = next((at for at, line in enumerate(outside) if _LIKE_C.match(line)), len(outside))
    ends = (at for at in range(len(outside) - 1, first, -1) if outside[at].rstrip().endswith(("}", ";", "*/")))
    return outside[first : next(ends, first - 1) + 1]


def _body(lines: Sequence[str]) -> str:
    """The text of a kernel, without the idea that some models put on its first line."""
    first = next((at for at, line in enumerate(lines) if line.strip()), 0)
    if lines and (match := _idea_line(lines[first])) and "/" not in lines[first][: match.start("text")]:
        first += 1
    return "\n".join(lines[first:]).strip("\n") + "\n"


def _last_of_weight(bodies: Sequence[str]) -> str | None:
    longest = max(map(len, bodies), default=0)
    return next((body for body in reversed(bodies) if _MUCH_SHORTER * len(body) >= longest), None)


# -- complaint --------------------------------------------------------------------------------------------------------


def _complaint(lines: Sequence[str], fenced: Fenced, read: BlocksRead, cut: bool) -> Complaint:
    if not any(map(str.strip, lines)):
        return Complaint.EMPTY
    if len(read.blocks) > MAX_BLOCKS:
        return Complaint.MANY_BLOCKS
    if read.tried:
        return Complaint.HALF_BLOCK if read.broken else Complaint.CUT_BLOCK
    if any(_HUNK.match(line) for line in lines) or any(fence.label in ("diff", "patch") for fence in fenced.fences):
        return Complaint.DIFF
    if cut:
        return Complaint.CUT
    return Complaint.NO_DEFINITION if any(map(_is_code, fenced.fences)) else Complaint.PROSE


def _is_code(fence: Fence) -> bool:
    return fence.label not in _NOT_C and any(map(str.strip, fence.lines))
