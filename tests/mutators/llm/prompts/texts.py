"""What the tests of prompts share: a strategy, a log, a conversation, and ways to look at an assignment."""

from __future__ import annotations

import numpy as np

from qdkernel.core import Outcome, Provenance, parse_cell
from qdkernel.llm import Message
from qdkernel.mutators.llm import Assignment, Strategy
from qdkernel.mutators.llm.prompts import LogLine, compose_repair, estimate_tokens
from qdkernel.mutators.llm.prompts.pool import first_sections
from tests.mutators.briefs import ARCHIVE

SECTIONS = first_sections()
STRATEGY = Strategy(
    1,
    "packed, 512-bit, static loop, prefetch near, register tile 8 rows x 3 vectors",
    "Prefetch the B panel into L1 about eight steps ahead and stop prefetching to L2. Keep the tile of 8 x 3 vectors.",
)
LOG = (
    LogLine("seed", "seed kernel dgemm_naive.c", Outcome.OK, 0.0, "no blocking, scalar, serial, no prefetch", 0.912),
    LogLine("edit", "unroll the depth of the panels by four", Outcome.COMPILE_ERROR, 0.0),
    LogLine("rewrite", "pack both operands", Outcome.OK, 0.62, "packed, 512-bit, static loop, prefetch both", 66.4),
    LogLine("edit", "prefetch near only", Outcome.OK, 0.07, "packed, 512-bit, static loop, prefetch near", 71.2),
    LogLine("cross", "stream C past the caches", Outcome.WRONG, 0.0, "packed, 512-bit, static loop, prefetch far"),
)
SAID = (
    Message("system", "You write C compute kernels."),
    Message("user", "Improve this kernel by editing it."),
    Message("assistant", "IDEA: unroll\n<<<<<<< SEARCH\na\n=======\nb\n>>>>>>> REPLACE"),
)


def rng(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


def made(assignment: Assignment | None) -> Assignment:
    assert assignment is not None
    return assignment


def user(assignment: Assignment | None) -> str:
    return made(assignment).messages[-1].content


def system(assignment: Assignment | None) -> str:
    return made(assignment).messages[0].content


def tokens(assignment: Assignment) -> int:
    return sum(estimate_tokens(message.content) for message in assignment.messages)


def repair(outcome: Outcome, detail: str, said: tuple[Message, ...] = SAID) -> Assignment:
    source = ARCHIVE[1].kernel.source
    parents, target = (ARCHIVE[1].kernel.id,), parse_cell("packed/512/static/near")
    return compose_repair(said, source, outcome, detail, 1, Provenance(repairs=1), parents, target)
