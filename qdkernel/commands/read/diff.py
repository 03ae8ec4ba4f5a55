"""``qdkernel diff``: two runs at equal cost; needs neither compiler nor the machines that made them."""

from __future__ import annotations

import json
from pathlib import Path

from qdkernel.analysis import compare
from qdkernel.runs import RunFolder


def diff(first: Path, second: Path, by: str, as_json: bool) -> int:
    """Prints what two runs reached at equal cost."""
    from qdkernel.reports import print_view, report, show_diff

    with RunFolder.open(first) as a, RunFolder.open(second) as b:
        comparison = compare(a, b, by)
    if as_json:
        print(json.dumps(report(comparison), indent=2))
    else:
        print_view(show_diff(comparison))
    return 0
