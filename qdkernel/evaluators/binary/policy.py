"""Step 3 of an evaluation: what a kernel's shared object may not hold, whatever its source looked like."""

from __future__ import annotations

import re
from collections.abc import Callable

from qdkernel.core import LIBRARY_NAMES
from qdkernel.evaluators.binary.disassembly import Disassembly, Function
from qdkernel.evaluators.binary.shared_object import SharedObject

FILE_LIMIT = 4 << 20
"""Largest shared object in bytes."""
CONSTANTS_LIMIT = 256 << 10
"""Largest .rodata in bytes: room for tables, too small to embed answers."""

_OPENMP = [
    "omp_get_thread_num", "omp_get_num_threads", "omp_get_max_threads", "omp_get_num_procs", "omp_in_parallel",
    "omp_in_final", "omp_get_level", "omp_get_active_level", "omp_get_max_active_levels", "omp_get_team_size",
    "omp_get_ancestor_thread_num", "omp_get_thread_limit", "omp_get_dynamic", "omp_get_nested", "omp_get_schedule",
    "omp_get_proc_bind", "omp_init_lock", "omp_set_lock", "omp_unset_lock", "omp_test_lock", "omp_destroy_lock",
]  # fmt: skip
IMPORTS = LIBRARY_NAMES | {*_OPENMP, "__stack_chk_fail", "__tls_get_addr"}
"""Symbols a kernel may import, beside those of the OpenMP runtime's compiler interface."""

# Not the half-open calls that compilers stopped emitting in 2014: a team that a kernel opens and does not close goes on
# computing after the kernel has returned.
_RUNTIME = re.compile(r"GOMP_(?!target|OFFLOAD|offload|PLUGIN|plugin|enable|disable|parallel_(?:\w*start|end)$)\w+")
_RUN_AT_LOAD = re.compile(r"\.(?:(?:preinit|init|fini)(?:_array)?|ctors|dtors)(?:\.|$)")
_LOADER_TAGS = {
    "DT_RPATH": "a library path",
    "DT_RUNPATH": "a library path",
    "DT_INIT": "an initialiser",
    "DT_FINI": "a finaliser",
    "DT_INIT_ARRAY": "an initialiser",
    "DT_FINI_ARRAY": "a finaliser",
    "DT_PREINIT_ARRAY": "an initialiser",
    "DT_TEXTREL": "code that the loader patches",
    "DT_AUDIT": "an audit library",
    "DT_DEPAUDIT": "an audit library",
    "DT_FILTER": "a filter library",
    "DT_AUXILIARY": "a filter library",
}
# Vector instructions above a level: EVEX's registers and masks, or anything in VEX encoding (all of it begins with v;
# of what a compiler makes of C nothing else does).
_ABOVE = {
    "avx2": re.compile(r".*\b(?:zmm\d+|[xy]mm(?:1[6-9]|2\d|3[01])|k[0-7])\b"),
    "sse2": re.compile(r"v|.*\b(?:[yz]mm\d+|k[0-7])\b"),
}


def refuse_object(so: SharedObject, disassembly: Disassembly, function: str, isa: str | None = None) -> str | None:
    """Why the object is refused and what to do instead; ``None`` when it may be run.

    Immediates and offsets of honest code may contain the bytes of a forbidden instruction; they count only where
    execution can reach them: at an instruction's start, or at the target of a jump. So every byte of code must decode,
    and every direct jump must lead to the start of an instruction.

    Args:
        so: the linked kernel.
        disassembly: its code.
        function: the one symbol it has to export.
        isa: the instruction-set level that no instruction may be above; ``None`` for the machine's own.
    """
    for rule in _RULES:
        if reason := rule(so):
            return reason
    if so.exports != (function,):
        listed = ", ".join(so.exports) or "nothing"
        return f"the object exports {listed}; it has to export {function} and nothing else"
    return _code(disassembly) or _above(disassembly, isa)


def _size(so: SharedObject) -> str | None:
    if so.file_size > FILE_LIMIT:
        return f"the object has {so.file_size} bytes; at most {FILE_LIMIT} are accepted: unroll less"
    constants = so.section_size(".rodata")
    if constants > CONSTANTS_LIMIT:
        return f"the object has {constants} bytes of constants; at most {CONSTANTS_LIMIT} are accepted: compute tables"
    return None


def _imports(so: SharedObject) -> str | None:
    for name in so.imports:
        if name not in IMPORTS and not _RUNTIME.fullmatch(name):
            return _import_reason(name)
    if so.needed:
        return f"the object asks for the library {so.needed[0]}; kernels link to none"
    return None


