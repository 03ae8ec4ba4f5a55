"""``qdkernel export``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from qdkernel.core import one_line
from qdkernel.errors import unknown
from qdkernel.runs import runs_in

if TYPE_CHECKING:
    from qdkernel.export import Selection


def export(runs: Sequence[Path], to: str, out: Path | None, selection: Selection, stages: Path | None) -> int:
    """Writes the runs in a format; reports the number of files on stderr.

    Of a run on several classes of machine all are exported, each record with its machine.
    """
    from qdkernel.export import FORMATS, open_source

    if to not in FORMATS:
        raise unknown("export format", to, FORMATS)
    folders = [folder for run in runs for folder in runs_in(run)]
    with open_source(folders, selection, stages, lambda text: print(one_line(text), file=sys.stderr)) as source:
        written = FORMATS[to].write(source, out)
    if written:
        print(f"{len(written)} file{'s' if len(written) > 1 else ''} written to {out}", file=sys.stderr)
    return 0


def formats_text() -> str:
    """The formats and their sentences, a paragraph each."""
    from qdkernel.export import FORMATS

    return "\n\n".join(f"{name}: {one.help}" for name, one in FORMATS.items())
