"""Ways to cheat at timed calls, derived from a problem's declaration: one C text that cheats in another way each block.

The naive kernel is there as ``honest``; what it changed is known by comparison with a copy from before the call.
"""

from __future__ import annotations

import math

from qdkernel.core import ArrayArgument, Case, Problem, check_prototype, prototype_header

CALLS = 4
"""Calls of a block, after which the kernel goes on to the next way."""

WAYS = (
    "honest",
    "does nothing",
    "is right at the first call only",
    "returns the results of the block before, by address",
    "skips the last element that changes",
    "changes the first half only",
    "rounds to a narrower type",
)
"""What the kernel does in a block, in their order; the first one is no cheat, and its results are kept."""

_C_TYPES = {"int8": "int8_t", "int32": "int32_t", "int64": "int64_t", "float32": "float", "float64": "double"}
_KEPT = {"float64": ("uint64_t", "~(uint64_t)0 << 29"), "float32": ("uint32_t", "~(uint32_t)0 << 16")}
"""An integer type, and the bits of a number that the next narrower type has: binary32, bfloat16."""


def ways(problem: Problem) -> tuple[str, ...]:
    """The ways that the problem leaves: integers have no digits to lose."""
    return WAYS if any(problem.dtype_of(a).kind == "f" for a in problem.arrays if a.is_written) else WAYS[:-1]


def cheating_kernel(problem: Problem, case: Case) -> str:
    """The C of a kernel that cheats at calls of one case, whose arrays have no gaps."""
    written = [argument for argument in problem.arrays if argument.is_written]
    passed = ", ".join(parameter.name for parameter in check_prototype(problem).parameters)
    lines = [
        f"#define {problem.name} honest",
        problem.seed_source(problem.seeds[0]),
        f"#undef {problem.name}",
        "#include <stdint.h>",
        "#include <string.h>",
        f"enum {{ CALLS = {CALLS} }};",
        "static unsigned calls;",
        *(_memory(problem, argument, case) for argument in written),
        f"{problem.prototype.rstrip().rstrip(';')}",
        "{",
        "const unsigned way = calls / CALLS, call = calls % CALLS;",
        "calls++;",
        *(f"memcpy({a.name}_before, {a.name}, sizeof {a.name}_before);" for a in written),
        f"if (way != 1 && (way != 2 || call == 0)) honest({passed});",
        *(_damage(problem, argument) for argument in written),
        "}",
    ]
    return prototype_header(problem) + "\n".join(lines) + "\n"


def _memory(problem: Problem, argument: ArrayArgument, case: Case) -> str:
    count = math.prod(argument.shape(case))
    return (
        f"enum {{ {argument.name}_count = {count} }};\n"
        f"static {_C_TYPES[problem.dtype_of(argument).name]} {argument.name}_before[{count}], "
        f"{argument.name}_kept[CALLS][{count}];"
    )


def _damage(problem: Problem, argument: ArrayArgument) -> str:
    """What becomes of one array after the honest call."""
    bits = _KEPT.get(problem.dtype_of(argument).name)
    blurred = (
        f"{{ {bits[0]} b; memcpy(&b, v + i, sizeof b); b &= {bits[1]}; memcpy(v + i, &b, sizeof b); }}" if bits else ""
    )
    name = argument.name
    return f"""{{
    {_C_TYPES[problem.dtype_of(argument).name]} *v = {name}, *w = {name}_before;
    long changed = 0, seen = 0;
    if (way == 0) memcpy({name}_kept[call], v, sizeof {name}_before);
    if (way == 3) memcpy(v, {name}_kept[call], sizeof {name}_before);
    for (long i = 0; i < {name}_count; i++) changed += memcmp(v + i, w + i, sizeof *v) != 0;
    for (long i = 0; i < {name}_count; i++)
        if (memcmp(v + i, w + i, sizeof *v) != 0) {{
            seen++;
            if ((way == 4 && seen == changed) || (way == 5 && seen > changed / 2)) v[i] = w[i];
            if (way == 6) {blurred};
        }}
    }}"""
