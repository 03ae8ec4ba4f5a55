"""Reads a frozen dataclass back from the JSON of its fields."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any


def all_fields(kind: type[Any], values: Mapping[str, Any]) -> dict[str, Any]:  # Any: a dataclass and its JSON values
    """``values`` as keyword arguments of the dataclass ``kind``.

    Raises:
        TypeError: a field is missing, or there is one that ``kind`` does not have.
    """
    expected = {field.name for field in fields(kind)}
    if values.keys() != expected:
        raise TypeError(f"expected the fields {', '.join(sorted(expected))}; got {', '.join(sorted(values))}")
    return dict(values)
