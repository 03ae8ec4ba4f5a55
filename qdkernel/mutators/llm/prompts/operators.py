"""The operators that ask a model, declared: name, help, and how the conversation is opened."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from qdkernel.errors import unknown
from qdkernel.mutators.contract import Brief, by_name
from qdkernel.mutators.llm.assignment import Assignment
from qdkernel.mutators.llm.prompts.compose import compose_cross, compose_edit, compose_plan, compose_rewrite
from qdkernel.mutators.llm.prompts.pool import Section


class Compose(Protocol):
    """Opens a conversation."""

    def __call__(
        self, brief: Brief, sections: Sequence[Section], programmers: int, rng: np.random.Generator
    ) -> Assignment | None:
        """The assignment for a brief, or ``None`` when there is nothing to ask yet.

        Args:
            brief: what is known.
            sections: a version of each section of the prompt.
            programmers: conversations that a plan is handed out to.
            rng: all randomness comes from it.
        """


@dataclass(frozen=True)
class ModelOperator:
    """An operator that asks a model.

    Attributes:
        name: registry name, as in a configuration.
        help: what it does, a phrase.
        compose: opens its conversation; ``Assignment.expects`` states whether a kernel or a plan comes back.
        suits: whether it is the right operator for the way from a brief's parent to its target.
        prior: factor of its weight at first, by what the operator earned in recorded runs.
        kind: distinguishes it from an operator that needs no model.
    """

    name: str
    help: str
    compose: Compose
    suits: Callable[[Brief], bool] = lambda brief: True
    prior: float = 1.0
    kind: Literal["model"] = "model"


class ComposeKernel(Protocol):
    """Opens a conversation about one kernel."""

    def __call__(self, brief: Brief, sections: Sequence[Section], rng: np.random.Generator) -> Assignment | None:
        """The assignment for a brief, or ``None`` when there is nothing to ask yet."""


def kernel_operator(
    name: str, what: str, compose: ComposeKernel, suits: Callable[[Brief], bool] = lambda brief: True
) -> ModelOperator:
    """A model operator whose reply is one kernel, whatever the number of programmers."""

    def for_any_number(
        brief: Brief, sections: Sequence[Section], programmers: int, rng: np.random.Generator
    ) -> Assignment | None:
        return compose(brief, sections, rng)

    return ModelOperator(name, what, for_any_number, suits)


def _same_blocking(brief: Brief) -> bool:
    """Whether the loop structure stays: then an edit is shorter than a file, otherwise it replaces everything."""
    if brief.parent is None or brief.target is None:
        return True
    return brief.parent.cell.blocking == brief.target.blocking


def _other_blocking(brief: Brief) -> bool:
    return brief.target is None or not _same_blocking(brief)


# Of 26 requests of a recorded run, 5 of the 6 kernels that plans led to were timed, in 4 cells, the best among them.
_PLAN_PRIOR = 3.0


MODEL_OPERATORS: Mapping[str, ModelOperator] = by_name(
    [
        kernel_operator("edit", "a model changes a part of an elite", compose_edit, _same_blocking),
        kernel_operator(
            "rewrite", "a model writes a whole kernel in place of an elite", compose_rewrite, _other_blocking
        ),
        kernel_operator("cross", "a model joins two elites", compose_cross),
        ModelOperator(
            "plan", "a model hands out strategies, one for each further request", compose_plan, prior=_PLAN_PRIOR
        ),
    ]
)
"""The operators that a configuration can list and that need a model, by name."""


def compose(
    operator: str, brief: Brief, sections: Sequence[Section], programmers: int, rng: np.random.Generator
) -> Assignment | None:
    """The assignment of a model operator; ``None`` when there is nothing to ask yet.

    Raises:
        UnknownName: no model operator has this name.
    """
    if operator not in MODEL_OPERATORS:
        raise unknown("model operator", operator, MODEL_OPERATORS)
    return MODEL_OPERATORS[operator].compose(brief, sections, programmers, rng)
