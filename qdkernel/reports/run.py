"""What a run holds, as tables for the terminal; plain text when it goes into a file or a pipe."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TextIO

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from qdkernel.analysis import coverage, first_records, lineage, qd_score, ratio_to_baseline
from qdkernel.core import (
    AXES,
    Cell,
    Evaluation,
    Outcome,
    Timing,
    VerificationResult,
    cell_name,
    geometric_mean,
    geometric_mean_or_none,
    one_line,
    printable,
    reachable_cells,
    size_text,
)
from qdkernel.errors import UnknownName
from qdkernel.reports.models import arms_table, conversation_line, failures_table, spending_lines
from qdkernel.reports.repetition import repetition_view
from qdkernel.runs import EventKind, MachineFacts, Record, RunFolder, elites, format_conditions

PLAIN_WIDTH = 160  # columns of a table that is not shown in a terminal
TOP_CELLS = 15


@dataclass(frozen=True)
class Summary:
    """A run in numbers.

    Attributes:
        facts: machine, peaks and baseline.
        evaluations: how many were committed.
        elapsed_s: seconds the run was active.
        stop_reason: of the last stop; empty when it never stopped by itself.
        outcomes: evaluations by outcome.
        num_retracted: elites that failed when they were timed again.
        held: the record that holds each filled cell.
        num_reachable: cells that the machine can fill.
        spending: lines on what was spent on models; empty when none was asked.
    """

    facts: MachineFacts
    evaluations: int
    elapsed_s: float
    stop_reason: str
    outcomes: Mapping[Outcome, int]
    num_retracted: int
    held: Mapping[Cell, Record]
    num_reachable: int
    spending: tuple[str, ...] = ()

    @property
    def coverage(self) -> float:
        """Share of the reachable cells that are filled."""
        return coverage(self.held, self.facts.simd_widths)

    @property
    def qd_score(self) -> float:
        """Sum of the elites' objectives, GFLOP/s."""
        return qd_score(self.held)

    @property
    def ranked(self) -> list[tuple[Cell, Record]]:
        """Cells and their holders, fastest first."""
        return sorted(self.held.items(), key=lambda item: (-(item[1].evaluation.objective or 0.0), item[0]))


def summarize(folder: RunFolder, records: Iterable[Record] | None = None) -> Summary:
    """The run's numbers.

    Args:
        folder: of the run.
        records: its log where it has been read; ``None`` to read it.
    """
    facts, events = folder.facts, folder.events.all()
    stops = [event.text for event in events if event.kind is EventKind.STOPPED]
    return Summary(
        facts=facts,
        evaluations=folder.evaluations.count(),
        elapsed_s=folder.elapsed_s,
        stop_reason=stops[-1] if stops else "",
        outcomes=folder.evaluations.counts_by_outcome(),
        num_retracted=sum(event.kind is EventKind.RETRACTED for event in events),
        held=elites(folder.evaluations.records() if records is None else records),
        num_reachable=len(set(reachable_cells(facts.simd_widths))),
        spending=tuple(spending_lines(folder)),
    )


def show_run(folder: RunFolder, top: int = TOP_CELLS) -> RenderableType:
    """The status of a run: problem and machine, budget used, outcomes, coverage, best kernel, the fastest cells.

    When models were asked, also what they cost, what each operator earned with each model, and how they failed. From 20
    proposals on, also how often operators and models repeat themselves.

    Args:
        folder: of the run.
        top: rows of the table of cells.
    """
    records = list(folder.evaluations.records())
    summary = summarize(folder, records)
    parts: list[RenderableType] = [_facts_table(folder.path.name, summary)]
    if summary.held:
        parts += [Text(""), _cells_table(summary, top)]
    if summary.spending:
        parts += [Text(""), arms_table(records, folder.conversations.counts_by_ending())]
    if failures := folder.conversations.failures():
        parts += [Text(""), failures_table(failures)]
    if repeated := repetition_view(records):
        parts += [Text(""), repeated]
    return Group(*parts)


