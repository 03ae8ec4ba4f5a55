"""The ``compiler`` section of a configuration: the compiler and its flags, without those that change results."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from qdkernel.config.section import Section, Word, mistake

# Reordering, reciprocals, dropped NaN or signed zeros, flushed subnormals: with any of these two kernels that are
# equal in C differ in value, and the error bound derived from IEEE arithmetic no longer judges the kernel.
# GCC manual, "Options That Control Optimization"; -mrecip and -mdaz-ftz from "x86 Options".
UNSAFE_MATHS = frozenset(
    {
        "-ffast-math",
        "-funsafe-math-optimizations",
        "-fassociative-math",
        "-freciprocal-math",
        "-ffinite-math-only",
        "-fno-signed-zeros",
        "-fcx-limited-range",
        "-fsingle-precision-constant",
        "-mrecip",
        "-mdaz-ftz",
    }
)
# What is produced, and from what, is the evaluator's business.
EVALUATOR_FLAGS = frozenset({"-c", "-S", "-E", "-o", "-x", "-shared", "-fsyntax-only"})


def _check_flag(flag: str) -> str:
    if flag in UNSAFE_MATHS or flag == "-Ofast" or flag.startswith("-mrecip="):
        raise mistake(
            f"expected a flag that keeps IEEE arithmetic, got {flag!r}: fast-math lets the compiler change results, "
            "so kernels could no longer be judged by their rounding error; remove it"
        )
    if (flag.startswith("-O") and flag != "-O3") or flag.startswith("--optimize"):
        raise mistake(
            f"expected -O3 as the only optimisation level, got {flag!r}: cheaper levels rank kernels differently; "
            "remove it"
        )
    if flag in EVALUATOR_FLAGS:
        raise mistake(f"expected an optimisation or target flag, got {flag!r}, which the evaluator sets itself")
    if not flag.startswith("-") or len(flag) == 1:
        raise mistake(f"expected a compiler flag that begins with '-', got {flag!r}")
    return flag


Flag = Annotated[str, AfterValidator(_check_flag)]


class CompilerConfig(Section):
    """How kernels are compiled; fixed for the whole run, so that speeds compare."""

    command: Word = Field(default="gcc", description="The C compiler: a name on PATH or a path; a GCC is expected.")
    flags: tuple[Flag, ...] = Field(
        default=("-O3", "-march=native", "-fopenmp"),
        description="Flags of every kernel; -O3 as cheaper levels rank kernels differently, fast-math is refused.",
    )

    @model_validator(mode="after")
    def _optimises(self) -> Self:
        if "-O3" not in self.flags:
            raise mistake("expected -O3 among flags: a cheaper level ranks kernels differently; add -O3")
        return self
