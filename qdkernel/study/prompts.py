"""The three ways of asking for a routine.

They are those of Mukunoki, Hayashi, Hoshino and Katagiri 2025, "Performance Evaluation of General Purpose Large
Language Models for Basic Linear Algebra Subprograms Code Generation" (arXiv 2507.04697): the routine's name only; the
name with the techniques to use; a reference code with the techniques. Each prompt also declares the C function, as the
judge links it, and what source the judge accepts.
"""

from __future__ import annotations

import re
from pathlib import Path

from qdkernel.config import Way
from qdkernel.core import Problem
from qdkernel.evaluators.source import HEADERS
from qdkernel.llm import Message

_REFERENCES = Path(__file__).parent / "references"

_TECHNIQUES = "Make it as fast as possible: use thread parallelism (OpenMP), SIMD vectorization and cache blocking."
_RULES = """Write one C file that defines exactly this function:

    {prototype};

{summary}. {contract}Other functions must be static. Include only {headers}. No input or output, no timing, no assembly.
Reply with the whole file in one C code block."""


def prompt(problem: Problem, way: Way) -> tuple[Message, ...]:
    """The messages that ask for a routine.

    Args:
        problem: what the routine computes.
        way: ``name``, ``techniques`` or ``reference``.
    """
    asked = {
        "name": f"Write the routine {problem.name} in C.",
        "techniques": f"Write the routine {problem.name} in C. {_TECHNIQUES}",
        "reference": f"Write the following routine, {problem.name}, in C. {_TECHNIQUES}\n\n{reference_text(problem)}",
    }[way]
    rules = _RULES.format(
        prototype=problem.prototype.strip().rstrip(";"),
        summary=problem.summary[0].upper() + problem.summary[1:],
        contract=f"{problem.contract[0].upper()}{problem.contract[1:]}. " if problem.contract else "",
        headers=", ".join(f"<{header}>" for header in sorted(HEADERS)),
    )
    return (Message("user", f"{asked}\n\n{rules}"),)


def reference_text(problem: Problem) -> str:
    """A reference of the routine: Fortran-like of those of the BLAS, of others the problem's naive C kernel."""
    name = re.sub(r"^(i?)s", r"\1d", problem.name)
    path = _REFERENCES / f"{name}.txt"
    if not path.is_file():
        return f"```c\n{problem.seed_source(problem.seeds[0])}```"
    text = path.read_text(encoding="utf-8").replace(name.upper(), problem.name.upper())
    return f"```fortran\n{text}```"
