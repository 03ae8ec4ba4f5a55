"""Elites as C files: a header comment with measurements and origin, then the source."""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from qdkernel.analysis import MAX_ANCESTORS, first_records, lineage, ratio_to_baseline
from qdkernel.core import AXES, Cell, cell_name, printable, size_text, write_atomically
from qdkernel.errors import ConfigError, RunFolderError
from qdkernel.export.compiled import CallsBeyond, Exported
from qdkernel.export.contract import Source
from qdkernel.runs import MachineFacts, Record, RunFolder, elites, format_conditions, source_bytes

_WIDTH = 118


def file_name(cell: Cell) -> str:
    """The elite's file, e.g. ``packed-512-static-near.c``."""
    return cell_name(cell).replace("/", "-") + ".c"


def elite_text(record: Record, ancestors: Sequence[Record], facts: MachineFacts, exported: Exported) -> bytes:
    """An elite's file: the header comment, the one include that the run's compiler adds by itself, the source."""
    what = [*_what(record, facts), *_wrapped(f"beyond     {exported.beyond}", indent=11)]
    lines = [*what, *_behaviour(record), *_origin(record, ancestors), *_how_to_compile(record, facts)]
    header = "\n".join(["/*", *(f" * {line}".rstrip() for line in lines), " */", "#include <stddef.h>", "", ""])
    return header.encode("utf-8", "backslashreplace") + source_bytes(exported.kernel)


def write_elite_files(
    records: Iterable[Record],
    facts: MachineFacts,
    out_dir: Path,
    exported: Callable[[Record], Exported | None] = lambda record: Exported(record.proposal.kernel),
) -> list[Path]:
    """Makes ``out_dir`` (created when missing) hold a run's elites, one C file per filled cell.

    Files there that are named after a cell without an elite are removed; a user's own files stay.

    Args:
        records: the run's whole log.
        facts: from ``machine.json``.
        out_dir: where to.
        exported: an elite as it is written; one with ``None`` is left out.

    Raises:
        ConfigError: all elites are left out.
        RunFolderError: the folder cannot be written.
    """
    records = list(records)
    origins, held = first_records(records), elites(records)
    kept = {cell: one for cell, record in held.items() if (one := exported(record)) is not None}
    if held and not kept:
        raise ConfigError("none of the elites is right far beyond the scored sizes, so there is nothing to export")
    try:
        out_dir.mkdir(parents=True, exist_ok=True)
        written = []
        for cell, one in kept.items():
            written.append(out_dir / file_name(cell))
            write_atomically(written[-1], elite_text(held[cell], lineage(held[cell], origins), facts, one))
        for stale in stale_files(out_dir, written):
            stale.unlink()
    except OSError as error:
        raise RunFolderError(f"{out_dir}: elites cannot be written there: {error.strerror}") from error
    return written


def stale_files(out_dir: Path, current: Sequence[Path]) -> list[Path]:
    """C files named after a cell that is not among ``current``; a user's own files are none of them."""
    cells = itertools.product(*(range(len(axis.levels)) for axis in AXES))
    return [
        path for path in (out_dir / file_name(Cell(*cell)) for cell in cells) if path.exists() and path not in current
    ]


def _what(record: Record, facts: MachineFacts) -> list[str]:
    evaluation = record.evaluation
    threads = f"{facts.threads} thread" + ("s" if facts.threads != 1 else "")
    rule = format_conditions(facts.accuracy, facts.cache)
    lines = [
        *_wrapped(f"{facts.problem} for {facts.cpu}, {threads}{rule}; bred by qdkernel."),
        "",
        f"kernel     {record.proposal.kernel.id}",
    ]
    if evaluation.objective is not None:
        timed = f"; timed {record.num_measurements} times" if record.num_measurements > 1 else ""
        lines.append(f"objective  {evaluation.objective:.4g} GFLOP/s, geometric mean over the scored sizes{timed}")
    if ratio := ratio_to_baseline(evaluation):
        text = f"baseline   {ratio.median:.3f} times {facts.baseline_name} [{ratio.low:.3f}, {ratio.high:.3f}]"
        lines += _wrapped(text, indent=11)
    for timing in evaluation.timings:
        lines += _wrapped(f"           {timing.gflops:.4g} GFLOP/s at {size_text(timing.size)}", indent=11)
    return lines


