"""``qdkernel export``."""

from __future__ import annotations

from pathlib import Path

from qdkernel.errors import unknown
from qdkernel.runs import RunFolder


def export(run: Path, to: str, out: Path | None) -> int:
    """Writes the run in a format."""
    from qdkernel.export import FORMATS

    if to not in FORMATS:
        raise unknown("export format", to, FORMATS)
    with RunFolder.open(run) as folder:
        FORMATS[to](folder, out)
    return 0
