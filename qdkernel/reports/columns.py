"""A plain table: a line of heads, then rows of texts."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from qdkernel.core import one_line
from qdkernel.reports.run import view_text

_WIDTH = 400  # no line is broken


def columns_text(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Aligned columns, texts on the left, as plain text; no text leaves its line."""
    table = Table(box=None, pad_edge=False)
    for head in heads:
        table.add_column(head, no_wrap=True)
    for row in rows:
        table.add_row(*(Text(one_line(text)) for text in row))
    return view_text(table, _WIDTH)
