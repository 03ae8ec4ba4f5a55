from __future__ import annotations

from tests.export.conformance import runs

__all__ = ["runs"]
