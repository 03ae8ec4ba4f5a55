"""A copy of a compiled kernel that counts how often each of its basic blocks runs, and what it asks of OpenMP.

The counters are put into the compiler's assembly, behind every label and every conditional jump, so that the copy's
machine code is the kernel's own but for them: the same blocks, loops and vector instructions. A second compilation with
the compiler's own coverage would count another program: it is instrumented before loops are vectorized and unrolled.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from qdkernel.core import Problem
from qdkernel.evaluators.toolchain.compiler import ASSEMBLY, CompileLimits, Confined
from qdkernel.evaluators.toolchain.native import Built
from qdkernel.evaluators.toolchain.runtime_calls import WRAPPERS
from qdkernel.evaluators.toolchain.toolchain import LINK_FLAGS, Toolchain

TRACE_SYMBOL = "qd.trace"
"""What the runner maps the parent's memory over."""
FACTS_BYTES = 4096
"""Of the facts at its beginning (``struct qd_facts`` in native/trace.c)."""
TRACE_ROWS = 64
"""Rows of counters behind them, a thread each."""
COUNTERS_LIMIT = 1 << 15
"""Most counters; a kernel has a few hundred."""

_LIBRARIES_TLS_BYTES = 4096  # chosen: several times what libgomp and the C library have

_LABEL = re.compile(r"[A-Za-z_.$][\w.$]*:")
_SECTION = re.compile(r"\s+\.(?:section\s+([^,\s]+)|(text|data|bss)\b)")


@dataclass(frozen=True)
class _Counting:
    """How a processor counts.

    Attributes:
        branch: matches a line of assembly that jumps or goes on.
        code: of a counter, which changes neither flags nor registers; ``page`` and ``offset`` are its place in a row.
        opens: matches a line from which no counter may stand up to one that ``closes``.
        closes: see ``opens``.
    """

    branch: re.Pattern[str]
    code: str
    opens: re.Pattern[str] = re.compile(r"(?!)")
    closes: re.Pattern[str] = re.compile(r"(?!)")


_COUNTING = {
    # What a leaf function keeps below the stack pointer (the ABI's red zone of 128 bytes) stays as it is.
    "x86_64": _Counting(
        re.compile(r"\s+(?:j(?!mp)[a-z]+|loop[a-z]*)\s"),
        """\
	leaq	-128(%rsp), %rsp
	pushq	%rax
	pushq	%rcx
	movq	qd.row@gottpoff(%rip), %rax
	movq	%fs:(%rax), %rax
	movq	{place}(%rax), %rcx
	leaq	1(%rcx), %rcx
	movq	%rcx, {place}(%rax)
	popq	%rcx
	popq	%rax
	leaq	128(%rsp), %rsp""",
    ),
    # Between an exclusive load and its store a counter's own store could make the store fail for ever (Arm ARM, B2.9).
    "aarch64": _Counting(
        re.compile(r"\s+(?:b\.?(?:[a-z]{2}|any|none|first|last|nfrst|nlast|plast|pmore)|[ct]bn?z)\s"),
        """\
	stp	x16, x17, [sp, #-16]!
	adrp	x16, :gottprel:qd.row
	ldr	x16, [x16, :gottprel_lo12:qd.row]
	mrs	x17, tpidr_el0
	ldr	x16, [x17, x16]
	add	x16, x16, #{page}, lsl #12
	ldr	x17, [x16, #{offset}]
	add	x17, x17, #1
	str	x17, [x16, #{offset}]
	ldp	x16, x17, [sp], #16""",
        opens=re.compile(r"\s+lda?x[rp]"),
        closes=re.compile(r"\s+stl?x[rp]"),
    ),
}


class NotCountable(Exception):
    """No counting copy can be made; the message has the reason."""