def show_cell(folder: RunFolder, cell: Cell) -> RenderableType:
    """The elite of a cell: numbers, timings per size, lineage and source.

    Raises:
        UnknownName: the cell is empty.
    """
    records = list(folder.evaluations.records())
    held = elites(records)
    if cell not in held:
        raise UnknownName(
            f"the cell {cell_name(cell)} of {folder.path} is empty; {len(held)} cells are filled: see `qdkernel show`"
        )
    record, facts = held[cell], folder.facts
    return Group(
        _elite_table(cell, record, facts, _conversation_of(folder, record)),
        Text(""),
        _timings_table(record.evaluation, facts),
        Text(""),
        _lineage_table([record, *lineage(record, first_records(records))]),
        Text(""),
        Text(printable(record.source.rstrip("\n"), keep="\n\t", limit=None), no_wrap=True, overflow="ignore"),
    )


def _conversation_of(folder: RunFolder, record: Record) -> str:
    return "" if record.conversation_id is None else conversation_line(folder.conversations.get(record.conversation_id))


def print_view(view: RenderableType, file: TextIO | None = None) -> None:
    """Prints a view: with the terminal's width and cell_colors on a TTY, else as plain text of up to 160 columns."""
    file = sys.stdout if file is None else file
    if file.isatty():
        Console(file=file).print(view, crop=False)  # long lines of C stay whole
    else:
        file.write(view_text(view))


def view_text(view: RenderableType, width: int = PLAIN_WIDTH) -> str:
    """A view as plain text: no cell_colors, no trailing blanks, whatever the environment states of the terminal."""
    console = Console(width=width, color_system=None, force_terminal=False, legacy_windows=False)
    with console.capture() as capture:
        console.print(view, crop=False)
    return "\n".join(line.rstrip() for line in capture.get().splitlines()) + "\n"


def _facts_table(name: str, summary: Summary) -> Table:
    facts = summary.facts
    table = _plain_table()
    table.add_row("run", _text(name))
    problem = f"{facts.problem} ({facts.dtype})" if facts.dtype else facts.problem
    table.add_row("problem", _text(problem + format_conditions(facts.accuracy, facts.cache)))
    threads = f"{facts.threads} thread" + ("s" if facts.threads != 1 else "")
    compiler = facts.compiler.get("version") or facts.compiler.get("command")
    table.add_row("machine", _text(", ".join(str(part) for part in (facts.cpu, threads, compiler) if part)))
    if limits := _peaks(facts):
        table.add_row("peaks", _text(limits))
    if facts.baseline_gflops:
        table.add_row("baseline", _text(f"{facts.baseline_name}, {facts.baseline_gflops:.1f} GFLOP/s"))
    table.add_row("used", f"{summary.evaluations} evaluations, {_duration(summary.elapsed_s)}")
    for at, line in enumerate(summary.spending):
        table.add_row("" if at else "models", _text(line))
    if summary.stop_reason:
        table.add_row("stopped", _text(summary.stop_reason))
    counts = ", ".join(f"{outcome} {count}" for outcome, count in summary.outcomes.items())
    table.add_row("outcomes", counts or "none yet")
    if count := summary.num_retracted:
        table.add_row("", f"{count} of them ended ok, then failed when timed again, and hold no cell")
    filled = f"{len(summary.held)} of {summary.num_reachable} reachable filled ({summary.coverage:.0%})"
    table.add_row("cells", filled)
    table.add_row("QD score", f"{summary.qd_score:.1f} GFLOP/s, the sum over the elites")
    if summary.held:
        cell, record = summary.ranked[0]
        table.add_row("best", _text(f"{', '.join(_speed(record.evaluation, facts))}, in {cell_name(cell)}"))
        table.add_row("", _text(f"{record.proposal.operator}: {record.proposal.idea}"))
    return table


def _peaks(facts: MachineFacts) -> str:
    parts = [f"peak {facts.peak_gflops:.1f} GFLOP/s"] if facts.peak_gflops else []
    parts += [f"triad {facts.triad_gbytes_per_s:.1f} GB/s"] if facts.triad_gbytes_per_s else []
    return ", ".join(parts)


