"""The settings of an agent as operator: a program that edits a kernel in a folder of its own."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from qdkernel.config.section import PositiveFloat, PositiveInt, Section, Word, mistake

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def _check_variables(names: Sequence[str]) -> tuple[str, ...]:
    for name in names:
        if not _VARIABLE.fullmatch(name):
            raise mistake("expected names of environment variables, e.g. MY_API_KEY; the values stay there")
    return tuple(names)


AGENT = "agent"
"""The name under which an agent is listed among the operators."""


class AgentConfig(Section):
    """A command-line agent: it is started in a work folder with an elite, and its last kernel is proposed.

    What it may use is contained like the compiler: it reads the system, what ``readable`` adds and its folder, and
    writes its folder only.
    """

    command: tuple[Word, ...] = Field(
        default=(),
        description="Of an agent: the program and its arguments; it runs in the work folder, where TASK.md states the "
        "task.",
    )
    minutes: PositiveFloat = Field(
        default=10.0,
        description="Of an agent: of one session; then the agent is ended, and what kernel.c holds is proposed.",
    )
    sessions: PositiveInt | None = Field(
        default=None,
        description="Of an agent: sessions of a run, one after the other; null for as many as its budgets allow.",
    )
    usd: Annotated[float, Field(ge=0)] = Field(
        default=0.0,
        description="Of an agent: US dollars that a session may spend, given to it as QDKERNEL_USD; booked in full "
        "against budget.usd unless the agent writes what it spent into the file spent_usd.",
    )
    network: bool = Field(
        default=False,
        description="Of an agent: whether it may open TCP connections, as an agent that asks a model must.",
    )
    env: Annotated[tuple[Word, ...], AfterValidator(_check_variables)] = Field(
        default=(), description="Of an agent: names of environment variables that it is given, e.g. of a key."
    )
    readable: tuple[Path, ...] = Field(
        default=(),
        description="Of an agent: files and folders that it may read and run beside the system's, e.g. where it lives.",
    )
    memory_mb: PositiveInt = Field(
        default=16384,
        description="Of an agent: address space of each of its processes in MiB; interpreters reserve much of it.",
    )