_INSTEAD = (
    (
        re.compile(r"__cpu_(?:model|indicator_init|features2?)"),
        "the kernel asks for the CPU's features (__builtin_cpu_supports, __builtin_cpu_is or __builtin_cpu_init), "
        "which kernels may not: they are compiled for this CPU; use #ifdef __AVX512F__ and the like",
    ),
    (
        re.compile(r"omp_set_(?!\w*lock)\w+"),
        "the kernel calls {name}, which changes settings beyond the call; the run sets the threads: write "
        "num_threads(...) or schedule(...) at the pragma, or leave it out",
    ),
    (
        re.compile(r"omp_get_wtime|omp_get_wtick|clock\w*|time|gettimeofday|times"),
        "the kernel calls {name}; kernels may not read clocks: remove it",
    ),
    (
        re.compile(r"\w*print\w*|puts|putchar|fputs|fputc|fwrite|write|perror|stdout|stderr"),
        "the kernel calls {name}; kernels may not print: remove it",
    ),
    (re.compile(r"__assert\w*"), "the kernel calls assert; kernels may not print: remove it"),
    (
        re.compile(r"omp_\w+"),
        "the kernel calls {name}; of OpenMP's functions those that ask for threads and levels, and locks, are allowed",
    ),
)
"""What those who wrote a call see of it, and what to do instead; the first that matches counts."""


def _import_reason(name: str) -> str:
    for pattern, reason in _INSTEAD:
        if pattern.fullmatch(name):
            return reason.format(name=name)
    return (
        f"the object calls {name}, which kernels may not use; allowed are libm, memory functions, and those of OpenMP "
        "that ask for threads"
    )


def _loading(so: SharedObject) -> str | None:
    """Nothing of a kernel runs while it is loaded."""
    for name, section in so.sections.items():
        if section.size and _RUN_AT_LOAD.match(name):
            return f"the object has code that runs when it is loaded or left (section {name}); remove constructors"
    for tag, what in _LOADER_TAGS.items():
        if tag in so.dynamic_tags:
            return f"the object has {what} ({tag}); remove what asks for it"
    if so.ifuncs:
        return f"the object chooses {so.ifuncs[0]} by a resolver while it is loaded; call one version directly"
    return None


def _writable_code(so: SharedObject) -> str | None:
    if so.executable_stack:
        return (
            "the object needs an executable stack, as pointers to functions inside functions do (GCC's nested "
            "functions); write them at file level and hand over what they use"
        )
    if so.writable_code or any(s.writable and s.executable for s in so.sections.values()):
        return "the object has memory that is both writable and executable; kernels do not change their code"
    return None


_RULES: tuple[Callable[[SharedObject], str | None], ...] = (_size, _imports, _loading, _writable_code)


def _code(disassembly: Disassembly) -> str | None:
    if disassembly.undecoded:
        return f"the bytes at {disassembly.undecoded[0]:#x} in the code are no instruction; keep data out of it"
    starts = {i.address for f in disassembly.functions.values() for i in f.instructions} | disassembly.stubs.keys()
    for function in disassembly.functions.values():
        if reason := _forbidden(function) or _stray_jump(function, starts) or _untraced(function):
            return reason
    return None


def _forbidden(function: Function) -> str | None:
    for instruction in function.instructions:
        if function.processor.forbidden(instruction):
            return (
                f"{function.name} uses the instruction {instruction.mnemonic}, which kernels may not use; remove what "
                "asks for it"
            )
    return None


def _above(disassembly: Disassembly, isa: str | None) -> str | None:
    """The flags keep the compiler within the level; this holds whatever else may have put an instruction there."""
    pattern = _ABOVE.get(isa or "")
    if pattern is None:
        return None
    for function in disassembly.functions.values():
        for instruction in function.instructions:
            text = f"{instruction.mnemonic} {instruction.operands}"
            if pattern.match(text):
                return f"{function.name} uses the instruction {text}, above the level {isa}; use narrower vectors"
    return None


def _stray_jump(function: Function, starts: set[int]) -> str | None:
    for instruction in function.instructions:
        target = function.processor.branches.target(instruction)
        if target is not None and target not in starts:
            return f"{function.name} jumps to {target:#x}, which is not the start of an instruction; remove that code"
    return None


def _untraced(function: Function) -> str | None:
    """The code does not show what a call through a pointer runs, so it does not show the behaviour either."""
    if not function.untraced:
        return None
    return (
        f"{function.name} calls or jumps through a pointer (at {function.untraced[0]:#x}); call functions by "
        "their names, or through a static const table of them"
    )
