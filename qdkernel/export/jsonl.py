"""A run's results for other programs: one JSON record per evaluation, or the elites as C files."""

from __future__ import annotations

import hashlib
import json
import math
import statistics
import sys
from collections.abc import Callable, Iterable, Mapping
from importlib import resources
from pathlib import Path
from typing import IO, Any

import yaml

from qdkernel.analysis import ratio_to_baseline
from qdkernel.core import AXES, BEHAVIOUR_VERSION, Cell, Evaluation, KernelId, Outcome, Timing, cell_name
from qdkernel.errors import ConfigError, RunFolderError
from qdkernel.export.c_files import write_elite_files
from qdkernel.runs import MachineFacts, Record, RunFolder, StoredConversation

SCHEMA = "qdkernel.record/1"

Json = dict[str, Any]  # Any: JSON values

# Rewards of failures in Staged Quality-Diversity (Mikasa et al. 2026, arXiv 2602.12049); a correct kernel earns its
# GFLOP/s. Outcomes that say nothing about the kernel have none.
FAILURE_REWARDS: Mapping[Outcome, float] = {
    Outcome.POLICY_VIOLATION: -100.0,
    Outcome.IMPLAUSIBLE: -100.0,
    Outcome.COMPILE_ERROR: -40.0,
    Outcome.TIMEOUT: -30.0,
    Outcome.CRASHED: -20.0,
    Outcome.WRONG: -10.0,
}


def export_jsonl(folder: RunFolder, out: IO[str]) -> None:
    """Writes one line per evaluation, in the order of their commit, as ``record_schema`` describes.

    Args:
        folder: of the run.
        out: text file, UTF-8.
    """
    run = _Run(folder)
    for record in folder.evaluations():
        line = json.dumps(_finite(run.record(record)), separators=(",", ":"), allow_nan=False)
        out.write(line + "\n")


def export_c(folder: RunFolder, out_dir: Path) -> list[Path]:
    """Writes every elite as a C file that compiles on its own, and returns the paths.

    Args:
        folder: of the run.
        out_dir: made when missing; files of cells that are empty in this run are removed from it.

    Raises:
        RunFolderError: the folder cannot be written.
    """
    return write_elite_files(folder.evaluations(), folder.facts, Path(out_dir))


def record_schema() -> Json:
    """The JSON Schema of an exported record."""
    text = (resources.files("qdkernel.export") / "record.schema.json").read_text(encoding="utf-8")
    schema: Json = json.loads(text)
    return schema


def _to_jsonl(folder: RunFolder, out: Path | None) -> None:
    if out is None:
        export_jsonl(folder, sys.stdout)
        return
    try:
        with out.open("w", encoding="utf-8") as file:
            export_jsonl(folder, file)
    except RunFolderError:
        raise
    except OSError as error:
        raise RunFolderError(f"{out}: the export cannot be written there ({error.strerror})") from error


def _to_c(folder: RunFolder, out: Path | None) -> None:
    if out is None:
        raise ConfigError("export --to c writes a folder of files; name it with --out")
    export_c(folder, out)


FORMATS: dict[str, Callable[[RunFolder, Path | None], None]] = {
    "jsonl": _to_jsonl,
    "c": _to_c,
}
"""Exports by name; the path is a file or folder, ``None`` standard output where the format allows it."""


