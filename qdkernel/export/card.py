"""The dataset card: a README.md whose YAML head the ``datasets`` library reads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import yaml

from qdkernel.core import Outcome, one_line
from qdkernel.export.contract import Selection, Source
from qdkernel.export.files import CARD_MARK
from qdkernel.export.record import ExportRecord
from qdkernel.export.revalidation import FAILURES

Tables = Mapping[str, Mapping[str, tuple[str, int]]]
"""File and number of rows by table and split."""


def card_text(name: str, tables: Tables, source: Source) -> str:
    """The card of an export.

    Args:
        name: of the format.
        tables: what was written.
        source: of the export.
    """
    records, selection = source.records, source.selection
    configs = [
        {
            "config_name": table,
            "data_files": [{"split": split, "path": path} for split, (path, _) in files.items()],
            **({"default": True} if number == 0 else {}),
        }
        for number, (table, files) in enumerate(tables.items())
    ]
    head = {
        "license": selection.license,
        "task_categories": ["text-generation"],
        "language": ["code"],
        "tags": ["code", "c", "kernels", "qdkernel", name],
        "configs": configs,
    }
    yaml_head = yaml.safe_dump(head, sort_keys=False, allow_unicode=True)
    rows = "\n".join(
        f"| {table} | {split} | {path} | {count} |"
        for table, files in tables.items()
        for split, (path, count) in files.items()
    )
    return (
        f"---\n{yaml_head}---\n\n# C kernels, format {name}\n\n{CARD_MARK} from {_runs(records)}.\n\n"
        f"| table | split | file | rows |\n|---|---|---|---|\n{rows}\n\n"
        f"## Held out\n\n{_held_out(selection)}\n\n{_machines(records)}\n{_measured(source.again)}\n{_counts(records)}"
    )


def _runs(records: Sequence[ExportRecord]) -> str:
    runs = Counter((record.run, record.task) for record in records)
    return ", ".join(
        f"{table_text(run)} ({table_text(task)}): {count} evaluations" for (run, task), count in runs.items()
    )


def _held_out(selection: Selection) -> str:
    if selection.split is None:
        return "Nothing: there is one split."
    return (
        "`test` holds whole lineages of a problem, never single rows, up to "
        f"{100 * (1 - selection.split):.0f} % of the kernels: "
        "no kernel there has a parent, a child or equal code in `train`, the seed kernels apart."
    )


def _machines(records: Sequence[ExportRecord]) -> str:
    machines = dict.fromkeys(
        (r.hardware.cpu, str(r.hardware.threads), r.compiler, r.flags, r.timing.ref, r.hardware.fingerprint)
        for r in records
    )
    lines = [f"| {' | '.join(map(table_text, machine))} |" for machine in machines]
    head = "| CPU | threads | compiler | flags | baseline | fingerprint |\n|---|---|---|---|---|---|\n"
    return f"## Machines\n\n{head}" + "\n".join(lines) + "\n"


_MEASURED = """## How it was measured

Every kernel was compiled and run in a contained process, verified on fresh random inputs against a reference in higher
precision, and timed from outside in blocks interleaved with the baseline. GFLOP/s are those of the median ratio to the
baseline, times its calibrated speed; intervals are 95 % bootstrap intervals over the blocks. Behavior (the cell) was
read from machine code. Near-duplicates (equal machine code or equal -O0 assembly) are dropped from tables for training.
"""
_NOT_AGAIN = """
No kernel was called far beyond the scored sizes for this export (larger ones, extents of 1 to 3, offsets past 2^31
elements): one that is recorded as correct may be wrong there.
"""
_AGAIN = """
Elites were timed again before this export; their speeds are those of the later measurement. They were also called far
beyond the scored sizes: with up to twice the extents, with extents of 1 to 3, and with offsets past 2^31 elements where
problem and memory allow. Of {all} elites {passed} passed, {failed} failed (recorded as failures), {others} ended
otherwise, e.g. lost (recorded as before). Kernels that are no elites were not called there.
"""


def _measured(again: Sequence[Outcome] | None) -> str:
    if again is None:
        return _MEASURED + _NOT_AGAIN
    passed, failed = again.count(Outcome.OK), sum(map(again.count, FAILURES))
    return _MEASURED + _AGAIN.format(all=len(again), passed=passed, failed=failed, others=len(again) - passed - failed)


def _counts(records: Sequence[ExportRecord]) -> str:
    outcomes = Counter(record.outcome.value for record in records)
    cells = Counter(record.cell for record in records if record.elite)
    parts = [("outcome", "evaluations", outcomes), ("cell", "elites", cells)]
    tables = []
    for what, unit, counts in parts:
        lines = "\n".join(f"| {name} | {count} |" for name, count in sorted(counts.items()))
        tables.append(f"| {what} | {unit} |\n|---|---|\n{lines}\n")
    return "## Counts of the runs\n\n" + "\n".join(tables)


def table_text(text: str) -> str:
    """``text`` as part of one line of a table: run names and machine facts come from outside."""
    return "".join(f"\\{char}" if char in "\\`|<>[]*_" else char for char in one_line(text))