def _speed(evaluation: Evaluation, facts: MachineFacts) -> list[str]:
    """Phrases on how fast a kernel is, those that apply."""
    parts = [f"{evaluation.objective:.1f} GFLOP/s"] if evaluation.objective is not None else []
    if ratio := ratio_to_baseline(evaluation):
        parts.append(f"{ratio.median:.3f} [{ratio.low:.3f}, {ratio.high:.3f}] of {facts.baseline_name}")
    if evaluation.objective is not None and facts.peak_gflops:
        parts.append(f"{evaluation.objective / facts.peak_gflops:.0%} of peak")
    gbytes = gbytes_per_s(evaluation)
    if facts.bandwidth_bound and gbytes is not None:
        share = f" ({gbytes / facts.triad_gbytes_per_s:.0%} of triad)" if facts.triad_gbytes_per_s else ""
        parts.append(f"{gbytes:.1f} GB/s{share}")
    return parts


def gbytes_per_s(evaluation: Evaluation) -> float | None:
    """Streamed GB/s, geometric mean over the scored sizes."""
    return geometric_mean_or_none([timing.gbytes_per_s for timing in evaluation.timings])


def _cells_table(summary: Summary, top: int) -> Table:
    facts = summary.facts
    rest = len(summary.held) - top
    shown = summary.ranked[:top]
    title = f"fastest cells ({rest} more)" if rest > 0 else "cells"
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, collapse_padding=True)
    # rich narrows the last column first: in a narrow window ideas are cut, not cells and numbers
    table.add_column("cell", no_wrap=True, min_width=max(len(cell_name(cell)) for cell, _ in shown))
    widths = {"GFLOP/s": 7, "ratio": 5, "95 % interval": 14, "peak": 4}
    widths |= {"GB/s": 5, "triad": 5} if facts.bandwidth_bound else {}
    widths |= {"held out": 8} if any(record.held_out for _, record in shown) else {}
    for name, width in widths.items():
        table.add_column(name, justify="right", no_wrap=True, min_width=width)
    table.add_column("id", no_wrap=True, min_width=8)
    table.add_column("idea")
    for cell, record in shown:
        proposal = record.proposal
        table.add_row(
            cell_name(cell),
            *_numbers(record.evaluation, facts),
            *([_held_out(record)] if "held out" in widths else []),
            Text(proposal.kernel.id[:8]),
            _cut(f"{proposal.operator}: {proposal.idea}"),
        )
    return table


def _held_out(record: Record) -> Text:
    """The ratio to the baseline at sizes that were never scored."""
    return Text(f"{geometric_mean([timing.ratio for timing in record.held_out]):.3f}" if record.held_out else "")


def _numbers(evaluation: Evaluation, facts: MachineFacts) -> list[Text]:
    objective, ratio = evaluation.objective, ratio_to_baseline(evaluation)
    row = [
        "" if objective is None else f"{objective:.1f}",
        f"{ratio.median:.3f}" if ratio else "",
        f"[{ratio.low:.3f}, {ratio.high:.3f}]" if ratio else "",
        f"{objective / facts.peak_gflops:.0%}" if objective is not None and facts.peak_gflops else "",
    ]
    if facts.bandwidth_bound:
        gbytes = gbytes_per_s(evaluation)
        share = gbytes / facts.triad_gbytes_per_s if gbytes is not None and facts.triad_gbytes_per_s else None
        row += ["" if gbytes is None else f"{gbytes:.1f}", "" if share is None else f"{share:.0%}"]
    return [Text(value) for value in row]  # brackets are text here, not markup


