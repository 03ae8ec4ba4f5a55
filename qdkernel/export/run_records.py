"""The evaluations of a run as canonical records."""

from __future__ import annotations

import hashlib
import json
import math
import statistics
from collections.abc import Iterator, Mapping
from typing import Any

from qdkernel.analysis import ratio_to_baseline
from qdkernel.core import AXES, Cell, Evaluation, KernelId, Outcome, Timing, cell_name
from qdkernel.export.contract import Json
from qdkernel.export.prompts import PromptMaker, completion_of
from qdkernel.export.record import SCHEMA, UNKNOWN, ExportRecord
from qdkernel.export.revalidation import with_revalidation
from qdkernel.runs import MachineFacts, Record, RunFolder, StoredConversation, elites

# Rewards of failures in Staged Quality-Diversity (Mikasa et al. 2026, arXiv 2602.12049); a correct kernel earns its
# GFLOP/s. Outcomes that say nothing about the kernel have none.
FAILURE_REWARDS: Mapping[Outcome, float] = {
    Outcome.POLICY_VIOLATION: -100.0,
    Outcome.IMPLAUSIBLE: -100.0,
    Outcome.COMPILE_ERROR: -40.0,
    Outcome.TIMEOUT: -30.0,
    Outcome.CRASHED: -20.0,
    Outcome.WRONG: -10.0,
    Outcome.RACE: -10.0,
}

_ENCODE = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode
_SAMPLING = ("temperature", "max_tokens")


def run_records(
    folder: RunFolder, prompts: PromptMaker, again: Mapping[int, Evaluation] | None = None
) -> Iterator[ExportRecord]:
    """The run's evaluations, in the order of their commit.

    Args:
        folder: of the run.
        prompts: makes the prompts of kernels that no model wrote.
        again: new evaluations of elites, by the numbers of their old ones; an elite that failed is none any more.
    """
    run = _Run(folder, prompts)
    records = list(folder.evaluations.records())
    held = {record.number for record in elites(records).values()}
    for record in (with_revalidation(record, again or {}) for record in records):
        elite = record.number in held and record.evaluation.outcome is Outcome.OK
        yield ExportRecord.model_validate(run.record(record, elite))


