"""Messages about a configuration that does not fit, built from the JSON Schema and pydantic's error types."""

from __future__ import annotations

import functools
import operator
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic_core import ErrorDetails

from qdkernel.config.model import Config
from qdkernel.config.section import OWN_ERROR
from qdkernel.errors import unknown
from qdkernel.strict_yaml import EntryPath, Plain

JsonSchema = Mapping[str, Any]  # Any: JSON


def path_text(path: EntryPath) -> str:
    """A path as users write it, e.g. ``mutators[0].weight``; empty for the top."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".")


def complaints(errors: Sequence[ErrorDetails], data: Plain) -> dict[EntryPath, str]:
    """One message for every entry of ``data`` that does not fit, by its path.

    Args:
        errors: of one pydantic validation of ``Config``.
        data: the plain value validated.
    """
    found: dict[EntryPath, str] = {}
    for error in errors:
        path = _data_path(error, data)
        found.setdefault(path, _message(error, path, data))
    # An entry that does not fit also spoils what holds it (the other arms of a union, the least length of a list);
    # the entry itself says enough.
    return {
        path: text
        for path, text in found.items()
        if not any(len(inner) > len(path) and inner[: len(path)] == path for inner in found)
    }


def _data_path(error: ErrorDetails, data: Plain) -> EntryPath:
    """The error's place in ``data``: pydantic's ``loc`` without the names of union arms that it weaves in."""
    path: list[str | int] = []
    value = data
    last = len(error["loc"]) - 1
    for depth, part in enumerate(error["loc"]):
        if isinstance(value, dict) and part in value:
            value = value[str(part)]
        elif isinstance(value, list) and isinstance(part, int) and part < len(value):
            value = value[part]
        elif error["type"] != "missing" or depth < last:
            continue
        path.append(part)
    return tuple(path)


def _message(error: ErrorDetails, path: EntryPath, data: Plain) -> str:
    if error["type"] == OWN_ERROR:
        return str(error["ctx"]["text"])
    if error["type"] == "extra_forbidden":
        return str(unknown("key", str(path[-1]), _keys_at(path[:-1])))
    node = _nodes_at(path)[0]
    if error["type"] == "missing":
        return f"expected {_describe(node)}, got nothing; add this key: {_summary(node)}"
    return f"expected {_describe(node)}, got {_show(_value_at(data, path))}"


def _show(value: Plain) -> str:
    if value is None:
        return "nothing (null)"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return f"a mapping with the keys {', '.join(value)}" if value else "an empty mapping"
    if isinstance(value, list):
        return f"a list of {len(value)}" if value else "an empty list"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _value_at(data: Plain, path: EntryPath) -> Plain:
    return functools.reduce(operator.getitem, path, data)


@functools.cache
def _schema() -> JsonSchema:
    return Config.model_json_schema()


def _deref(node: JsonSchema) -> JsonSchema:
    if "$ref" in node:
        target: JsonSchema = _schema()["$defs"][node["$ref"].rpartition("/")[2]]
        return {**target, **node} if "description" in node else target
    return _deref(node["allOf"][0]) if "allOf" in node else node


def _arms(node: JsonSchema) -> Iterator[JsonSchema]:
    node = _deref(node)
    for arm in node.get("anyOf", [node]):
        yield _deref(arm)


def _nodes_at(path: EntryPath) -> list[JsonSchema]:
    """The schema of every arm that an entry at ``path`` may follow, unresolved unions first."""
    nodes = [_schema()]
    for part in path:
        children = [child for node in nodes for arm in _arms(node) for child in _child(arm, part)]
        nodes = children or [{}]
    return nodes


def _child(arm: JsonSchema, part: str | int) -> list[JsonSchema]:
    if isinstance(part, int):
        return [arm["items"]] if "items" in arm else []
    if part in arm.get("properties", {}):
        return [arm["properties"][part]]
    values = arm.get("additionalProperties")
    return [values] if isinstance(values, dict) else []


def _keys_at(path: EntryPath) -> list[str]:
    return [key for node in _nodes_at(path) for arm in _arms(node) for key in arm.get("properties", {})]


def _summary(node: JsonSchema) -> str:
    text = str(_deref(node).get("description", ""))
    return text[:1].lower() + text[1:].rstrip(".")


def _describe(node: JsonSchema) -> str:
    """A schema in words, e.g. ``a whole number > 0 or the word 'all'``."""
    return " or ".join(_describe_arm(arm) for arm in _arms(node))


def _describe_arm(arm: JsonSchema) -> str:
    if "const" in arm:
        return f"the word {arm['const']!r}"
    if "enum" in arm:
        return f"one of the words {', '.join(map(repr, arm['enum']))}"
    kind = arm.get("type")
    if kind in ("integer", "number"):
        return f"a{' whole' if kind == 'integer' else ''} number{_bounds(arm)}"
    if kind == "string":
        return "a non-empty text" if arm.get("minLength") else "a text"
    if kind == "array":
        return f"a {'non-empty ' if arm.get('minItems') else ''}list, each entry {_describe(arm['items'])}"
    if kind == "object" and "properties" in arm:
        return f"a mapping with the keys {', '.join(arm['properties'])}"
    if kind == "object":
        values = arm["additionalProperties"]
        return f"a mapping from names to values{'' if values is True else f', each {_describe(values)}'}"
    return {"null": "null", "boolean": "true or false"}.get(str(kind), "another value")


def _bounds(arm: JsonSchema) -> str:
    signs = {"exclusiveMinimum": ">", "minimum": ">=", "exclusiveMaximum": "<", "maximum": "<="}
    parts = [f"{sign} {arm[key]:g}" for key, sign in signs.items() if key in arm]
    return " " + " and ".join(parts) if parts else ""
