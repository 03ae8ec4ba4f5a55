"""GCC's remarks on loops that it did not vectorize, and the kernel's object with the lines of its source.

Remarks that are precise and located help a model, vague ones do harm; so the kinds that name a cause are kept only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from qdkernel.evaluators.toolchain.compiler import CompileLimits, compile_instrumented
from qdkernel.evaluators.toolchain.native import Built
from qdkernel.evaluators.toolchain.toolchain import Toolchain

_REMARKS = "remarks.txt"
_FLAGS = ("-g1", f"-fopt-info-vec-missed={_REMARKS}")
_FILE_MB = 16  # 1 MB is usual
_REMARK = re.compile(r"^kernel\.c:(\d+):\d+: missed:\s+(.*)$", re.MULTILINE)
_CAUSE = re.compile(
    r"not vectorized: (?!multiple nested loops|unsupported (?:data-type|outerloop form)|no (?:vectype|grouped))"
    r"|.*unsafe fp math optimization|.*will not create.*alias|.*versioning for alias required"
)
_LONGEST = 160


@dataclass(frozen=True)
class Remark:
    """Why a loop was not vectorized: a line of the source, from 1, and GCC's words."""

    line: int
    text: str


def compile_with_remarks(
    folder: Path, source: str, toolchain: Toolchain, built: Built, limits: CompileLimits
) -> tuple[Path, tuple[Remark, ...]]:
    """The object of a kernel with line numbers, its code otherwise the same, and GCC's remarks that name a cause.

    Args:
        folder: where ``compile_kernel`` compiled this source.
        source: C text.
        toolchain: compiler and flags.
        built: the confinement and the precompiled header.
        limits: deadline and memory.

    Raises:
        CompileError: rejected, or out of memory or processor time.
        CompileLate: the deadline passed.
    """
    limits = replace(limits, file_mb=min(limits.file_mb, _FILE_MB))
    made = compile_instrumented(folder, source, toolchain, built, limits, _FLAGS)
    try:
        text = (folder / _REMARKS).read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:  # nothing was missed
        text = ""
    return made, tuple(dict.fromkeys(read_remarks(text)))


def read_remarks(text: str) -> Iterator[Remark]:
    """The remarks of a text that name a cause, in its order."""
    for line, words in _REMARK.findall(text):
        if _CAUSE.match(words):
            yield Remark(int(line), words.strip()[:_LONGEST])
