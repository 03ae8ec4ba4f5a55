"""``qdkernel export``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from qdkernel.errors import unknown

if TYPE_CHECKING:
    from qdkernel.export import Selection


def export(runs: Sequence[Path], to: str, out: Path | None, selection: Selection, stages: Path | None) -> int:
    """Writes the runs in a format; tells on stderr how many files."""
    from qdkernel.export import FORMATS, open_source

    if to not in FORMATS:
        raise unknown("export format", to, FORMATS)
    with open_source(runs, selection, stages) as source:
        written = FORMATS[to].write(source, out)
    if written:
        print(f"{len(written)} file{'s' if len(written) > 1 else ''} written to {out}", file=sys.stderr)
    return 0


def formats_text() -> str:
    """The formats and their sentences, a paragraph each."""
    from qdkernel.export import FORMATS

    return "\n\n".join(f"{name}: {one.help}" for name, one in FORMATS.items())