class _Run:
    """What all records of a run share, and the ids of the kernels met so far."""

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder
        self._name = folder.path.name
        self._facts = folder.facts
        self._harness = folder.meta.get("harness")
        config = _config(folder)
        self._seed = config["seed"] if isinstance(config.get("seed"), int) else None
        self._models = _models(config)
        self._ids: dict[KernelId, str] = {}

    def record(self, record: Record) -> Json:
        """A record in the order of the schema's fields."""
        kernel_id, normal_hash = record.evaluation.kernel_id, record.evaluation.hashes.normal
        self._ids[kernel_id] = record_id(kernel_id, normal_hash, self._facts.flags)
        return {
            **self._kernel(record),
            **self._origin(record),
            **self._words(record),
            **self._result(record),
            **self._circumstances(record),
        }

    def _kernel(self, record: Record) -> Json:
        facts, evaluation, proposal = self._facts, record.evaluation, record.proposal
        return {
            "schema": SCHEMA,
            "id": self._ids[evaluation.kernel_id],
            "run": self._name,
            "evaluation": record.number,
            "kernel_id": evaluation.kernel_id,
            "task": facts.problem,
            "dtype": facts.dtype.replace("float", "f"),
            "size_names": _size_names(evaluation, facts),
            "sizes": _sizes(evaluation, facts),
            "source": proposal.kernel.source.encode("utf-8", "surrogateescape").decode("utf-8", "replace"),
            "flags": list(facts.flags),
            "compiler": facts.compiler.get("version"),
            "asm_hash_O0": evaluation.hashes.assembly,
            "asm_hash_target": evaluation.hashes.object,
            "normal_hash": evaluation.hashes.normal,
        }

    def _origin(self, record: Record) -> Json:
        proposal = record.proposal
        return {
            "parent_ids": [self._id(parent) for parent in proposal.parents],
            "inspiration_ids": [self._id(kernel) for kernel in proposal.provenance.shown],
            "operator": proposal.operator,
            "idea": proposal.idea,
            "target": _named(proposal.target),
            "stage": proposal.provenance.stage or None,
        }

    def _words(self, record: Record) -> Json:
        """What was said to a model and by it; nulls for built-in operators."""
        if record.conversation_id is None:
            return dict.fromkeys(("prompt", "completion", "model", "sampling", "conversation"))
        conversation = self._folder.conversation(record.conversation_id)
        last = next((call for call in reversed(conversation.calls) if call.reply is not None), None)
        settings = self._models.get(conversation.model, {})
        return {
            "prompt": [{"role": m.role, "content": _utf8(m.content)} for m in last.messages] if last else None,
            "completion": _utf8(last.reply) if last and last.reply is not None else None,
            "model": str(settings.get("model") or conversation.model),
            "sampling": {key: settings[key] for key in ("temperature", "max_tokens") if key in settings} or None,
            "conversation": _conversation(conversation),
        }

    def _result(self, record: Record) -> Json:
        evaluation = record.evaluation
        return {
            "outcome": str(evaluation.outcome),
            "detail": evaluation.detail,
            "duplicate_of": self._id(evaluation.duplicate_of) if evaluation.duplicate_of else None,
            "correctness": _correctness(evaluation),
            "timing": _timing(evaluation, self._facts),
            "duel": _duel(evaluation, self._id),
            "descriptors": _named(evaluation.cell),
            "descriptor_version": BEHAVIOUR_VERSION,
            "cell": None if evaluation.cell is None else list(evaluation.cell),
            "cell_name": None if evaluation.cell is None else cell_name(evaluation.cell),
            "evidence": dict(evaluation.evidence),
            "placement": record.placement,
            "num_measurements": record.num_measurements,
            "reward": _reward(evaluation),
        }

    def _circumstances(self, record: Record) -> Json:
        facts = self._facts
        return {
            "hardware": {
                "fingerprint": facts.fingerprint,
                "cpu": facts.cpu,
                "cores": facts.cores,
                "threads": facts.threads,
                "hypervisor": facts.hypervisor,
            },
            "harness": self._harness,
            "seed": self._seed,
            "step_s": dict(record.evaluation.step_s),
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


def _size_names(evaluation: Evaluation, facts: MachineFacts) -> list[str]:
    return next((list(size) for size in _all_sizes(evaluation, facts)), [])


def _sizes(evaluation: Evaluation, facts: MachineFacts) -> list[list[int]]:
    return [list(size.values()) for size in _all_sizes(evaluation, facts)]


def _all_sizes(evaluation: Evaluation, facts: MachineFacts) -> list[Mapping[str, int]]:
    """The scored sizes; those of the baseline when the kernel was not timed."""
    return [timing.size for timing in evaluation.timings] or [speed.size for speed in facts.baseline]


def _named(cell: Cell | None) -> dict[str, int] | None:
    return None if cell is None else {axis.name: level for axis, level in zip(AXES, cell, strict=True)}


def _correctness(evaluation: Evaluation) -> Json | None:
    verification = evaluation.verification
    if verification is None:
        return None
    unfit = verification.deterministic is None or evaluation.outcome in (
        Outcome.WRONG,
        Outcome.CRASHED,
    )  # then or later
    return {
        "ratio": verification.error_ratio,
        "threshold": verification.error_limit,
        "rule": verification.rule,
        "cases": verification.calls,
        "failed": [evaluation.detail] if unfit else [],
        "deterministic": verification.deterministic,
    }


def _timing(evaluation: Evaluation, facts: MachineFacts) -> Json | None:
    if not evaluation.timings:
        return None
    ratio = ratio_to_baseline(evaluation)
    share = evaluation.objective / facts.peak_gflops if evaluation.objective and facts.peak_gflops else None
    return {
        "ref": f"{facts.baseline_name}/{facts.threads}t",
        "ratio_median": ratio.median if ratio else None,
        "ratio_ci95": [ratio.low, ratio.high] if ratio else None,
        "gflops": evaluation.objective,
        "peak_frac": share,
        "per_size": [_size_timing(timing) for timing in evaluation.timings],
    }


def _size_timing(timing: Timing) -> Json:
    seconds = _seconds(timing.kernel_ns)
    median = statistics.median(seconds) if seconds else None
    spread = statistics.median(abs(time - median) for time in seconds) / median if median else None
    return {
        "size": dict(timing.size),
        "flops": timing.flops,
        "bytes": timing.bytes,
        "block_calls": timing.block_calls,
        "n": len(seconds),
        "median_s": median,
        "min_s": min(seconds, default=None),
        "mdape": spread,
        "samples_s": seconds,
        "ref_samples_s": _seconds(timing.reference_ns),
        "ratio_median": timing.ratio,
        "ratio_ci95": [timing.ratio_low, timing.ratio_high],
        "gflops": timing.gflops,
        "quiet": timing.quiet,
        "gbytes_per_s": timing.gbytes_per_s,
    }


def _duel(evaluation: Evaluation, id_of: Callable[[KernelId], str]) -> Json | None:
    duel = evaluation.duel
    if duel is None:
        return None
    return {
        "holder_id": id_of(duel.incumbent),
        "ratio_median": duel.ratio,
        "ratio_ci95": None if duel.fault else [duel.low, duel.high],
        "samples_s": [_seconds(row) for row in duel.kernel_ns],
        "holder_samples_s": [_seconds(row) for row in duel.incumbent_ns],
        "holder_fault": f"{duel.fault.outcome}: {duel.fault.detail}" if duel.fault else None,
    }


def _seconds(samples_ns: Iterable[float]) -> list[float]:
    return [time * 1e-9 for time in samples_ns]


def _reward(evaluation: Evaluation) -> Json:
    """Raw and shaped, so that a trainer can shape anew."""
    ratio = ratio_to_baseline(evaluation)
    ok = evaluation.outcome is Outcome.OK
    return {
        "gflops": evaluation.objective,
        "ratio": ratio.median if ok and ratio else None,
        "sqd": evaluation.objective if ok else FAILURE_REWARDS.get(evaluation.outcome),
        "tier": str(evaluation.outcome),
    }


def _conversation(conversation: StoredConversation) -> Json:
    """What a conversation took, all of its turns together."""
    calls = conversation.calls
    return {
        "id": conversation.id,
        "model": conversation.model,
        "turns": len(calls),
        "requests": sum(call.attempts for call in calls),
        "prompt_tokens": sum(call.prompt_tokens for call in calls),
        "completion_tokens": sum(call.completion_tokens for call in calls),
        "cost_usd": sum(call.cost for call in calls),
        "latency_s": sum(call.latency_s or 0.0 for call in calls),
        "finish_reason": next((call.finish_reason for call in reversed(calls) if call.finish_reason), None),
        "started_at": conversation.started_at,
    }


def _utf8(text: str) -> str:
    """``text`` with what UTF-8 cannot hold replaced: strict readers refuse it."""
    return text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")


def _config(folder: RunFolder) -> Json:
    try:
        config = yaml.safe_load(folder.config_yaml)
    except yaml.YAMLError as error:
        raise RunFolderError(f"{folder.path / 'config.yaml'}: expected YAML, but {error}") from error
    return config if isinstance(config, dict) else {}


def _models(config: Json) -> dict[str, Json]:
    """The run's models by the name that conversations go by; their keys are in the environment, never here."""
    models = config.get("models")
    entries = [entry for entry in models if isinstance(entry, dict)] if isinstance(models, list) else []
    return {str(entry.get("name") or entry.get("model")): entry for entry in entries}


def _finite(value: Any) -> Any:  # Any: JSON values
    """The value with NaN and infinity, which JSON has not, as null."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(entry) for key, entry in value.items()}
    return [_finite(entry) for entry in value] if isinstance(value, list | tuple) else value