class _Run:
    """What all records of a run share, and the ids of the kernels met so far."""

    def __init__(self, folder: RunFolder, prompts: PromptMaker) -> None:
        self._folder = folder
        self._prompts = prompts
        self._name = folder.path.resolve().name
        self._facts = folder.facts
        self._harness = folder.meta.get("harness")
        config = folder.config
        self._seed = config["seed"] if isinstance(config.get("seed"), int) else UNKNOWN
        self._models = _models(config)
        self._ids: dict[KernelId, str] = {}

    def record(self, record: Record, elite: bool) -> Json:
        """The fields of a record."""
        kernel_id, normal_hash = record.evaluation.kernel_id, record.evaluation.hashes.normal
        self._ids[kernel_id] = record_id(kernel_id, normal_hash, self._facts.flags)
        return {
            **self._kernel(record),
            **self._origin(record),
            **self._words(record),
            **self._result(record),
            **self._circumstances(record),
            "elite": elite,
        }

    def _kernel(self, record: Record) -> Json:
        facts, evaluation = self._facts, record.evaluation
        sizes = [t.size for t in evaluation.timings] or [speed.size for speed in facts.baseline]
        return {
            "schema": SCHEMA,
            "id": self._ids[evaluation.kernel_id],
            "run": self._name,
            "evaluation": record.number,
            "kernel_id": evaluation.kernel_id,
            "task": facts.problem,
            "dtype": facts.dtype.replace("float", "f"),
            "size_names": " ".join(sizes[0]) if sizes else "",
            "sizes": _json([list(size.values()) for size in sizes]),
            "source": _source(record),
            "flags": " ".join(facts.flags),
            "compiler": str(facts.compiler.get("version") or ""),
            "asm_hash_O0": evaluation.hashes.assembly or "",
            "asm_hash_target": evaluation.hashes.object or "",
            "normal_hash": evaluation.hashes.normal or "",
        }

    def _origin(self, record: Record) -> Json:
        proposal = record.proposal
        return {
            "parent_ids": " ".join(self._id(parent) for parent in proposal.parents),
            "inspiration_ids": " ".join(self._id(kernel) for kernel in proposal.provenance.shown),
            "repair_of": self._id(proposal.provenance.repair_of) if proposal.provenance.repair_of else "",
            "operator": _utf8(proposal.operator),
            "idea": _utf8(proposal.idea),
            "target": _cell(proposal.target),
            "stage": proposal.provenance.stage,
        }

    def _words(self, record: Record) -> Json:
        """What was said to a model and by it; for built-in operators a prompt from the templates."""
        conversation = None
        if record.conversation_id is not None:
            conversation = self._folder.conversations.get(record.conversation_id)
        settings = self._models.get(conversation.model, {}) if conversation else {}
        calls = conversation.calls if conversation else ()
        last = next((call for call in reversed(calls) if call.reply is not None), None)
        if last is not None and last.reply is not None:
            prompt = [{"role": m.role, "content": _utf8(m.content)} for m in last.messages]
            completion = _utf8(last.reply)
        else:
            proposal = record.proposal
            prompt = self._prompts.prompt(proposal.provenance.stage, record.evaluation.cell or proposal.target)
            completion = completion_of(_source(record), _utf8(proposal.idea))
        return {
            "prompt": prompt,
            "completion": completion,
            "prompt_source": "model" if last else "template",
            "model": str(settings.get("model") or conversation.model) if conversation else "",
            "sampling": {key: UNKNOWN if settings.get(key) is None else settings[key] for key in _SAMPLING},
            "conversation": _conversation(conversation),
        }

    def _result(self, record: Record) -> Json:
        evaluation = record.evaluation
        levels = evaluation.cell or (UNKNOWN,) * len(AXES)
        return {
            "outcome": evaluation.outcome,
            "detail": _utf8(evaluation.detail),
            "duplicate_of": self._id(evaluation.duplicate_of) if evaluation.duplicate_of else "",
            "correctness": _correctness(evaluation),
            "timing": _timing(record, self._facts),
            "duel": self._duel(evaluation),
            "descriptors": {axis.name: level for axis, level in zip(AXES, levels, strict=True)},
            "descriptor_version": self._facts.behaviour,
            "cell": _cell(evaluation.cell),
            "evidence": {axis.name: _utf8(evaluation.evidence.get(axis.name, "")) for axis in AXES},
            "placement": record.placement,
            "num_measurements": record.num_measurements,
            "reward": _reward(evaluation),
        }

    def _duel(self, evaluation: Evaluation) -> Json:
        duel = evaluation.duel
        timed = duel is not None and duel.fault is None
        return {
            "incumbent_id": self._id(duel.incumbent) if duel else "",
            "ratio_median": _known(duel.ratio) if duel else UNKNOWN,
            "ratio_low": _known(duel.low) if duel and timed else UNKNOWN,
            "ratio_high": _known(duel.high) if duel and timed else UNKNOWN,
            "samples_s": _json([_seconds(row) for row in duel.kernel_ns] if duel else []),
            "incumbent_samples_s": _json([_seconds(row) for row in duel.incumbent_ns] if duel else []),
            "incumbent_fault": _utf8(f"{duel.fault.outcome}: {duel.fault.detail}") if duel and duel.fault else "",
        }

    def _circumstances(self, record: Record) -> Json:
        facts = self._facts
        return {
            "hardware": {
                "fingerprint": facts.fingerprint,
                "cpu": facts.cpu,
                "cores": UNKNOWN if facts.cores is None else facts.cores,
                "threads": facts.threads,
                "hypervisor": _yes_or_no(facts.hypervisor),
            },
            "harness": self._harness or "",
            "seed": self._seed,
            "step_s": _json(dict(record.evaluation.step_s)),
            "elapsed_s": record.elapsed_s,
            "ts": record.finished_at,
        }

    def _id(self, kernel_id: KernelId) -> str:
        """The id of a kernel of this run; parents are evaluated before their children, so it has been met."""
        return self._ids.get(kernel_id) or record_id(kernel_id, None, self._facts.flags)


def record_id(kernel_id: KernelId, normal_hash: str | None, flags: tuple[str, ...]) -> str:
    """SHA-256 of a kernel's normal form and the flags: the same for kernels that differ in names and spacing only.

    A kernel that was turned away before it had a normal form goes by its source instead.
    """
    return hashlib.sha256(f"{normal_hash or kernel_id}|{' '.join(flags)}".encode()).hexdigest()


def _source(record: Record) -> str:
    return record.source.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _cell(cell: Cell | None) -> str:
    return "" if cell is None else cell_name(cell)


def _correctness(evaluation: Evaluation) -> Json:
    verification = evaluation.verification
    if verification is None:
        nothing = {"ratio": UNKNOWN, "threshold": UNKNOWN, "rule": "", "cases": 0}
        return {"verified": False, **nothing, "failed": "", "deterministic": ""}
    failed_later = evaluation.outcome in (Outcome.WRONG, Outcome.CRASHED)
    return {
        "verified": True,
        "ratio": _known(verification.error_ratio),
        "threshold": _known(verification.error_limit),
        "rule": verification.rule,
        "cases": verification.calls,
        "failed": _utf8(evaluation.detail) if verification.deterministic is None or failed_later else "",
        "deterministic": _yes_or_no(verification.deterministic),
    }


