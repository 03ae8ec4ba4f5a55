"""The configuration of a run as strict models: every key with its type, bounds, default and reason."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    Field,
    SerializerFunctionWrapHandler,
    ValidationInfo,
    field_validator,
    model_serializer,
    model_validator,
)

from qdkernel.config.agents import AGENT, AgentConfig
from qdkernel.config.compiler import CompilerConfig
from qdkernel.config.evaluators import EvaluatorsConfig
from qdkernel.config.llm import LlmConfig, ModelConfig, Models
from qdkernel.config.section import PositiveFloat, PositiveInt, Probability, Section, Word, mistake, repeated
from qdkernel.config.stages import StageConfig, StageOrder, stage_mistakes
from qdkernel.core import TIE_WIDTH
from qdkernel.evaluators.measurement import TimingRule
from qdkernel.evaluators.pipeline import RunSpec, TimingSpec
from qdkernel.evaluators.toolchain import CompileLimits

Count = PositiveInt | Literal["all"]
"""A number of cores, or every core that the process may use."""

Size = PositiveInt | Annotated[Mapping[str, PositiveInt], Field(min_length=1)]
"""One scored size: a number that the problem spreads over its dimensions, or each dimension by name."""


class BudgetConfig(Section):
    """When the run stops; whichever is spent first."""

    evaluations: PositiveInt | None = Field(
        default=None, description="Kernels evaluated, duplicates and refusals included; null for no limit."
    )
    minutes: PositiveFloat | None = Field(
        default=None, description="Wall time in minutes, counted anew on resume; null for no limit."
    )
    requests: PositiveInt | None = Field(
        default=None,
        description="Requests to models, over all sessions, however often one had to be sent again; null for no limit.",
    )
    tokens: PositiveInt | None = Field(
        default=None, description="Tokens sent to and received from models, over all sessions; null for no limit."
    )
    usd: PositiveFloat | None = Field(
        default=None, description="US dollars by the models' prices, over all sessions; null for no limit."
    )

    @model_validator(mode="after")
    def _something(self) -> Self:
        if all(limit is None for limit in (self.evaluations, self.minutes, self.requests, self.tokens, self.usd)):
            raise mistake(
                "expected evaluations, minutes, requests, tokens or usd to be set, got none of them; e.g. minutes: 3"
            )
        return self


class MachineConfig(Section):
    """What the machine is taken to have."""

    isa: Literal["sse2", "avx2", "avx512"] | None = Field(
        default=None,
        description="Instruction-set level of kernels, peaks, baseline and reachable cells, to breed for weaker hosts: "
        "sse2, avx2 or avx512 (x86-64, x86-64-v3 or x86-64-v4), within what the host has and QDKERNEL_ISA leaves of "
        "it; null for all of that.",
    )


def _describe_operators(schema: dict[str, Any]) -> None:  # Any: JSON schema
    """Lists the registered operators; the registry is loaded only for the schema."""
    from qdkernel.mutators import names_in_words

    schema["description"] = f"The operator: {names_in_words()}."


class MutatorConfig(AgentConfig):
    """One operator that proposes kernels, and its share of the proposals; an agent has settings of its own."""

    name: Word = Field(json_schema_extra=_describe_operators)
    weight: PositiveFloat = Field(
        default=1.0,
        description="Share of the proposals relative to the other operators, until results are in; 1 for equal ones.",
    )

    @model_validator(mode="after")
    def _agent_has_settings(self) -> Self:
        if self.name == AGENT and not self.command:
            raise mistake(f"expected command with name: {AGENT}, e.g. command: [my-agent, TASK.md]")
        for name, field in AgentConfig.model_fields.items():
            if self.name != AGENT and getattr(self, name) != field.default:
                raise mistake(f"expected {name} with name: {AGENT} only, got it with name: {self.name}; remove it")
        return self

    @model_serializer(mode="wrap")
    def _without_foreign_settings(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:  # Any: JSON
        values: dict[str, Any] = serialize(self)
        return values if self.name == AGENT else {name: values[name] for name in ("name", "weight")}

    @property
    def agent(self) -> AgentConfig | None:
        """The settings of an agent; ``None`` for any other operator."""
        return self if self.name == AGENT else None


def _each_once(mutators: tuple[MutatorConfig, ...]) -> tuple[MutatorConfig, ...]:
    if twice := repeated(mutator.name for mutator in mutators):
        raise mistake(f"expected each mutator once, got {twice} more than once; add up their weights")
    return mutators


class BaselineConfig(Section):
    """What kernels are measured against."""

    library: Path | None = Field(
        default=None,
        description="A shared library to call instead of the problem's own baseline, relative to this file; null for "
        "the pinned OpenBLAS or the problem's own kernel, so that ratios mean the same everywhere.",
    )
    symbol: Word | None = Field(
        default=None, description="The function in the library, e.g. cblas_dgemm; null for the problem's default."
    )


class TimingConfig(Section):
    """How a verified kernel is timed: blocks of calls, interleaved with the baseline."""

    rounds_min: PositiveInt = Field(
        default=TimingRule.rounds_min,
        description="Fewest rounds, one block of each kernel, in pairs (ABBA); 6 as an interval of 95 % takes as many. "
        "Who may take a cell is timed longer, in a duel.",
    )
    rounds_max: PositiveInt = Field(
        default=TimingRule.rounds_max,
        description="Rounds that are enough unless the ratio is still uncertain; then the next kernel teaches more.",
    )
    block_ms: PositiveFloat = Field(
        default=TimingRule.block_ms,
        description="Length of a timed block in milliseconds; makes waking up (10-50 us) a small part.",
    )
    half_width: Annotated[float, Field(gt=0, lt=1)] = Field(
        default=TimingRule.half_width,
        description="Rounds end when the ratio's 95 % interval is this narrow, as a fraction to a side.",
    )
    budget_s: PositiveFloat = Field(
        default=TimingRule.budget_s,
        description="Seconds spent timing one kernel at one size before fewer rounds have to do.",
    )
    tie: Annotated[float, Field(ge=0, lt=1)] = Field(
        default=TIE_WIDTH, description="Relative difference that counts as a tie; 1.5 % is the noise of paired medians."
    )
    disturbed: Annotated[float, Field(gt=1)] = Field(
        default=TimingRule.disturbed,
        description="Rounds in which the baseline is this many times slower than on quiet cores, or when those do not "
        "come, than in the faster rounds, do not count; a ratio less certain than this gets more rounds.",
    )
    quiet_s: Annotated[float, Field(ge=0)] = Field(
        default=TimingRule.quiet_s,
        description="Seconds that a measurement waits altogether for quiet cores when other programs disturb it; the "
        "calibration and first estimates wait 3 and 2 at most. 0 where the cores are never quiet. Before a kernel is "
        "accused in a second process they are waited for all the same, up to 3.",
    )
    drop_ratio: Annotated[float, Field(gt=1)] = Field(
        default=TimingSpec.drop_ratio,
        description="A slow kernel this many times slower than its cell's incumbent is dropped after its first call.",
    )
    patience: Annotated[float, Field(gt=1)] = Field(
        default=TimingSpec.patience,
        description="A kernel that needs this many times the baseline's time, and half a second at least, for one call "
        "at a scored size is stopped: it ends as timeout, a seed as an elite of which only a bound is known.",
    )
    remeasure: bool = Field(
        default=True,
        description="Time every elite again when the run ends, and again until its two best measurements agree or half "
        "as much time has gone as before; all of them count.",
    )

    inputs: Literal["cold", "cached"] = Field(
        default="cold",
        description="Where the fresh inputs of a timed call are when its clock starts: in memory, or in the smallest "
        "cache that holds them, as the small products of many programs are. Speeds of the two do not compare.",
    )
    held_out: Annotated[int, Field(ge=0, le=8)] = Field(
        default=2,
        description="Sizes around each scored one at which the best elites are timed once when the run ends; none of "
        "them is ever scored, so they show whether a win carries over.",
    )

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.rounds_min > self.rounds_max:
            raise mistake(f"expected rounds_min <= rounds_max, got {self.rounds_min} and {self.rounds_max}")
        return self


class LimitsConfig(Section):
    """What one kernel may use before it is stopped."""

    compile_s: PositiveFloat = Field(
        default=CompileLimits.wall_s, description="Wall seconds for one compile; an ordinary one takes 0.1 to 0.5."
    )
    compile_memory_mb: PositiveInt = Field(
        default=CompileLimits.memory_mb,
        description="Address space of the compiler in MiB; large kernels need about 300.",
    )
    run_s: PositiveFloat = Field(
        default=RunSpec.run_s,
        description="Wall seconds for one step of a contained kernel; naive kernels need about 1.",
    )
    memory_mb: PositiveInt = Field(
        default=RunSpec.memory_mb,
        description="MiB a contained kernel may map beside its arguments; thread stacks and arenas count.",
    )


class SelectionConfig(Section):
    """How the next parent and target cell are chosen; what the two leave over is to beat the fastest kernel."""

    exploit: Probability = Field(
        default=1 / 3,
        description="With search: map-elites, share of the proposals on the best cell and its neighbours, without a "
        "target included; a third keeps the best kernel improving. The other settings divide the rest.",
    )
    explore: Probability = Field(
        default=0.6, description="Probability of aiming at an empty cell next to a filled one; 0.6 fills cells early."
    )
    improve: Probability = Field(
        default=0.25, description="Probability of aiming at a filled cell that is slow beside its neighbours."
    )
    screened: Annotated[int, Field(ge=1, le=1000)] = Field(
        default=32,
        description="Kernels that a built-in operator draws, of which the one is evaluated that a model of speed over "
        "genomes expects to gain most; 1 evaluates each draw. With more than 4 workers fewer are drawn: 128 divided by "
        "the workers. Other policies than map-elites evaluate each draw.",
    )
    temperature: PositiveFloat = Field(
        default=0.1,
        description="With search: softmax, how much slower than the best elite, as a fraction of it, makes an elite e "
        "times less likely as a parent; 0.1 is where FunSearch begins.",
    )

    exploration: PositiveFloat = Field(
        default=0.3,
        description="With search: mcts, weight of what was seldom tried against what is fast, as a share of the best "
        "objective.",
    )
    islands: Annotated[int, Field(ge=2, le=64)] = Field(
        default=4, description="With search: islands, populations that evolve apart."
    )

    @model_validator(mode="after")
    def _at_most_one(self) -> Self:
        if self.explore + self.improve > 1 + 1e-9:  # slack for decimal fractions such as 0.7 + 0.3
            raise mistake(f"expected explore + improve <= 1, got {self.explore} + {self.improve}")
        return self


class Config(Section):
    """Everything a run depends on besides the machine."""

    problem: Word = Field(
        description="What is computed: a name that `qdkernel problems` lists, or the path of a folder that "
        "declares one, e.g. ./dots, relative to this file."
    )
    sizes: Annotated[tuple[Size, ...], Field(min_length=1)] | Literal["auto"] = Field(
        default="auto",
        description="Scored sizes: numbers, or mappings such as {m: 512, n: 512, k: 64}; auto for the problem's own.",
    )
    threads: Count = Field(default="all", description="OpenMP threads while scoring; all for every usable core.")
    accuracy: Literal["componentwise", "normwise"] = Field(
        default="componentwise",
        description="What an error is measured against: componentwise admits what is as accurate as the textbook's "
        "algorithm in every element; normwise, for matrix multiplies, also fast algorithms such as Strassen's.",
    )
    races: Literal["never", "suspected", "always"] = Field(
        default="suspected",
        description="Which kernels with threads, of those about to take a cell, are watched for races by "
        "ThreadSanitizer, where LLVM's OpenMP runtime with Archer is installed (Debian: libomp-dev): those whose "
        "results differed in a bit between two passes, or always, at 2 to 10 s a kernel.",
    )
    seed: Annotated[int, Field(ge=0)] = Field(
        default=0, description="The one seed of all randomness; the same seed proposes the same kernels first."
    )
    budget: BudgetConfig = Field(description="When the run stops; at least one limit.")
    mutators: Annotated[tuple[MutatorConfig, ...], Field(min_length=1), AfterValidator(_each_once)] = Field(
        default=(
            MutatorConfig(name="schedule", weight=4.0),
            MutatorConfig(name="tune", weight=1.0),
            MutatorConfig(name="edit", weight=1.0),
            MutatorConfig(name="rewrite", weight=1.0),
            MutatorConfig(name="cross", weight=1.0),
            MutatorConfig(name="plan", weight=0.5),
        ),
        description="Operators and their shares until results are in; 4 to 1 as schedule finds new cells and tune "
        "polishes filled ones. Without a model, the operators that need one are left out.",
    )
    models: Models = Field(
        default=(),
        description="Language models that propose kernels, or environment to take one from QDKERNEL_BASE_URL, "
        "QDKERNEL_MODEL and QDKERNEL_API_KEY; none by default.",
    )
    llm: LlmConfig = Field(default=LlmConfig(), description="How the run uses its models.")
    search: Literal["map-elites", "best-of-n", "random-parents", "softmax", "mcts", "islands"] = Field(
        default="map-elites",
        description="map-elites takes parents and targets from the archive. For comparison, best-of-n starts every "
        "proposal from the seed kernels and fills the archive only to be looked at; random-parents draws a parent "
        "uniformly from all correct kernels and aims at no cell. softmax draws a parent from the archive by its "
        "objective, as FunSearch does, and aims at no cell; mcts searches the tree of lineages (UCT), and islands "
        "breeds several populations with migration.",
    )
    stage_order: StageOrder = Field(
        default="advance",
        description="advance goes through the stages as each ends; draw takes any of them for each proposal.",
    )
    stages: tuple[StageConfig, ...] = Field(
        default=(), description="Permitted techniques, stage by stage; everything is permitted by default."
    )
    selection: SelectionConfig = Field(
        default=SelectionConfig(), description="How the next parent and target cell are chosen."
    )
    seeds: tuple[Path, ...] = Field(
        default=(),
        description="Kernel files to start from besides the problem's own, relative to this file; a run folder stands "
        "for its elites.",
    )
    baseline: BaselineConfig = Field(default=BaselineConfig(), description="What kernels are measured against.")
    machine: MachineConfig = Field(default=MachineConfig(), description="What the machine is taken to have.")
    compiler: CompilerConfig = Field(default=CompilerConfig(), description="How kernels are compiled.")
    workers: Count = Field(
        default="all", description="Kernels compiled and verified at once; all for every usable core. Timing is alone."
    )
    pictures: bool = Field(
        default=True, description="Whether a run ends with its pictures; qdkernel plot draws them whenever you like."
    )
    evaluators: EvaluatorsConfig = Field(
        default=EvaluatorsConfig(), description="On which machines kernels are evaluated."
    )
    timing: TimingConfig = Field(default=TimingConfig(), description="How a verified kernel is timed.")
    limits: LimitsConfig = Field(default=LimitsConfig(), description="What one kernel may use before it is stopped.")

    @property
    def known_models(self) -> tuple[ModelConfig, ...]:
        """The models; none while the environment has not been looked at."""
        return () if self.models == "environment" else self.models

    @field_validator("stages")
    @classmethod
    def _stages_fit(cls, stages: tuple[StageConfig, ...], info: ValidationInfo) -> tuple[StageConfig, ...]:
        if found := next(stage_mistakes(stages, info.data.get("stage_order")), None):
            raise mistake(found)
        return stages