def _elite_table(cell: Cell, record: Record, facts: MachineFacts, conversation: str) -> Table:
    evaluation = record.evaluation
    table = _plain_table()
    table.add_row("cell", cell_name(cell))
    table.add_row("kernel", record.proposal.kernel.id)
    table.add_row("speed", _text(", ".join(_speed(evaluation, facts))))
    if facts.energy:
        table.add_row("energy", _text(f"not known: {facts.energy}"))
    if record.num_measurements > 1:
        table.add_row("timed", f"{record.num_measurements} times; all of them count")
    for timing in record.held_out:
        told = f"{timing.ratio:.3f} [{timing.ratio_low:.3f}, {timing.ratio_high:.3f}]"
        table.add_row("held out", _text(f"{size_text(timing.size)}: {told} of the baseline"))
    if any(timing.bound for timing in evaluation.timings):
        table.add_row("", "at most: it was stopped at a scored size")
    if not all(timing.quiet for timing in evaluation.timings):
        table.add_row("", "against the baseline's speed on quiet cores: too low rather than too high")
    if evaluation.verification:
        table.add_row("verified", _text(format_verification(evaluation.verification)))
    table.add_row("evaluation", _text(f"{record.number}, {record.finished_at}, {record.placement}"))
    if conversation:
        table.add_row("model", _text(conversation))
    for axis, level in zip(AXES, cell, strict=True):
        evidence = evaluation.evidence.get(axis.name)
        table.add_row(axis.name, _text(axis.levels[level] + (f": {evidence}" if evidence else "")))
    for name, text in evaluation.further_evidence.items():
        table.add_row(_text(name), _text(text))
    if evaluation.duel:
        duel = evaluation.duel
        won = f"{duel.ratio:.3f} [{duel.low:.3f}, {duel.high:.3f}] times {duel.incumbent[:8]}, the incumbent then"
        failed = f"{duel.incumbent[:8]}, the incumbent then, failed in it: {duel.fault.detail}" if duel.fault else ""
        table.add_row("duel", _text(failed or won))
    steps = ", ".join(f"{step} {seconds:.2f} s" for step, seconds in evaluation.step_s.items())
    table.add_row("steps", _text(steps))
    return table


def format_verification(verification: VerificationResult) -> str:
    """One line on what the verification of a correct kernel found."""
    errors = f"{verification.error_ratio:.2g} of {verification.error_limit:g} rounding errors"
    text = f"{verification.calls} calls, largest error {errors}"
    if verification.rule != "componentwise":
        text += f" ({verification.rule})"
    if verification.deterministic is not None:
        text += f", {'' if verification.deterministic else 'not '}the same bits in two runs"
    return text


def _timings_table(evaluation: Evaluation, facts: MachineFacts) -> Table:
    table = Table(title=f"timings beside {facts.baseline_name}", title_justify="left", box=None)
    table.add_column("size", no_wrap=True)
    energy = any(timing.joules is not None for timing in evaluation.timings)
    columns = ("GFLOP/s", "GB/s", "median ms", "least ms", "blocks x calls", "ratio", "95 % interval")
    for name in (*columns, *(("mJ a call", "GFLOP/J") if energy else ())):
        table.add_column(name, justify="right", no_wrap=True)
    for timing in evaluation.timings:
        times = sorted(timing.kernel_ns)
        table.add_row(
            _text(size_text(timing.size)),
            f"{timing.gflops:.1f}",
            f"{timing.gbytes_per_s:.1f}",
            f"{times[len(times) // 2] / 1e6:.3f}" if times else "",
            f"{times[0] / 1e6:.3f}" if times else "",
            f"{len(times)} x {timing.block_calls}",
            f"{timing.ratio:.3f}",
            Text(f"[{timing.ratio_low:.3f}, {timing.ratio_high:.3f}]"),
            *([_millijoules(timing), f"{timing.gflop_per_joule or 0:.2f}"] if energy else []),
        )
    return table


def _millijoules(timing: Timing) -> str:
    return "" if timing.joules is None else f"{1e3 * timing.joules:.3g}"


def _lineage_table(records: list[Record]) -> Table:
    table = Table(title="lineage, this kernel first", title_justify="left", box=None)
    by_model = any(record.model for record in records)
    for name in ("id", "GFLOP/s", "cell", "operator", *(["model"] if by_model else []), "idea"):
        table.add_column(name, no_wrap=True, overflow="ellipsis", justify="right" if name == "GFLOP/s" else "left")
    for record in records:
        cell, objective = record.evaluation.cell, record.evaluation.objective
        table.add_row(
            record.proposal.kernel.id[:8],
            "" if objective is None else f"{objective:.1f}",
            "" if cell is None else cell_name(cell),
            _text(record.proposal.operator),
            *([_text(record.model or "")] if by_model else []),
            _text(record.proposal.idea),
        )
    return table


def _plain_table() -> Table:
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    return table


def _text(text: str) -> Text:
    """``text`` on one line, taken literally: no markup, no control characters that a terminal would obey."""
    return Text(one_line(text))


def _cut(text: str) -> Text:
    """``text`` that ends in an ellipsis where the column ends."""
    line = _text(text)
    line.no_wrap, line.overflow = True, "ellipsis"
    return line


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes, left = divmod(round(seconds), 60)
    return f"{minutes} min {left} s" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"
