"""The canonical record: one evaluation of a run, of which every export format is a projection.

Column types are the same in every record, as Arrow readers (``datasets``, Parquet) take them from the first file they
see: no value is null, no object has varying keys, and no list may be empty. What is not known is an empty text or -1;
lists whose length varies are JSON texts or texts with blanks between.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from qdkernel.core import Outcome

SCHEMA = "qdkernel.record/2"
UNKNOWN = -1
"""A number that is not known; no quantity of a record but ``reward.sqd`` is negative otherwise."""

Hash = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
MaybeHash = Annotated[str, Field(pattern="^([0-9a-f]{64})?$")]
Hashes = Annotated[str, Field(pattern="^([0-9a-f]{64}( [0-9a-f]{64})*)?$")]
Level = Annotated[int, Field(ge=UNKNOWN)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ChatMessage(_Model):
    """One message of a chat."""

    role: Literal["system", "user", "assistant"]
    content: str


class Levels(_Model):
    """Level index by axis; -1 where the behavior was not measured."""

    blocking: Level
    simd: Level
    threading: Level
    prefetch: Level


class Evidence(_Model):
    """Facts behind the behavior, a text by axis; empty where there is none."""

    blocking: str
    simd: str
    threading: str
    prefetch: str


class Conversation(_Model):
    """What a conversation with a model took, all turns together; -1 and empty for built-in operators."""

    id: int = Field(description="number in the run")
    model: str = Field(description="name in the run's configuration")
    turns: int = Field(description="requests with an answer of their own, retries left out")
    requests: int = Field(description="HTTP requests sent")
    prompt_tokens: int
    completion_tokens: int
    cost_usd: float = Field(description="by the configured prices")
    latency_s: float = Field(description="seconds from asking to the reply, summed over the turns")
    finish_reason: str = Field(description="of the last reply: stop or length")
    started_at: str = Field(description="UTC, ISO 8601")


class Sampling(_Model):
    """As configured; -1 where the endpoint's default applies."""

    temperature: float
    max_tokens: int


class Correctness(_Model):
    """What verification found."""

    verified: bool = Field(description="whether the kernel came to verification; all else is unknown otherwise")
    ratio: float = Field(description="largest error in units of the arithmetic's rounding error; -1 when infinite")
    threshold: float = Field(description="largest accepted ratio")
    rule: str = Field(description="what errors are measured against: componentwise or normwise")
    cases: int = Field(description="calls judged, over all numbers of threads")
    failed: str = Field(description="what was wrong, in words; empty for a correct kernel")
    deterministic: Literal["yes", "no", ""] = Field(
        description="whether two runs with all threads left the same bits; empty when it did not come to that"
    )


class TimingFields(_Model):
    """From all measurements; -1 when the kernel was not timed."""

    ref: str = Field(description="baseline and its threads")
    gflops: float = Field(description="the objective: geometric mean over the scored sizes")
    ratio_median: float = Field(description="baseline time / kernel time, geometric mean over the sizes")
    ratio_low: float = Field(description="lower end of the 95 % bootstrap interval")
    ratio_high: float = Field(description="upper end")
    peak_frac: float = Field(description="objective / measured peak")
    per_size: str = Field(
        description="JSON: for each scored size its numbers, flops and bytes of a call, block_calls, samples_s and "
        "ref_samples_s (seconds of one call in each block), ratio_median, ratio_low, ratio_high, gflops, "
        "gbytes_per_s, median_s, min_s, mdape, quiet, bound (whether the speed is an upper bound), joules of a "
        "call and gflop_per_joule (-1 where not reported), no_energy (the reason)"
    )
    held_out: str = Field(
        description="JSON: the same for sizes that no kernel was scored at; of the run's best elites only, else []"
    )


class DuelFields(_Model):
    """Interleaved timing against the incumbent of the cell; empty and -1 without one."""

    incumbent_id: MaybeHash
    ratio_median: float = Field(description="incumbent time / kernel time; -1 when the incumbent failed")
    ratio_low: float
    ratio_high: float
    samples_s: str = Field(description="JSON: seconds of one call in each block, by scored size")
    incumbent_samples_s: str = Field(description="JSON: the same for the incumbent, block by block")
    incumbent_fault: str = Field(description="how the incumbent failed; empty when it did not")


