"""SEARCH/REPLACE blocks: applied to a kernel, or an account of why one does not fit."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from qdkernel.mutators.llm.replies.edit_errors import Miss, ambiguous, explain, no_place, plain_miss
from qdkernel.mutators.llm.replies.functions import function_lines

__all__ = ["EditBlock", "Miss", "apply_edits", "explain"]

_MAX_PLACES = 64  # matches of one block that are looked at; more are as ambiguous as this many


@dataclass(frozen=True)
class EditBlock:
    r"""Lines of a kernel, or a function by its name, and what is to stand in their place; each line ends in ``\n``."""

    search: str
    replace: str
    function: str = ""


@dataclass(frozen=True)
class _Place:
    """Where a block fits: the lines ``at`` to ``at + count``, and what replaces them."""

    at: int
    count: int
    lines: list[str]


def apply_edits(source: str, blocks: Sequence[EditBlock]) -> str | Miss:
    r"""The kernel after all blocks, each applied to what the one before it left; or the first miss, nothing applied.

    A block fits where its SEARCH lines stand once: exactly; else but for trailing blanks; else but for indentation
    (its replacement is indented as the kernel is; a place where all lines are shifted alike goes first); else the
    same without the empty lines at its ends. Nothing is guessed: two such places are a miss that asks for more
    context, since the wrong one could compile and be correct, only not what was meant. An empty SEARCH fits only an
    empty kernel. A block that names a function replaces its definition. Lines end in ``\n`` afterwards.
    """
    nothing = plain_miss("the edits change nothing")
    if all(block.search == block.replace and not block.function for block in blocks):
        return nothing
    before = _split(source)
    lines = list(before)
    for number, block in enumerate(blocks, 1):
        place = _place(lines, block, number)
        if isinstance(place, Miss):
            return place
        lines[place.at : place.at + place.count] = place.lines
    return nothing if lines == before else "".join(line + "\n" for line in lines)


def _place(lines: list[str], block: EditBlock, number: int) -> _Place | Miss:
    search, replace = _split(block.search), _split(block.replace)
    if block.function:
        extent = function_lines("\n".join(lines), block.function)
        if extent is None:
            return plain_miss(f"the kernel defines no function {block.function}, or more than one of that name", number)
        return _Place(extent.start, len(extent), replace)
    if not any(line.strip() for line in search):
        if any(line.strip() for line in lines):
            return plain_miss("its SEARCH part is empty, but the kernel is not", number)
        return _Place(0, len(lines), replace)
    trimmed, matching = _without_blank_ends(search, replace)
    variants = [(search, replace), (trimmed, matching)] if trimmed != search else [(search, replace)]
    for wanted, replacement in variants:
        for find in (_exact, _but_trailing, _but_indentation):
            places = list(find(lines, wanted))
            if len(places) > 1:
                return ambiguous(lines, block.search, number, places, len(wanted))
            if places:
                at = places[0]
                indented = replacement
                if find is _but_indentation:
                    indented = _reindent(replacement, *_shift(lines[at : at + len(wanted)], wanted))
                return _Place(at, len(wanted), indented)
    return no_place(lines, block.search, trimmed, number)


def _split(text: str) -> list[str]:
    text = text.replace("\r\n", "\n")
    return text.removesuffix("\n").split("\n") if text else []


def _without_blank_ends(search: list[str], replace: list[str]) -> tuple[list[str], list[str]]:
    """SEARCH without the empty lines at its ends, REPLACE without as many of its own."""
    first = next(at for at, line in enumerate(search) if line.strip())
    last = next(at for at, line in enumerate(reversed(search)) if line.strip())
    start, end = 0, len(replace)
    while start < min(first, end) and not replace[start].strip():
        start += 1
    while len(replace) - end < last and end > start and not replace[end - 1].strip():
        end -= 1
    return search[first : len(search) - last], replace[start:end]


# -- finding ----------------------------------------------------------------------------------------------------------


def _occurrences(lines: Sequence[str], wanted: Sequence[str], key: Callable[[str], str]) -> Iterator[int]:
    """Indices of lines where ``wanted`` stands, overlapping places included, at most ``_MAX_PLACES``.

    One search in the joined text: Python's is linear, comparing line by line is not.
    """
    text = "\n" + "".join(key(line) + "\n" for line in lines)
    part = "\n" + "".join(key(line) + "\n" for line in wanted)
    at, line, counted = text.find(part), 0, 0
    for _ in range(_MAX_PLACES):
        if at < 0:
            return
        line += text.count("\n", counted, at)
        counted = at
        yield line
        at = text.find(part, at + 1)


def _exact(lines: Sequence[str], wanted: Sequence[str]) -> Iterator[int]:
    return _occurrences(lines, wanted, lambda line: line)


def _but_trailing(lines: Sequence[str], wanted: Sequence[str]) -> Iterator[int]:
    return _occurrences(lines, wanted, str.rstrip)


def _but_indentation(lines: Sequence[str], wanted: Sequence[str]) -> Iterator[int]:
    """The only place where all lines are shifted alike, else every place where they differ by indentation."""
    places = list(_occurrences(lines, wanted, str.strip))
    if len(places) > 1:
        bare = _dedented(wanted)
        shifted = [at for at in places if _dedented(lines[at : at + len(wanted)]) == bare]
        if len(shifted) == 1:
            return iter(shifted)
    return iter(places)


# -- indentation ------------------------------------------------------------------------------------------------------


def _indentation(lines: Sequence[str]) -> str:
    """The leading blanks that all lines share, empty lines left out."""
    leading = [line[: len(line) - len(line.lstrip(" \t"))] for line in lines if line.strip()]
    first, last = min(leading, default=""), max(leading, default="")  # what these two share, all share
    differ = (at for at, (one, other) in enumerate(zip(first, last, strict=False)) if one != other)
    return first[: next(differ, len(first))]


def _dedented(lines: Sequence[str]) -> list[str]:
    shared = len(_indentation(lines))
    return [line[shared:].rstrip() for line in lines]


def _shift(there: Sequence[str], wanted: Sequence[str]) -> tuple[str, str]:
    """The indentation of a block and the kernel's in its place."""
    old, new = _indentation(wanted), _indentation(there)
    if _dedented(there) == _dedented(wanted):
        return old, new
    # Not shifted alike: the first line that is not empty says where the block belongs.
    first = next(at for at, line in enumerate(wanted) if line.strip())
    return _indentation(wanted[first : first + 1]), _indentation(there[first : first + 1])


def _reindent(lines: Sequence[str], old: str, new: str) -> list[str]:
    """Lines that were indented by ``old`` indented by ``new``; those with less keep what the shift leaves them."""
    return [_reindented(line, old, new) for line in lines]


def _reindented(line: str, old: str, new: str) -> str:
    if not line.strip():
        return line
    if line.startswith(old):
        return new + line[len(old) :]
    body = line.lstrip(" \t")
    indent = len(line) - len(body)
    return new[: max(0, len(new) - (len(old) - indent))] + body
