"""JSON with a part removed, replaced or doubled."""

from __future__ import annotations

import json
import random
from typing import Any

HOSTILE_TEXTS = (
    *("", "x", "0", "ok", "[]", "{}", "null", "NaN", "Infinity", "[NaN]", '"\\ud800"', "1e999", "[" * 5000, "\x00"),
    *("[/tile]\x1b]0;owned\x07\u202e", "x" * 100_000, "../../etc/passwd", '{"version": 1}', "[99, 0, 0, 0]", "[0]"),
)
HOSTILE_NUMBERS = (0, -1, 1, 1 << 62, -(1 << 63), 0.0, -0.5, 1e308, float("inf"), float("-inf"), 1e-320)


def changed_json(rng: random.Random, text: str) -> str:
    """The text of a JSON value with one change inside it, or another value where it holds nothing."""
    try:
        value = json.loads(text)
    except RecursionError:  # an earlier change nested it too deeply
        return text
    places = _places(value)
    if not places:
        return rng.choice(("[]", "{}", "0", '{"a": []}', "[[]]"))
    holder, key = rng.choice(places)
    action = rng.randrange(4)
    if action == 0:
        del holder[key]
    elif action == 1 and isinstance(holder, list):
        holder.extend(holder[:] * rng.choice((1, 20)))
    elif action == 2 and isinstance(holder, dict):
        holder[rng.choice(("", "x", "__class__", "\ud800"))] = holder.pop(key)
    else:
        holder[key] = rng.choice((*HOSTILE_TEXTS, *HOSTILE_NUMBERS, None, True, [], {}, [[]], {"a": 1}))
    return json.dumps(value)


def _places(value: Any) -> list[tuple[Any, Any]]:  # Any: JSON
    """Every (container, key) inside a JSON value."""
    if not isinstance(value, (dict, list)):
        return []
    keys = value.items() if isinstance(value, dict) else enumerate(value)
    return [place for key, inner in keys for place in [(value, key), *_places(inner)]]
