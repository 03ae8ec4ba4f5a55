"""Genomes as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True)
class JsonGenome:
    """A genome whose fields are JSON values as they are; one with other fields converts those itself."""

    def to_json(self) -> dict[str, Any]:  # Any: JSON values
        """Plain JSON values, read back by ``from_json``."""
        return dict(vars(self))

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:  # Any: JSON values
        """The genome written by ``to_json``.

        Raises:
            TypeError: a field is missing from this version, or unknown to it.
        """
        expected = cls.__dataclass_fields__.keys()
        if values.keys() != expected:
            raise TypeError(f"expected the fields {', '.join(sorted(expected))}; got {', '.join(sorted(values))}")
        return cls(**values)