class RewardFields(_Model):
    """Raw and shaped, so that a trainer can shape anew."""

    judged: bool = Field(description="whether the outcome says something about the kernel; all else is void otherwise")
    gflops: float = Field(description="raw: the objective")
    ratio: float = Field(description="raw: speed relative to the baseline")
    sqd: float = Field(description="the objective when correct, else the tier's penalty (arXiv 2602.12049)")
    tier: Outcome


class Hardware(_Model):
    """What the kernel was measured on."""

    fingerprint: str = Field(description="changes with machine and compiler")
    cpu: str = Field(description="model name")
    cores: int
    threads: int = Field(description="OpenMP threads while scoring")
    hypervisor: Literal["yes", "no", ""]


class ExportRecord(_Model):
    """One evaluation of a run; what is not known is an empty text or -1, never null."""

    schema_: Literal["qdkernel.record/2"] = Field(alias="schema")
    id: Hash = Field(description="SHA-256 of normal form and flags: kernels that differ in names and spacing share it")
    run: str = Field(description="name of the run folder")
    evaluation: int = Field(ge=1, description="number in the run, in the order of commits")
    kernel_id: Hash = Field(description="SHA-256 of the source")
    task: str = Field(description="problem")
    dtype: str = Field(description="f64 or f32")
    size_names: str = Field(description="what the numbers of a size are, with blanks between")
    sizes: str = Field(description="JSON: the scored sizes, a list of numbers each")
    source: str = Field(description="C source; bytes that are not UTF-8 are replaced")
    flags: str = Field(description="compiler flags, with blanks between")
    compiler: str = Field(description="compiler and version")
    asm_hash_O0: str = Field(description="hash of the assembly at -O0 without the .file directive")
    asm_hash_target: str = Field(description="hash of machine code, data and relocations at the run's flags")
    normal_hash: str = Field(description="hash of the token-normal form")
    parent_ids: Hashes
    inspiration_ids: Hashes = Field(description="other kernels that the prompt showed")
    repair_of: MaybeHash = Field(description="the failing kernel that the same conversation brought before")
    operator: str = Field(description="mutator")
    idea: str = Field(description="one line")
    target: str = Field(description="the cell aimed at, e.g. packed/512/static/near")
    stage: str = Field(description="the stage it was proposed in")
    prompt: list[ChatMessage] = Field(
        min_length=1, description="messages of the request that brought the kernel, or a prompt of the same templates"
    )
    completion: str = Field(description="the reply to it, or the kernel in the form that the prompt asks for")
    prompt_source: Literal["model", "template"] = Field(
        description="model: as it was sent to and came from a model; template: made for a built-in operator's kernel"
    )
    model: str = Field(description="as the endpoint knows it; empty for built-in operators")
    sampling: Sampling
    conversation: Conversation
    outcome: Outcome
    detail: str = Field(description="text a person or a model can act on")
    duplicate_of: MaybeHash = Field(description="id of the earlier kernel")
    correctness: Correctness
    timing: TimingFields
    duel: DuelFields
    descriptors: Levels
    descriptor_version: str = Field(description="version of axes and levels")
    cell: str = Field(description="the measured cell, e.g. packed/512/static/near")
    evidence: Evidence
    placement: str = Field(description="what the archive did: new, improved, not_added, none")
    elite: bool = Field(description="whether it is its cell's elite at the time of the export")
    num_measurements: int = Field(ge=1, description="how many times the kernel was timed")
    reward: RewardFields
    hardware: Hardware
    harness: str = Field(description="version of qdkernel that measured")
    seed: int
    step_s: str = Field(description="JSON: seconds in each step")
    elapsed_s: float = Field(description="seconds the run had been active")
    ts: str = Field(description="when the evaluation was committed, UTC, ISO 8601")

    def plain(self) -> dict[str, Any]:  # Any: JSON values
        """As JSON values, in the order of the schema's fields."""
        return self.model_dump(mode="json", by_alias=True)


def record_schema() -> dict[str, Any]:  # Any: JSON
    """The JSON Schema (draft 2020-12) of an exported record."""
    schema = ExportRecord.model_json_schema(by_alias=True)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": SCHEMA}


def schema_text() -> str:
    """The contents of ``record.schema.json``."""
    return json.dumps(record_schema(), indent=1) + "\n"