def _behaviour(record: Record) -> list[str]:
    evaluation = record.evaluation
    if evaluation.cell is None:
        return []
    lines = ["", f"behaviour  {cell_name(evaluation.cell)}"]
    for axis, level in zip(AXES, evaluation.cell, strict=True):
        evidence = evaluation.evidence.get(axis.name)
        lines += _wrapped(f"  {axis.name:10s} {axis.levels[level]}" + (f": {evidence}" if evidence else ""), indent=13)
    if reentrancy := evaluation.evidence.get("re-entrancy"):
        lines += _wrapped(f"re-entrant {reentrancy}", indent=11)
    return lines


def _origin(record: Record, ancestors: Sequence[Record]) -> list[str]:
    lines = ["", "lineage    this kernel first, then its parents and theirs"]
    for ancestor in [record, *ancestors[:MAX_ANCESTORS]]:
        proposal = ancestor.proposal
        by = f" by {ancestor.model}" if ancestor.model else ""
        lines += _wrapped(f"  {proposal.kernel.id[:8]} {proposal.operator}{by}: {proposal.idea}", indent=11)
    if len(ancestors) > MAX_ANCESTORS:
        lines.append(f"  and {len(ancestors) - MAX_ANCESTORS} more in run.db")
    return lines


def _how_to_compile(record: Record, facts: MachineFacts) -> list[str]:
    name = file_name(record.evaluation.cell) if record.evaluation.cell else "kernel.c"
    version = str(facts.compiler.get("version") or "")
    command = f"{facts.compile_command} -fPIC -shared -o {name[:-2]}.so {name}"
    return ["", f"compile    {_safe(command)}", *_wrapped(f"           measured with {version}" if version else "", 11)]


def _wrapped(text: str, indent: int = 0) -> list[str]:
    """``text`` made safe for a comment, on lines of the file's width."""
    lead = text[: len(text) - len(text.lstrip())]
    return textwrap.wrap(_safe(text.lstrip()), _WIDTH, initial_indent=lead, subsequent_indent=" " * indent)


def _safe(text: str) -> str:
    """``text`` that neither ends nor opens a comment, on one line, without control characters.

    Ideas are written by models: a ``*/`` in one would turn the rest of it into code.
    """
    return printable(text).replace("*/", "* /").replace("/*", "/ *")


def write_elites(folder: RunFolder) -> list[Path]:
    """Makes ``elites/`` hold one C file per filled cell and no other; each is replaced in one step.

    Raises:
        RunFolderError: the folder cannot be written.
    """
    return write_elite_files(folder.evaluations.records(), folder.facts, folder.subfolder("elites"))


@dataclass(frozen=True)
class CFormat:
    """The elites of a run as C files in a folder; of several runs in a folder each."""

    name: str = "c"
    help: str = "Elites as C files, one for each filled cell."

    def write(self, source: Source, out: Path | None) -> list[Path]:
        """Writes the files; see ``Format``."""
        if out is None:
            raise ConfigError("export --to c writes a folder of files; name it with --out")
        if source.selection.only not in (None, "elites"):
            raise ConfigError(f"export --to c writes elites; --only {source.selection.only} does not go with it")
        several = len(source.folders) > 1
        written: list[Path] = []
        with CallsBeyond(source) as calls:
            for folder in source.folders:
                place = out / folder.path.resolve().name if several else out
                exported = partial(calls.exported, folder, isa=folder.machine.machine.isa)
                written += write_elite_files(folder.evaluations.records(), folder.facts, place, exported)
        return written


C_FILES = (CFormat(),)
