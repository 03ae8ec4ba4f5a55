"""The configuration of a study: which routines a model is asked for, in which ways, how often."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationError, model_validator

from qdkernel.config.llm import Models
from qdkernel.config.messages import path_text
from qdkernel.config.model import BudgetConfig
from qdkernel.config.overrides import OverrideMistake, override
from qdkernel.config.section import PositiveFloat, PositiveInt, Section, Word, mistake, repeated
from qdkernel.errors import ConfigError
from qdkernel.strict_yaml import Plain, parse_yaml

Way = Literal["name", "techniques", "reference"]


class StudyBudget(Section):
    """The most that a study may cost, over all sessions; null for no limit."""

    requests: PositiveInt | None = Field(default=None, description="HTTP requests, failed ones included.")
    tokens: PositiveInt | None = Field(default=None, description="Tokens in both directions.")
    usd: PositiveFloat | None = Field(default=None, description="US dollars by the models' prices.")


class StudyConfig(Section):
    """A study."""

    problems: Annotated[tuple[Word, ...], Field(min_length=1)] = Field(description="Names of problems.")
    ways: Annotated[tuple[Way, ...], Field(min_length=1)] = Field(
        default=("name", "techniques", "reference"),
        description="How a model is asked: by name only, by name and techniques, from a Fortran-like reference text.",
    )
    samples: PositiveInt = Field(default=10, description="Replies for each problem, way and model.")
    k: Annotated[tuple[PositiveInt, ...], Field(min_length=1)] = Field(
        default=(1, 5), description="Of pass@k and eff@k; at most samples."
    )
    models: Models = Field(default="environment", description="As in a run's configuration.")
    budget: StudyBudget = Field(default=StudyBudget(), description="The most that the replies may cost.")
    seed: int = Field(default=0, description="Of the intervals' bootstrap and of the judge.")
    judge: Mapping[str, Any] = Field(  # Any: checked as a run's configuration, once for each problem
        default={}, description="How kernels are judged: entries of a run's configuration, e.g. threads or timing."
    )

    @model_validator(mode="after")
    def _fits(self) -> Self:
        for key, values in (("problems", self.problems), ("ways", self.ways)):
            if twice := repeated(values):
                raise mistake(f"{key}: expected each once, got {twice} more than once")
        if max(self.k) > self.samples:
            raise mistake(f"k: expected at most samples, {self.samples}, got {max(self.k)}; raise samples or lower k")
        if taken := sorted({"problem", "budget", "models", "seed"}.intersection(self.judge)):
            raise mistake(f"judge: expected no {taken[0]}, which the study sets itself; remove it")
        return self

    def run_values(self, problem: str) -> dict[str, Plain]:
        """What a run's configuration holds that judges kernels of a problem as this study does."""
        judge = copy.deepcopy(dict(self.judge))
        return {**judge, "problem": problem, "seed": self.seed, "models": [], "budget": {"evaluations": 1}}

    def llm_budget(self) -> BudgetConfig:
        """The budget as sessions with models take it."""
        return BudgetConfig(evaluations=1, **self.budget.model_dump())


def load_study(path: Path, overrides: Sequence[str] = ()) -> StudyConfig:
    """The study in a YAML file with ``--set`` values applied.

    Raises:
        ConfigError: the file cannot be read, is not YAML, or does not fit; a line for each mistake, with file and line.
    """
    try:
        document = parse_yaml(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: expected a study's configuration, but it cannot be read: {error}") from None
    if document.faults or not isinstance(document.value, dict):
        faults = [f"{path}:{fault.line}: {fault.text}" for fault in document.faults]
        raise ConfigError("\n".join(faults) or f"{path}: expected a mapping with problems, see configs/blas-study.yaml")
    data: dict[str, Plain] = document.value
    try:
        for text in overrides:
            override(data, text, {})
        return StudyConfig.model_validate_json(json.dumps(data))  # in JSON a list is a tuple
    except OverrideMistake as error:
        raise ConfigError(str(error)) from None
    except ValidationError as error:
        lines = []
        for each in error.errors(include_url=False):
            entry = tuple(part for part in each["loc"] if not str(part).startswith(("tuple", "literal", "function")))
            line, where = document.lines.get(entry, 1), path_text(entry)
            came = "" if "key" in where.lower() else f", got {each['input']!r:.80}"  # it may be the key itself
            lines.append(f"{path}:{line}: {where}: {each['msg']}{came}")
        raise ConfigError("\n".join(lines)) from None
