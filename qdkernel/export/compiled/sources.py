"""The C of an exported library: header, kernels under names of their own, and what chooses among them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from qdkernel.core import Problem, parse_prototype, prototype_header
from qdkernel.export.compiled.variants import PORTABLE, Function, Variant

OWN_C = Path(__file__).parent / "c"
"""The parts that are the same in every library."""

Files = dict[str, bytes]
"""Contents by path in the export."""

_LEVELS = {PORTABLE: "QD_PORTABLE", "sse2": "QD_SSE2", "avx2": "QD_AVX2", "avx512": "QD_AVX512"}


def kernel_file(variant: Variant) -> str:
    """Where a kernel's C file is, e.g. ``kernels/dgemm_avx2_0123456789ab.c``."""
    return f"kernels/{variant.function}_{variant.tag}.c"


def c_files(functions: Sequence[Function]) -> Files:
    """Header, dispatch and kernels."""
    files = {f"src/{name}": (OWN_C / name).read_bytes() for name in ("dispatch.h", "dispatch.c")}
    files["include/qdkernel.h"] = _header(functions).encode()
    for function in functions:
        files[f"src/{function.problem.name}.c"] = _dispatch(function).encode()
        for variant in function.variants:
            files[kernel_file(variant)] = _kernel(function.problem, variant)
    return files


def _header(functions: Sequence[Function]) -> str:
    declared = "".join(
        f"\n/* {_comment(each.problem.summary)}{_contract(each.problem)} */\n{_declaration(each.problem)}\n"
        for each in functions
    )
    return f"""/* Kernels bred by qdkernel. Written by `qdkernel export --to library`.

   In the object file each function's name begins with qdkernel_, so that the library replaces no other of its name. */
#ifndef QDKERNEL_H
#define QDKERNEL_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {{
#endif
{declared}
#ifdef __cplusplus
}}
#endif

#endif
"""


def _contract(problem: Problem) -> str:
    return f";\n   {_comment(problem.contract)}" if problem.contract else ""


def _declaration(problem: Problem) -> str:
    """The prototype as C and C++ read it."""
    prototype = re.sub(r"\brestrict\b", "__restrict", problem.prototype.strip().rstrip(";"))
    return f'__attribute__((visibility("default")))\n{prototype} __asm__("qdkernel_{problem.name}");'


def _kernel(problem: Problem, variant: Variant) -> bytes:
    """A kernel's source, after what the evaluator puts before every kernel.

    Its function gets its own name in the object file only: a macro could choose other lines of the source.
    """
    prototype = problem.prototype.strip().rstrip(";")
    head = (
        f"/* {problem.name}: {variant.origin}.\n   Compiled with {' '.join(variant.flags)}. */\n"
        f'{prototype_header(problem)}{prototype} __asm__("{variant.symbol}");\n#line 1 "kernel.c"\n'
    )
    return head.encode() + variant.source


def _dispatch(function: Function) -> str:
    """The public function: it chooses a kernel and calls it."""
    problem, variants = function.problem, function.variants
    parameters = parse_prototype(problem.prototype).parameters
    declared = ", ".join(f"{p.c_type} {p.name}" for p in parameters)
    passed = ", ".join(p.name for p in parameters)
    externs = "".join(f"extern kernel_function {variant.symbol};\n" for variant in variants)
    kernels = "".join(f"static struct qd_kernel {variant.tag} = {_kernel_facts(variant)};\n" for variant in variants)
    choices = "".join(f"    {row},\n" for variant in variants for row in _choices(problem, variant))
    return f"""/* Chooses among the kernels of {problem.name}. */
#include "dispatch.h"
#include "qdkernel.h"

typedef void kernel_function({declared});
{externs}
{kernels}
static const struct qd_choice qd_choices[] = {{
{choices}}};

void {problem.name}({declared})
{{
    const double qd_size[] = {{{", ".join(f"(double){name}" for name in problem.size_names)}}};
    struct qd_kernel *qd_kernel = qd_choose(qd_choices, qd_size, {len(problem.size_names)});
    int qd_threads = qd_enter(qd_kernel, "{problem.name}");
    ((kernel_function *)qd_kernel->function)({passed});
    qd_leave(qd_kernel, qd_threads);
}}
"""


def _kernel_facts(variant: Variant) -> str:
    threads = "INT_MAX" if variant.level == PORTABLE else str(variant.threads)
    return (
        f'{{(void (*)(void)){variant.symbol}, "{variant.origin}", {threads}, {int(variant.reentrant)},\n'
        "    PTHREAD_MUTEX_INITIALIZER, 0}"
    )


def _choices(problem: Problem, variant: Variant) -> list[str]:
    """The initializers of a kernel's choices, one for each size at which it is the fastest."""
    sizes = [", ".join(str(size[name]) for name in problem.size_names) for size in variant.sizes] or ["0"]
    return [f"{{{_LEVELS[variant.level]}, &{variant.tag}, {{{size}}}}}" for size in sizes]


def _comment(text: str) -> str:
    return " ".join(text.replace("*/", "* /").replace("/*", "/ *").split())