def with_counters(assembly: str, processor: str) -> tuple[str, int]:
    """Assembly with a counter at the start of every basic block, and the number of counters.

    On aarch64 the blocks between an exclusive load and its store have none.

    From::

        .L3:
                addl    $1, %eax
                jne     .L3
                ret

    comes the same with the code of a counter behind the label and behind the jump.

    Args:
        assembly: of a kernel, by GCC.
        processor: that it is for, as ``platform.machine()`` names it.

    Raises:
        NotCountable: more than ``COUNTERS_LIMIT`` blocks.
    """
    counting, lines, number = _COUNTING[processor], [], 0
    for line, begins_block in _lines(assembly, counting):
        lines.append(line)
        if begins_block:
            place = 8 * number
            lines.append(counting.code.format(place=place, page=place >> 12, offset=place & 0xFFF))
            number += 1
    if number > COUNTERS_LIMIT:
        raise NotCountable(f"it has {number} basic blocks; at most {COUNTERS_LIMIT} are counted: unroll less")
    return "\n".join([*lines, *_storage(number)]) + "\n", number


def _lines(assembly: str, counting: _Counting) -> Iterator[tuple[str, bool]]:
    """The lines, and whether a basic block begins behind each."""
    code, exclusive = True, False
    for line in assembly.split("\n"):
        if section := _SECTION.match(line):
            code = (section[1] or "." + section[2]).startswith(".text")
        exclusive = bool(counting.opens.match(line)) or (exclusive and not counting.closes.match(line))
        yield line, code and not exclusive and bool(_LABEL.match(line) or counting.branch.match(line))


def _storage(counters: int) -> Iterator[str]:
    yield from ('\t.section\t.bss.qd.trace,"aw",@nobits', "\t.p2align 12", f"\t.globl\t{TRACE_SYMBOL}")
    yield from (f"\t.type\t{TRACE_SYMBOL}, @object", f"\t.size\t{TRACE_SYMBOL}, {trace_bytes(counters)}")
    yield from (f"{TRACE_SYMBOL}:", f"\t.zero\t{trace_bytes(counters)}")
    yield from ('\t.section\t.rodata.qd.row_counters,"a"', "\t.p2align 3", "\t.globl\tqd.row_counters")
    yield from ("\t.hidden\tqd.row_counters", "qd.row_counters:", f"\t.quad\t{counters}")


def trace_bytes(counters: int) -> int:
    """Bytes of facts and rows, whole pages."""
    return FACTS_BYTES + -(-TRACE_ROWS * counters * 8 // FACTS_BYTES) * FACTS_BYTES


def static_tls(thread_local_bytes: int) -> str:
    """``GLIBC_TUNABLES`` of a process that loads a copy.

    A copy finds its counters at a fixed offset from a thread's pointer. Its other thread-local data has to lie at fixed
    offsets as well, for which glibc keeps about 2 KB free unless it is told more when the process starts.
    """
    return f"glibc.rtld.optional_static_tls={thread_local_bytes + _LIBRARIES_TLS_BYTES}"


def compile_counting(
    folder: Path, imports: tuple[str, ...], problem: Problem, toolchain: Toolchain, built: Built, limits: CompileLimits
) -> tuple[Path, int]:
    """The counting copy of the kernel that was compiled in a folder, and the number of its counters.

    Args:
        folder: where ``compile_kernel`` compiled it.
        imports: names that its object imports.
        problem: whose function it defines.
        toolchain: compiler and flags.
        built: confinement and wrappers.
        limits: of the compilation.

    Raises:
        NotCountable: it cannot be made.
        CompileError: assembler or linker refuse it.
        CompileLate: the deadline passed.
    """
    assembly = (folder / ASSEMBLY).read_text(encoding="utf-8", errors="surrogateescape")
    text, counters = with_counters(assembly, toolchain.processor)
    (folder / "counting.s").write_text(text, encoding="utf-8", errors="surrogateescape")
    (folder / "counting.map").write_text(f"{{ global: {problem.name}; {TRACE_SYMBOL}; local: *; }};\n")
    wraps = [f"--wrap={name}" for name in imports if name in WRAPPERS]
    confined = Confined(toolchain, built, folder, limits)
    confined.run([toolchain.assembler, *toolchain.assembler_flags, "counting.s", "-o", "counting.o"])
    command = [toolchain.linker, *LINK_FLAGS, "--version-script=counting.map", *wraps, "counting.o", str(built.trace)]
    confined.run([*command, "-o", "counting.so"])
    return folder / "counting.so", counters