def _timing(record: Record, facts: MachineFacts) -> Json:
    evaluation = record.evaluation
    ratio = ratio_to_baseline(evaluation)
    peak = facts.peak_gflops
    return {
        "ref": f"{facts.baseline_name}/{facts.threads}t",
        "gflops": _known(evaluation.objective),
        "ratio_median": _known(ratio.median) if ratio else UNKNOWN,
        "ratio_low": _known(ratio.low) if ratio else UNKNOWN,
        "ratio_high": _known(ratio.high) if ratio else UNKNOWN,
        "peak_frac": _known(evaluation.objective / peak) if evaluation.objective and peak else UNKNOWN,
        "per_size": _json([_size_timing(timing, facts) for timing in evaluation.timings]),
        "held_out": _json([_size_timing(timing, facts) for timing in record.held_out]),
    }


def _size_timing(timing: Timing, facts: MachineFacts) -> Json:
    seconds = _seconds(timing.kernel_ns)
    median = statistics.median(seconds) if seconds else None
    spread = statistics.median(abs(time - median) for time in seconds) / median if median else None
    return {
        "size": list(timing.size.values()),
        "flops": timing.flops,
        "bytes": timing.bytes,
        "block_calls": timing.block_calls,
        "median_s": _known(median),
        "min_s": _known(min(seconds, default=None)),
        "mdape": _known(spread),
        "samples_s": seconds,
        "ref_samples_s": _seconds(timing.reference_ns),
        "ratio_median": _known(timing.ratio),
        "ratio_low": _known(timing.ratio_low),
        "ratio_high": _known(timing.ratio_high),
        "gflops": _known(timing.gflops),
        "gbytes_per_s": _known(timing.gbytes_per_s),
        "quiet": timing.quiet,
        "bound": timing.bound,
        "joules": _known(timing.joules),
        "gflop_per_joule": _known(timing.gflop_per_joule),
        "no_energy": "" if timing.joules is not None else facts.energy or "a single call was timed",
    }


def _seconds(samples_ns: tuple[float, ...]) -> list[float]:
    return [_known(time * 1e-9) for time in samples_ns]


def _reward(evaluation: Evaluation) -> Json:
    ratio = ratio_to_baseline(evaluation)
    ok = evaluation.outcome is Outcome.OK
    sqd = evaluation.objective if ok else FAILURE_REWARDS.get(evaluation.outcome)
    return {
        "judged": sqd is not None,
        "gflops": _known(evaluation.objective),
        "ratio": _known(ratio.median) if ok and ratio else UNKNOWN,
        "sqd": 0.0 if sqd is None else sqd,
        "tier": evaluation.outcome,
    }


def _conversation(conversation: StoredConversation | None) -> Json:
    calls = conversation.calls if conversation else ()
    return {
        "id": conversation.id if conversation else UNKNOWN,
        "model": conversation.model if conversation else "",
        "turns": len(calls),
        "requests": sum(call.attempts for call in calls),
        "prompt_tokens": sum(call.prompt_tokens for call in calls),
        "completion_tokens": sum(call.completion_tokens for call in calls),
        "cost_usd": sum(call.cost for call in calls),
        "latency_s": sum(call.latency_s or 0.0 for call in calls),
        "finish_reason": next((call.finish_reason for call in reversed(calls) if call.finish_reason), ""),
        "started_at": conversation.started_at if conversation else "",
    }


def _known(value: float | None) -> float:
    """The number; -1 for one that is not known, infinite or not a number, which JSON lacks."""
    return value if value is not None and math.isfinite(value) else UNKNOWN


def _yes_or_no(value: bool | None) -> str:
    return "" if value is None else "yes" if value else "no"


def _json(value: Any) -> str:  # Any: a JSON value
    return _ENCODE(value)


def _utf8(text: str) -> str:
    """``text`` with what UTF-8 cannot hold replaced: strict readers refuse it."""
    return text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")


def _models(config: Mapping[str, Any]) -> dict[str, Json]:
    """The run's models by the name that conversations go by; their keys are in the environment, never here."""
    models = config.get("models")
    entries = [entry for entry in models if isinstance(entry, dict)] if isinstance(models, list) else []
    return {str(entry.get("name") or entry.get("model")): entry for entry in entries}
