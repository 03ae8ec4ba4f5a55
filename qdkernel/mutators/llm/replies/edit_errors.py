"""Why a SEARCH/REPLACE block does not fit, in words that a model can act on."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

_CONTEXT = 3  # lines shown before and after the closest ones
_SHOWN = 40  # lines of a kernel or of a difference in one message
_COMPARED = 80  # lines compared on each side: difflib is quadratic
_WIDTH = 300  # characters of a line in a message
_RESEMBLES = 4  # lines that share less than one word in four with SEARCH tell a model nothing
_TIES = 20  # equally close runs of lines that are looked at
_WORD = re.compile(r"\w+|[^\w\s]")


@dataclass(frozen=True)
class Miss:
    """A block that could not be applied.

    Attributes:
        block: which one, from 1; 0 for all of them together.
        reason: why, in words that follow ``Block 2:``.
        wanted: its SEARCH part.
        closest: lines of the kernel that come closest, verbatim, with a little context; empty when none resembles it.
        line: line number of the first of them, from 1; 0 when there are none.
        difference: unified diff from SEARCH to the closest lines; empty when it would not help.
    """

    block: int
    reason: str
    wanted: str
    closest: str
    line: int
    difference: str = ""


def plain_miss(reason: str, block: int = 0) -> Miss:
    """A miss that no line of the kernel explains."""
    return Miss(block, reason, "", "", 0)


def ambiguous(lines: Sequence[str], wanted: str, block: int, places: Sequence[int], count: int) -> Miss:
    """A block of ``count`` lines that fits at several ``places`` (indices of lines)."""
    shown = [str(at + 1) for at in places[:6]]
    numbers = ", ".join(shown) + " ..." if len(places) > 6 else ", ".join(shown[:-1]) + " and " + shown[-1]
    reason = f"its SEARCH part fits at lines {numbers}; give more lines of context, so that it fits once"
    first = max(0, places[0] - _CONTEXT)
    closest = _excerpt(lines, first, places[0] + count + _CONTEXT)
    return Miss(block, reason, wanted, closest, first + 1)


def no_place(lines: Sequence[str], wanted: str, search: Sequence[str], block: int) -> Miss:
    """A block whose SEARCH lines do not stand in the kernel."""
    reason = "its SEARCH part is not in the kernel"
    at = _closest(lines, search)
    if at is None:
        return Miss(block, reason, wanted, "", 0)
    there = lines[at : at + len(search)]
    skipped = _agreeing(there, search)
    there, search = there[skipped : skipped + _COMPARED], search[skipped : skipped + _COMPARED]
    at += skipped
    first = max(0, at - _CONTEXT)
    closest = _excerpt(lines, first, at + len(there) + _CONTEXT)
    return Miss(block, reason, wanted, closest, first + 1, _difference(search, there))


def explain(miss: Miss) -> str:
    """What to tell the model: which block, why, the closest lines of the kernel and how they differ from SEARCH."""
    parts = [f"Block {miss.block}: {miss.reason}." if miss.block else f"{miss.reason[:1].upper()}{miss.reason[1:]}."]
    if miss.closest:
        after = ", after the blocks before this one," if miss.block > 1 else ""
        parts.append(f"The kernel has{after} from line {miss.line} on:\n```c\n{miss.closest}```")
    elif miss.wanted:
        parts.append("No line of the kernel resembles it.")
    if miss.difference:
        parts.append(f"The difference, - your SEARCH part, + the kernel:\n```diff\n{miss.difference}```")
    return "\n".join(parts)


def _closest(lines: Sequence[str], search: Sequence[str]) -> int | None:
    """Index of the run of lines that shares most words with ``search``; ``None`` when none shares enough.

    Of runs that share as many, the one with most lines in their places.
    """
    wanted = Counter(_words("\n".join(search)))
    total = sum(_weight(word) * count for word, count in wanted.items())
    size = min(len(search), len(lines))
    scores = _window_scores([_words(line) for line in lines], wanted, size)
    best = max(scores, default=0)
    if _RESEMBLES * best < total:
        return None
    ties = [at for at, score in enumerate(scores) if score == best][:_TIES]
    return max(ties, key=lambda at: _aligned(lines[at : at + size], search), default=None)


def _window_scores(words: Sequence[Sequence[str]], wanted: Counter[str], size: int) -> list[int]:
    """For every run of ``size`` lines the weight of the words that it shares with ``wanted``.

    Every word enters and leaves the run once, so the work is linear.
    """
    have: Counter[str] = Counter()
    score, scores = 0, []
    for at, entering in enumerate(words):
        for word in entering:
            have[word] += 1
            score += _weight(word) * (have[word] <= wanted[word])
        for word in words[at - size] if at >= size else ():
            score -= _weight(word) * (have[word] <= wanted[word])
            have[word] -= 1
        if at + 1 >= size:
            scores.append(score)
    return scores


def _aligned(there: Sequence[str], search: Sequence[str]) -> int:
    pairs = zip(there[:_COMPARED], search[:_COMPARED], strict=False)
    return sum(one.strip() == other.strip() for one, other in pairs)


def _words(text: str) -> list[str]:
    return _WORD.findall(text)


def _weight(word: str) -> int:
    """Names tell places apart, punctuation hardly does."""
    return 4 if word[0].isalnum() or word[0] == "_" else 1


def _agreeing(there: Sequence[str], search: Sequence[str]) -> int:
    """How many leading lines of a long block need not be shown, since they agree."""
    if max(len(there), len(search)) <= _SHOWN:
        return 0
    for at, (one, other) in enumerate(zip(there, search, strict=False)):
        if one.strip() != other.strip():
            return max(0, at - _CONTEXT)
    return 0


def _difference(search: Sequence[str], there: Sequence[str]) -> str:
    diff = difflib.unified_diff([_short(s) for s in search], [_short(t) for t in there], lineterm="", n=_CONTEXT)
    rows = list(diff)[2:]  # without the two lines that would name files
    if len(rows) > _SHOWN:
        rows = [*rows[:_SHOWN], f"... {len(rows) - _SHOWN} more lines"]
    return "".join(row + "\n" for row in rows)


def _excerpt(lines: Sequence[str], first: int, end: int) -> str:
    shown = [_short(line) for line in lines[first : min(end, first + _SHOWN)]]
    return "".join(line + "\n" for line in shown)


def _short(line: str) -> str:
    return line if len(line) <= _WIDTH else line[:_WIDTH] + " ..."
