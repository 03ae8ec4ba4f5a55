"""JSON that every reader of JSON takes."""

from __future__ import annotations

import json
import math
from typing import Any


def json_text(value: Any) -> str:  # Any: JSON values, NaN and infinity among the numbers
    """Compact JSON; ``null`` replaces NaN and infinity, which JSON does not have."""
    try:
        return json.dumps(value, separators=(",", ":"), allow_nan=False)
    except ValueError:
        return json.dumps(_finite(value), separators=(",", ":"), allow_nan=False)


def _finite(value: Any) -> Any:  # Any: as above
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(entry) for key, entry in value.items()}
    return [_finite(entry) for entry in value] if isinstance(value, list | tuple) else value
