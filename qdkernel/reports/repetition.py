"""How often operators and models repeat themselves, as a table for the terminal."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from qdkernel.analysis import LARGEST, Groups, Repetition, operator_and_model, repetition
from qdkernel.core import Arm, one_line
from qdkernel.runs import Record

ENOUGH = 20
"""Fewest proposals for which a share is shown: of fewer, any three groups hold most."""

_ALL = Arm("all")
_NOTE = (
    f"largest {LARGEST}: share of the proposals with such code that is in the {LARGEST} largest groups of equal ones; "
    "a duplicate is in the group of the kernel it equals. By -O0 assembly: the grouping of arXiv 2604.17182."
)


def repetition_view(records: Iterable[Record]) -> RenderableType | None:
    """Groups of equal proposals, of each operator and model and of all; ``None`` for fewer than ``ENOUGH``.

    Args:
        records: the run's log.
    """
    records = list(records)
    if len(records) < ENOUGH:
        return None
    table = Table(title="repetition", title_justify="left", box=None, pad_edge=False)
    table.add_column("operator", no_wrap=True)
    table.add_column("model", no_wrap=True)
    columns = ("proposals", "forms", "-O0 assemblies", "machine codes", f"largest {LARGEST}", "by -O0 assembly")
    for name in columns:
        table.add_column(name, justify="right", no_wrap=True)
    by_arm = repetition(records, operator_and_model)
    rows = by_arm if len(by_arm) == 1 else {**by_arm, **repetition(records, lambda _: _ALL)}
    for arm, found in rows.items():
        table.add_row(*(Text(one_line(value)) for value in (*arm, *_numbers(found))))
    return Group(table, Text(_NOTE))


def _numbers(found: Repetition) -> list[str]:
    groupings = (found.normal_forms, found.assemblies, found.machine_codes)
    return [
        str(found.proposals),
        *(str(len(groups.sizes)) for groups in groupings),
        *(_share(groups) for groups in (found.machine_codes, found.assemblies)),
    ]


def _share(groups: Groups) -> str:
    share = groups.share_of_largest
    return "" if share is None or groups.proposals < ENOUGH else f"{share:.0%}"
