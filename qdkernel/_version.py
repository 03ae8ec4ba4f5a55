"""Which qdkernel this is."""

from __future__ import annotations


def installed_version() -> str:
    """The installed version; ``unknown`` in a checkout that was never installed."""
    from importlib.metadata import PackageNotFoundError, version  # slow to import, seldom needed

    try:
        return version("qdkernel")
    except PackageNotFoundError:
        return "unknown"
