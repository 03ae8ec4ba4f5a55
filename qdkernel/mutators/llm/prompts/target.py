"""Reads a cell in a model's words, e.g. 'packed, 512-bit, static loop, prefetch near'."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from qdkernel.core import AXES, BLOCKING, PREFETCH, Axis, Blocking, Cell, PrefetchLevel, Simd, Threading, parse_cell
from qdkernel.errors import UnknownName

_NAME = re.compile("/".join("(?:" + "|".join(map(re.escape, axis.levels)) + ")" for axis in AXES))
_LONGEST = 1000  # characters read: a target is a line, and some of the patterns look far ahead
_KEEPS = re.compile(r"\b(?:as|like) (?:the )?parent|\bsame cell|\bparent'?s? (?:own )?cell|\bunchanged")
_NEAR = r"(?:near|l1d?(?: cache)?)"
_FAR = r"(?:far|(?:l2|l3|llc)(?: cache)?|non[- ]?temporal|streaming stores?)"
_BOTH = rf"(?:both|{_NEAR}\s*(?:and|\+|&|/)\s*{_FAR}|{_FAR}\s*(?:and|\+|&|/)\s*{_NEAR})"
_NO = r"(?:no|without|none|zero|remove|drop)"
_LINK = r"[\s:=(]*(?:only\s+)?(?:in)?(?:to|for|hints?|level)?\s*(?:the\s+)?"
_PRE = r"(?:software[- ])?prefetch\w*"

# For each axis the readings to try in turn, with the level each stands for; what one has read is gone for the next.
# Prefetch goes first, because its words hold names of caches, and blocking last.
_B = Blocking  # a short name for the table
_READINGS: tuple[tuple[str, tuple[tuple[str, int], ...]], ...] = (
    (
        "prefetch",
        (
            (rf"\b{_NO}\s+(?:all\s+)?{_PRE}|\b{_PRE}[\s:=(]*(?:none|no|off)\b", PrefetchLevel.NONE),
            (rf"\b{_PRE}{_LINK}{_BOTH}\b|\b{_BOTH}\s+{_PRE}", PrefetchLevel.BOTH),
            (rf"\b{_PRE}{_LINK}{_FAR}\b|\b{_FAR}\s+{_PRE}", PrefetchLevel.FAR),
            (rf"\b{_PRE}{_LINK}{_NEAR}\b|\b{_NEAR}\s+{_PRE}", PrefetchLevel.NEAR),
        ),
    ),
    (
        "simd",
        (
            (r"\b512[- ]?bits?\b|\bavx[- ]?512\w*|\bzmm\b|\bsimd[\s:=(]*512\b", Simd.BITS_512),
            (r"\b256[- ]?bits?\b|\bavx2?\b|\bymm\b|\bsimd[\s:=(]*256\b", Simd.BITS_256),
            (r"\b128[- ]?bits?\b|\bsse[\d.]*\b|\bxmm\b|\bneon\b|\bsimd[\s:=(]*128\b", Simd.BITS_128),
            (rf"\bscalar\b|\b{_NO}\s+(?:simd|vectors?)\b|\bsimd[\s:=(]*(?:none|no)\b", Simd.SCALAR),
        ),
    ),
    (
        "threading",
        (
            (r"\bnested\b|\b2[- ]?d\b|\btwo-dimensional\b|\btasks?\b|\bcollapse\b", Threading.NESTED),
            (r"\bdynamic\w*|\bguided\b", Threading.DYNAMIC),
            (r"\bstatic\w*", Threading.STATIC),
            (
                rf"\bserial\w*|\bsingle[- ]thread\w*|\bone thread\b|\b{_NO}\s+(?:threads?|threading|openmp)\b"
                r"|\bthreading[\s:=(]*none\b",
                Threading.SERIAL,
            ),
        ),
    ),
    (
        "blocking",
        (
            (
                rf"\b{_NO}\s+(?:blocking|tiles|tiling)\b|\bblocking[\s:=(]*none\b|\bunblocked\b|\bplain loops?\b",
                Blocking.NONE,
            ),
            (r"\b(?<!un)(?:re)?pack(?:ed|ing|s)?\b", _B.PACKED),
            (
                r"\bcache\w*\s*(?:and|\+|&|/|plus)\s*register|\bregister\w*\s*(?:and|\+|&|/|plus)\s*cache",
                Blocking.CACHE_REGISTER,
            ),
            (r"\bcache\b(?=.*\bregister\b)|\bregister\b(?=.*\bcache\b)", _B.CACHE_REGISTER),
            (r"\bcache\b|\btiled\b", _B.CACHE),
            (r"\bregister\b", _B.REGISTER),
        ),
    ),
)
_DENIED = re.compile(rf"\b(?:{_NO}|unpacked|not)\s+(?:packing|packed|panels)\b|\bunpacked\b")
_BOTH_KINDS = dict.fromkeys(("near and far", "near + far"), PrefetchLevel.BOTH)
_BARE: tuple[tuple[Axis, dict[str, int]], ...] = tuple(
    (axis, dict(zip(axis.levels, range(len(axis.levels)), strict=True)) | (_BOTH_KINDS if axis is PREFETCH else {}))
    for axis in AXES
)
"""The names of each axis' levels, which may stand alone between commas."""


def parse_target_cell(text: str, parent_cell: Cell) -> Cell | None:
    """The cell that words name; an axis they do not mention keeps the parent's level.

    Accepts cell names (``packed/512/static/near``), the output of ``format_cell``, bare levels between commas, and
    common paraphrases. ``None`` when nothing in the text names a level.
    """
    words = " ".join(text[:_LONGEST].lower().split())
    if match := _NAME.search(words):
        try:
            return parse_cell(match[0])
        except UnknownName:  # cannot happen while the pattern is made of the levels
            return None
    found: dict[str, int] = {}
    denied = _DENIED.search(words)
    rest = _DENIED.sub(" ", words)
    for axis, readings in _READINGS:
        level, rest = _read(rest, readings)
        if level is not None:
            found[axis] = level
    if denied and "blocking" not in found and parent_cell.blocking == Blocking.PACKED:
        found["blocking"] = Blocking.CACHE_REGISTER
    for axis, level in _bare_levels(words):
        found.setdefault(axis, level)
    if not found:
        return parent_cell if _KEEPS.search(words) else None
    return parent_cell._replace(**found)


def _read(text: str, readings: Sequence[tuple[str, int]]) -> tuple[int | None, str]:
    """The level of the first reading that matches, and the text without the words it read."""
    for pattern, level in readings:
        if match := re.search(pattern, text):
            return level, text[: match.start()] + " " + text[match.end() :]
    return None, text


def _bare_levels(words: str) -> Iterator[tuple[str, int]]:
    """Clauses that are nothing but a level's name; ``none`` means blocking at the beginning, else prefetch."""
    clauses = [clause.strip(" .") for clause in re.split(r"[,;|/]", words)]
    for index, clause in enumerate(clauses):
        for axis, levels in _BARE:
            if clause in levels and not (clause == "none" and (axis is BLOCKING) != (index == 0)):
                yield axis.name, levels[clause]
