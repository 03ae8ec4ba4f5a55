"""Which lines of the source some machine code comes from, by the DWARF line table of an object."""

from __future__ import annotations

import bisect
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from elftools.dwarf.lineprogram import LineProgram
from elftools.elf.elffile import ELFFile


def source_lines(path: Path, addresses: Iterable[int], name: str = "kernel.c") -> list[int]:
    """The lines of one file that the instructions at some addresses come from, ascending, each once.

    Instructions of inlined headers, and those without a line, are left out.

    Args:
        path: a shared object compiled with ``-g1``.
        addresses: of instructions.
        name: of the file whose lines count.

    Raises:
        ValueError: the object's line table is damaged.
    """
    with path.open("rb") as file:
        try:
            dwarf = ELFFile(file).get_dwarf_info()
            rows = sorted(row for unit in dwarf.iter_CUs() for row in _rows(dwarf.line_program_for_CU(unit), name))
        except Exception as error:  # pyelftools answers damaged files with whatever its parser ran into
            raise ValueError(f"{path.name} has no well-formed line table ({error}); compile it with -g1") from error
    starts = [address for address, _ in rows]
    found = {rows[at][1] for address in addresses if (at := bisect.bisect_right(starts, address) - 1) >= 0}
    return sorted(found - {0})


def _rows(program: LineProgram | None, name: str) -> list[tuple[int, int]]:
    """(address, line); line 0 where another file or nothing begins."""
    if program is None:
        return []
    files = program["file_entry"]
    first = 0 if program["version"] >= 5 else 1
    rows: list[tuple[int, int]] = []
    for entry in program.get_entries():
        state: Any = entry.state  # pyelftools ships no types
        if state is None:
            continue
        own = Path(files[state.file - first].name.decode("utf-8", "replace")).name == name
        rows.append((state.address, 0 if state.end_sequence or not own else state.line))
    return rows
