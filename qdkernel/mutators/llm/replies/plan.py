"""A manager's plan: the strategies in a reply."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from qdkernel.llm import clean_line, readable
from qdkernel.mutators.llm.assignment import Strategy

NO_PLAN = "the reply holds no JSON list of strategies"

_TEXT = 600  # characters of a strategy
_TARGET = 160
_TRIES = 200  # brackets at which JSON is looked for: each failed try may read the rest of the reply
_OPENING = re.compile(r"\[(?=\s*+[{\"])|\{")
_STRING_OR_COMMA = re.compile(r'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)|,(?=\s*+[\]}])', re.DOTALL)
_NUMBER = re.compile(r"\d{1,6}")
_TEXT_KEYS = ("strategy", "text", "description", "plan", "idea")
_DECODER = json.JSONDecoder(strict=False)  # models break lines inside strings


def read_plan(text: str, count: int) -> tuple[Strategy, ...] | str:
    """At most ``count`` strategies from a reply, or a sentence saying what it lacks; any text is fine.

    Read is a JSON list of objects with the keys ``parent``, ``target`` and ``strategy``, also fenced, among prose,
    inside an object, with trailing commas, or cut: then the objects before the cut. A missing parent is 1, a missing
    target empty; an object with neither target nor strategy is no strategy. Texts are one line without control
    characters.
    """
    found: list[Strategy] = []
    for value in _values(readable(text)):
        found += [strategy for item in _items(value) if (strategy := _strategy(item))]
        if len(found) >= count:
            break
    return tuple(found[:count]) or NO_PLAN


def _values(text: str) -> Iterator[Any]:  # Any: JSON
    """JSON lists and objects of a text, outermost first, at most ``_TRIES`` looked for."""
    text = _STRING_OR_COMMA.sub(lambda match: "" if match[0] == "," else match[0], text)
    at = 0
    for _ in range(_TRIES):
        match = _OPENING.search(text, at)
        if match is None:
            return
        try:
            value, at = _DECODER.raw_decode(text, match.start())
        except (ValueError, RecursionError):  # also a number of more digits than Python reads
            at = match.end()
        else:
            yield value


def _items(value: Any) -> list[Any]:  # Any: JSON
    """The items that may be strategies: of a list, of the list in an object, or the object itself."""
    if isinstance(value, list):
        return value
    if isinstance(value, Mapping) and _strategy(value) is None:
        return next((inner for inner in value.values() if isinstance(inner, list)), [])
    return [value]


def _strategy(item: Any) -> Strategy | None:  # Any: JSON
    if isinstance(item, str) and item.strip():
        item = {"strategy": item}
    if not isinstance(item, Mapping):
        return None
    fields = {str(key).strip().lower(): value for key, value in item.items()}
    text = next((words for key in _TEXT_KEYS if (words := _words(fields.get(key), _TEXT))), "")
    target = _words(fields.get("target"), _TARGET)
    return Strategy(_parent(fields.get("parent")), target, text) if text or target else None


def _parent(value: Any) -> int:  # Any: JSON
    """A kernel's number: 2, 2.0, "2", "kernel 2"; 1 when there is none."""
    match = _NUMBER.search(str(value)) if isinstance(value, int | float | str) else None
    return max(1, int(match[0])) if match else 1


def _words(value: Any, limit: int) -> str:  # Any: JSON
    if isinstance(value, Mapping):
        value = ", ".join(f"{key} {inner}" for key, inner in list(value.items())[:8] if isinstance(inner, str | int))
    elif isinstance(value, list):
        value = ", ".join(inner for inner in value[:8] if isinstance(inner, str))
    return clean_line(value, limit) if isinstance(value, str) else ""
