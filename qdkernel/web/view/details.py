"""All about one record, as JSON: what the page of an elite shows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from qdkernel.analysis import MAX_ANCESTORS, first_parent, first_records, gain, lineage, ratio_to_baseline
from qdkernel.core import AXES, Evaluation, KernelId, Placement, cell_name, one_line, printable, size_text
from qdkernel.runs import MachineFacts, Record, StoredConversation
from qdkernel.web.reading import RunData, RunReader

_TURN_LIMIT = 40_000  # characters of one prompt or reply; a prompt's usual limit is about half of it
_SAMPLES_SHOWN = 40  # of each timing; more dots lie on one another

Json = dict[str, Any]  # Any: JSON values


class DetailSource:
    """Details of a run's records.

    Args:
        run: the run as it was read.
        reader: reads the sources and samples that ``run`` does not hold.
    """

    def __init__(self, run: RunData, reader: RunReader) -> None:
        self._facts = run.facts
        self._reader = reader
        self._origins = first_records(run.records)

    def details(self, numbers: Iterable[int], conversations: bool = True) -> dict[int, Json]:
        """The details of records by number; numbers that the run does not have are left out."""
        records = self._reader.records(numbers)
        talks = self._reader.conversations(records) if conversations else {}
        return {record.number: self._detail(record, talks.get(record.number)) for record in records}

    def ancestors(self, record: Record) -> list[Record]:
        """Ancestors of a record, parents first, each once, as far as the run holds them."""
        return lineage(record, self._origins, MAX_ANCESTORS)

    def _detail(self, record: Record, conversation: StoredConversation | None) -> Json:
        evaluation, proposal = record.evaluation, record.proposal
        parent = first_parent(record, self._origins)
        return {
            "number": record.number,
            "id": evaluation.kernel_id,
            "cell": "" if evaluation.cell is None else cell_name(evaluation.cell),
            "outcome": evaluation.outcome.value,
            "operator": one_line(proposal.operator),
            "model": one_line(record.model or ""),
            "idea": one_line(proposal.idea),
            "facts": _facts(record, self._facts),
            "levels": _levels(evaluation),
            "message": printable(evaluation.detail, keep="\n\t"),
            "source": printable(record.source.rstrip("\n"), keep="\n\t", limit=None),
            "parent": None if parent is None else parent.number,
            "lineage": _lineage([record, *self.ancestors(record)], self._origins),
            "timings": _timings(evaluation),
            "duel": self._duel(evaluation),
            "conversation": None if conversation is None else _conversation(conversation),
            "check": f"qdkernel check {evaluation.kernel_id[:12]}.c --problem {one_line(self._facts.problem)}",
        }

    def _duel(self, evaluation: Evaluation) -> Json | None:
        duel = evaluation.duel
        if duel is None:
            return None
        incumbent = self._origins.get(duel.incumbent)
        return {
            "incumbent": None if incumbent is None else incumbent.number,
            "incumbent_id": duel.incumbent[:12],
            "ratio": duel.ratio,
            "low": duel.low,
            "high": duel.high,
            "kernel_ns": [_thin(row) for row in duel.kernel_ns],
            "incumbent_ns": [_thin(row) for row in duel.incumbent_ns],
            "fault": printable(duel.fault.detail) if duel.fault else "",
        }


def _facts(record: Record, machine: MachineFacts) -> list[list[str]]:
    evaluation = record.evaluation
    rows = [["outcome", f"{evaluation.outcome.value}, {_PLACEMENTS[record.placement]}"]]
    if evaluation.objective is not None:
        peak = f", {evaluation.objective / machine.peak_gflops:.0%} of peak" if machine.peak_gflops else ""
        rows.append(["speed", f"{evaluation.objective:.2f} GFLOP/s{peak}"])
    if ratio := ratio_to_baseline(evaluation):
        interval = f"{ratio.median:.3f} [{ratio.low:.3f}, {ratio.high:.3f}]"
        rows.append(["ratio", f"{interval} of {one_line(machine.baseline_name)} (95 % interval)"])
    if not all(timing.quiet for timing in evaluation.timings):
        rows.append(["", "timed on a disturbed machine: too low rather than too high"])
    if record.num_measurements > 1:
        rows.append(["timed", f"{record.num_measurements} times; all measurements count"])
    if found := evaluation.verification:
        same = {True: ", same bits in two runs", False: ", not the same bits in two runs", None: ""}
        text = f"{found.calls} calls, largest error {found.error_ratio:.2g} of {found.error_limit:g} rounding errors"
        rows.append(["verified", f"{text} ({one_line(found.rule)}){same[found.deterministic]}"])
    rows.append(["proposed by", one_line(record.proposal.operator + (f", {record.model}" if record.model else ""))])
    rows.append(["evaluation", one_line(f"{record.number}, {record.finished_at[:19].replace('T', ' ')} UTC")])
    if record.proposal.target is not None:
        rows.append(["aimed at", cell_name(record.proposal.target)])
    steps = ", ".join(f"{one_line(step)} {seconds:.2f} s" for step, seconds in evaluation.step_s.items())
    return [*rows, *([["steps", steps]] if steps else []), ["kernel id", evaluation.kernel_id]]


_PLACEMENTS = {
    Placement.NEW: "first kernel of its cell",
    Placement.IMPROVED: "took its cell",
    Placement.NOT_ADDED: "not faster than the elite of its cell",
    Placement.NONE: "not placed",
    Placement.CONTESTED: "to be timed again",
}


def _levels(evaluation: Evaluation) -> list[list[str]]:
    if evaluation.cell is None:
        return []
    return [
        [axis.name, axis.levels[level], one_line(evaluation.evidence.get(axis.name, ""))]
        for axis, level in zip(AXES, evaluation.cell, strict=True)
    ] + [[one_line(name), "", one_line(text)] for name, text in evaluation.further_evidence.items()]


def _lineage(records: list[Record], origins: Mapping[KernelId, Record]) -> list[Json]:
    rows = []
    for record in records:
        evaluation = record.evaluation
        rows.append(
            {
                "number": record.number,
                "cell": "" if evaluation.cell is None else cell_name(evaluation.cell),
                "gflops": evaluation.objective,
                "gain": gain(record, origins),
                "operator": one_line(record.proposal.operator),
                "model": one_line(record.model or ""),
                "idea": one_line(record.proposal.idea, 300),
            }
        )
    return rows


def _timings(evaluation: Evaluation) -> list[Json]:
    return [
        {
            "size": one_line(size_text(timing.size)),
            "gflops": timing.gflops,
            "gbytes_per_s": timing.gbytes_per_s if timing.flops else None,
            "ratio": timing.ratio,
            "low": timing.ratio_low,
            "high": timing.ratio_high,
            "calls": timing.block_calls,
            "joules": timing.joules,
            "gflop_per_joule": timing.gflop_per_joule,
            "kernel_ns": _thin(timing.kernel_ns),
            "reference_ns": _thin(timing.reference_ns),
        }
        for timing in evaluation.timings
    ]


def _conversation(conversation: StoredConversation) -> Json:
    turns: list[Json] = []
    shown = 0
    for call in conversation.calls:
        for message in call.messages[shown:]:
            turns.append({"role": one_line(str(message.role)), "text": _turn(message.content)})
        shown = len(call.messages)
        if call.reply is not None:
            cost = f"{call.prompt_tokens + call.completion_tokens:,} tokens" + (
                f", ${call.cost:.4f}" if call.cost else ""
            )
            turns.append({"role": "reply", "text": _turn(call.reply), "note": cost})
            shown += 1
        if call.failure:
            turns.append({"role": "failure", "text": _turn(f"{call.failure.kind}: {call.failure.text}")})
    return {
        "model": one_line(conversation.model),
        "ended": "under way" if conversation.ended is None else conversation.ended.value,
        "reason": printable(conversation.reason),
        "turns": turns,
    }


def _turn(text: str) -> str:
    return printable(text, keep="\n\t", limit=_TURN_LIMIT)


def _thin(samples: tuple[float, ...]) -> list[float]:
    return [round(sample) for sample in samples[:: max(1, -(-len(samples) // _SAMPLES_SHOWN))]]
