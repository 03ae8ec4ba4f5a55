"""The sections on stages: which techniques are permitted, and when the next stage begins."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator

from qdkernel.config.section import PositiveInt, Section, Word, mistake, repeated
from qdkernel.core import AXES
from qdkernel.errors import unknown

StageOrder = Literal["advance", "draw"]
LevelName = Annotated[
    Word,
    BeforeValidator(lambda value: str(value) if type(value) is int else value),  # simd levels are numbers in YAML
    WithJsonSchema({"anyOf": [{"type": "string", "minLength": 1}, {"type": "integer"}]}),
]


def _check_levels(levels: Mapping[str, tuple[str, ...]]) -> Mapping[str, tuple[str, ...]]:
    axes = {axis.name: axis.levels for axis in AXES}
    for axis, names in levels.items():
        if axis not in axes:
            raise mistake(str(unknown("axis", axis, axes)))
        for name in names:
            if name not in axes[axis]:
                raise mistake(str(unknown(f"{axis} level", name, axes[axis])))
    return levels


Levels = Annotated[Mapping[str, Annotated[tuple[LevelName, ...], Field(min_length=1)]], AfterValidator(_check_levels)]


class UntilConfig(Section):
    """When a stage ends: as soon as one of the criteria given holds."""

    evaluations: PositiveInt | None = Field(default=None, description="So many evaluations in the stage.")
    stagnation: PositiveInt | None = Field(
        default=None, description="So many evaluations since the stage's last new or improved elite."
    )
    coverage: Annotated[float, Field(gt=0, le=1)] | None = Field(
        default=None, description="This share of the stage's reachable cells is filled; seldom above 0.6."
    )

    def ended(self, evaluations: int, stagnation: int, coverage: float) -> bool:
        """Whether a stage with these numbers is over."""
        return (
            (self.evaluations is not None and evaluations >= self.evaluations)
            or (self.stagnation is not None and stagnation >= self.stagnation)
            or (self.coverage is not None and coverage >= self.coverage)
        )

    @model_validator(mode="after")
    def _something(self) -> Self:
        if self.evaluations is None and self.stagnation is None and self.coverage is None:
            raise mistake(
                "expected evaluations, stagnation or coverage to be set, got none of them; e.g. stagnation: 40"
            )
        return self


class StageConfig(Section):
    """A set of permitted techniques; a kernel outside it is never an elite of the stage."""

    name: Word = Field(description="What the run calls the stage. Unique.")
    permits: Levels = Field(
        default={},
        description="Levels a kernel may be at, by axis, e.g. {threading: [serial]}; an axis left out is free.",
    )
    requires: Levels = Field(
        default={}, description="Levels a kernel must be at one of, by axis, e.g. {simd: [256, 512]}."
    )
    until: UntilConfig | None = Field(
        default=None, description="When the next stage begins; null for the last one, which lasts until the run ends."
    )

    @model_validator(mode="after")
    def _permits_a_cell(self) -> Self:
        for axis, required in self.requires.items():
            permitted = self.permits.get(axis, required)
            if not set(permitted) & set(required):
                raise mistake(
                    f"expected a cell that the stage permits, got none: it requires {axis} {' or '.join(required)} "
                    f"and permits {' or '.join(permitted)}; permit what is required"
                )
        return self


def stage_mistakes(stages: tuple[StageConfig, ...], order: StageOrder | None) -> Iterator[str]:
    """What is wrong with the stages taken together, a sentence each; their order is ``None`` when it was unreadable."""
    names = [stage.name for stage in stages]
    if twice := repeated(names):
        yield f"expected each stage by a name of its own, got {twice} more than once"
    ends = {stage.name: stage.until for stage in stages}
    if order == "draw":
        for name in (name for name in names if ends[name]):
            yield (
                f"expected no until where stages are drawn for each proposal, got one in {name!r}; remove it, or write "
                "stage_order: advance"
            )
    if order == "advance":
        for name in (name for name in names[:-1] if not ends[name]):
            yield (
                f"expected until in every stage but the last, got none in {name!r}; add e.g. until: {{stagnation: 40}}"
            )
        for name in (name for name in names[-1:] if ends[name]):
            yield f"expected no until in the last stage, got one in {name!r}; remove it: it lasts until the end"
