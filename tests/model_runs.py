"""Runs with a scripted model, through the command line: settings, and kernels for it to answer with."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from qdkernel.core import Proposal
from qdkernel.runs import End, Record, RunFolder
from tests import evolving
from tests.conftest import MODEL_VARIABLES, naive
from tests.forked import run_forked

ONLY_REWRITE = ("mutators=[{name: rewrite}]", "llm.reflect_every=null", "llm.revise_every=null", "llm.sweep=0")
EVALUATIONS = "budget.minutes=null"
KEY = "sk-secret-0123456789abcdef0123456789abcdef"


def environment(**more: str) -> dict[str, str]:
    """This process's, without models."""
    kept = {name: value for name, value in os.environ.items() if name not in MODEL_VARIABLES}
    return {**kept, **more}


def model(url: str, **more: object) -> str:
    """A ``--set`` text for one scripted model."""
    fields = {"name": "scripted", "model": "scripted", "base_url": url, "parallel": 2, "timeout_s": 5.0, **more}
    return "models=[{" + ", ".join(f"{key}: {_yaml(value)}" for key, value in fields.items()) + "}]"


def _yaml(value: object) -> str:
    return f"'{value}'" if isinstance(value, str) and not value.startswith("{") else str(value)


def command(run: Path, *settings: str, more: Sequence[str] = (), config: str = "gemm.yaml") -> list[str]:
    """``qdkernel evolve`` with quick settings."""
    return evolving.command(config, run, *settings, more=more)


def evolve(
    run: Path, *settings: str, more: Sequence[str] = (), config: str = "gemm.yaml", code: int = 0, **env: str
) -> subprocess.CompletedProcess[str]:
    """Runs it to its end and checks the exit code."""
    done = run_forked(command(run, *settings, more=more, config=config), environment(**env))
    assert done.returncode == code, done.stderr
    return done


def kernel(tag: int = 2) -> str:
    """A correct kernel, other machine code for each tag from 2 to 16; 1 is the seed's."""
    loop = "                for (int p = 0"
    return naive().replace(loop, f"#pragma GCC unroll {tag}\n{loop}")


def reply(source: str, idea: str = "an idea") -> str:
    """A model's answer to a rewrite."""
    return f"IDEA: {idea}\n```c\n{source}\n```\n"


def records(run: Path) -> list[Record]:
    """The run's log."""
    with RunFolder.open(run) as folder:
        return list(folder.evaluations.records())


def by_model(run: Path) -> list[Record]:
    """The evaluations of what models proposed."""
    return [record for record in records(run) if record.model]


def proposals(run: Path) -> list[Proposal]:
    """All proposals, those in flight included, in their order."""
    with RunFolder.open(run) as folder:
        evaluated = [(r.proposal_id, r.proposal) for r in folder.evaluations.records()]
        return [
            proposal for _, proposal in sorted([*evaluated, *folder.evaluations.unfinished()], key=lambda item: item[0])
        ]


def endings(run: Path) -> list[tuple[str, End | None]]:
    """The conversations: operator, and how each ended."""
    with RunFolder.open(run) as folder:
        return [(c.assignment.operator, c.ended) for c in folder.conversations.all()]
