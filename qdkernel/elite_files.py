"""Elites as C files: a header comment that tells what the kernel is and where it came from, then its source."""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from qdkernel._atomic_file import write_atomically
from qdkernel._run_records import Record, elites, source_bytes
from qdkernel.archives import AXES, cell_name
from qdkernel.errors import RunFolderError
from qdkernel.evaluators import Cell, Evaluation, KernelId
from qdkernel.machine_facts import MachineFacts, accuracy_words, geometric_mean

_WIDTH = 118
_MAX_ANCESTORS = 30  # by thought: a page of them; longer histories are in run.db


@dataclass(frozen=True)
class Ratio:
    """Baseline time / kernel time, geometric mean over the scored sizes; above 1 the kernel is faster.

    ``low`` and ``high`` are the geometric means of the ends of each size's 95 % interval: wider than the interval of
    the mean, since the sizes' errors are independent.
    """

    median: float
    low: float
    high: float


def ratio_to_baseline(evaluation: Evaluation) -> Ratio | None:
    """The kernel's speed relative to the baseline; ``None`` when it was not timed."""
    timings = evaluation.timings
    median = geometric_mean([timing.ratio for timing in timings])
    low = geometric_mean([timing.ratio_low for timing in timings])
    high = geometric_mean([timing.ratio_high for timing in timings])
    return None if median is None or low is None or high is None else Ratio(median, low, high)


def first_records(records: Iterable[Record]) -> dict[KernelId, Record]:
    """The record that brought each kernel into the run."""
    first: dict[KernelId, Record] = {}
    for record in records:
        first.setdefault(record.proposal.kernel.id, record)
    return first


def lineage(record: Record, origins: Mapping[KernelId, Record]) -> list[Record]:
    """A record's ancestors, parents first, each once; those that ``origins`` does not know are left out."""
    ancestors: list[Record] = []
    seen = {record.proposal.kernel.id}
    queue = list(record.proposal.parents)
    while queue:
        kernel_id = queue.pop(0)
        if kernel_id in seen or kernel_id not in origins:
            continue
        seen.add(kernel_id)
        ancestors.append(origins[kernel_id])
        queue.extend(origins[kernel_id].proposal.parents)
    return ancestors


def file_name(cell: Cell) -> str:
    """The elite's file, e.g. ``packed-512-static-near.c``."""
    return cell_name(cell).replace("/", "-") + ".c"


def elite_text(record: Record, ancestors: Sequence[Record], facts: MachineFacts) -> bytes:
    """An elite's file: the header comment, the one include that the run's compiler adds by itself, the source."""
    lines = [*_what(record, facts), *_behaviour(record), *_origin(record, ancestors), *_how_to_compile(record, facts)]
    header = "\n".join(["/*", *(f" * {line}".rstrip() for line in lines), " */", "#include <stddef.h>", "", ""])
    return header.encode("utf-8", "backslashreplace") + source_bytes(record.proposal.kernel)


def write_elite_files(records: Iterable[Record], facts: MachineFacts, out_dir: Path) -> list[Path]:
    """Makes ``out_dir`` (created when missing) hold a run's elites, one C file per filled cell.

    Files there that are named after a cell without an elite are removed; a user's own files stay.

    Args:
        records: the run's whole log.
        facts: what ``machine.json`` tells.
        out_dir: where to.

    Raises:
        RunFolderError: the folder cannot be written.
    """
    records = list(records)
    origins = first_records(records)
    try:
        out_dir.mkdir(parents=True, exist_ok=True)
        written = []
        for cell, record in elites(records).items():
            written.append(out_dir / file_name(cell))
            write_atomically(written[-1], elite_text(record, lineage(record, origins), facts))
        for stale in stale_files(out_dir, written):
            stale.unlink()
    except OSError as error:
        raise RunFolderError(f"{out_dir}: elites cannot be written there: {error.strerror}") from error
    return written


def stale_files(out_dir: Path, current: Sequence[Path]) -> list[Path]:
    """C files named after a cell that is not among ``current``; a user's own files are none of them."""
    cells = itertools.product(*(range(len(axis.levels)) for axis in AXES))
    return [path for path in (out_dir / file_name(cell) for cell in cells) if path.exists() and path not in current]


def _what(record: Record, facts: MachineFacts) -> list[str]:
    evaluation = record.evaluation
    threads = f"{facts.threads} thread" + ("s" if facts.threads != 1 else "")
    rule = accuracy_words(facts.accuracy)
    lines = [
        *_wrapped(f"{facts.problem} for {facts.cpu}, {threads}{rule}; bred by qdkernel."),
        "",
        f"kernel     {record.proposal.kernel.id}",
    ]
    if evaluation.objective is not None:
        timed = f"; timed {record.looks} times" if record.looks > 1 else ""
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
    return lines


def _origin(record: Record, ancestors: Sequence[Record]) -> list[str]:
    lines = ["", "lineage    this kernel first, then its parents and theirs"]
    for ancestor in [record, *ancestors[:_MAX_ANCESTORS]]:
        proposal = ancestor.proposal
        by = f" by {ancestor.model}" if ancestor.model else ""
        lines += _wrapped(f"  {proposal.kernel.id[:8]} {proposal.operator}{by}: {proposal.idea}", indent=11)
    if len(ancestors) > _MAX_ANCESTORS:
        lines.append(f"  and {len(ancestors) - _MAX_ANCESTORS} more in run.db")
    return lines


def _how_to_compile(record: Record, facts: MachineFacts) -> list[str]:
    name = file_name(record.evaluation.cell) if record.evaluation.cell else "kernel.c"
    version = str(facts.compiler.get("version") or "")
    command = f"{facts.compile_command} -fPIC -shared -o {name[:-2]}.so {name}"
    return ["", f"compile    {_safe(command)}", *_wrapped(f"           measured with {version}" if version else "", 11)]


def size_text(size: Mapping[str, int]) -> str:
    """A size for people, e.g. ``m=512 n=512 k=512``."""
    return " ".join(f"{name}={value}" for name, value in size.items())


def _wrapped(text: str, indent: int = 0) -> list[str]:
    """``text`` made safe for a comment, on lines of the file's width."""
    lead = text[: len(text) - len(text.lstrip())]
    return textwrap.wrap(_safe(text.lstrip()), _WIDTH, initial_indent=lead, subsequent_indent=" " * indent)


def _safe(text: str) -> str:
    """``text`` that neither ends nor opens a comment, on one line, without control characters.

    Ideas are written by models: a ``*/`` in one would turn the rest of it into code.
    """
    one_line = "".join(char if char.isprintable() else " " for char in text)
    return one_line.replace("*/", "* /").replace("/*", "/ *")
