"""What one core does in a cycle, measured once and cached: for prompts, and to turn cycles into time."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import subprocess
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qdkernel.errors import ToolchainError
from qdkernel.evaluators.toolchain import NATIVE, Toolchain, build_cached, cache_dir, read_kept, write_kept
from qdkernel.machine import Machine, fingerprint

_SOURCE = NATIVE / "core_facts.c"
_FLAGS = ("-std=gnu11", "-O2", "-march=native")
_WINDOWS = 12  # of 2 ms each and three kinds; the best of them reads within 1 % on a quiet core
_TIMEOUT_S = 20.0


@dataclass(frozen=True)
class CoreFacts:
    """One core alone.

    Attributes:
        clock_ghz: cycles per nanosecond under load.
        vector_bits: width of the loads and stores that follow, the widest of the machine's level.
        loads: of such vectors per cycle from the first-level cache.
        stores: the same into it.
        tlb_entries: pages of 4 KiB that the data TLBs of the first and second level hold; 0 where not reported.
    """

    clock_ghz: float
    vector_bits: int
    loads: float
    stores: float
    tlb_entries: tuple[int, int]


def load_or_measure_core(
    machine: Machine, toolchain: Toolchain, *, exclusive: AbstractContextManager[object] | None = None
) -> CoreFacts | None:
    """The facts, from the cache or measured now (0.1 s) and cached; ``None`` where they cannot be had.

    Args:
        machine: whose core; a changed machine or compiler is measured anew.
        toolchain: the compiler.
        exclusive: held while measuring, so that nothing else computes on the cores.
    """
    method = hashlib.sha256(_SOURCE.read_bytes() + str(_WINDOWS).encode()).hexdigest()[:16]
    file = cache_dir() / fingerprint(machine, toolchain.version) / "core.json"
    with contextlib.suppress(ValueError):
        return _facts(read_kept(file, method))
    try:
        program = build_cached(toolchain, "core_facts", ["core_facts.c", *machine.compiler_flags(_FLAGS)])
        with exclusive or contextlib.nullcontext():
            found = _facts(_run(program))
    except (ToolchainError, OSError, subprocess.SubprocessError, ValueError):
        return None  # another architecture, or a program that may not run: prompts lack a line
    write_kept(file, method, dataclasses.asdict(found))
    return found


def _run(program: Path) -> Any:  # Any: JSON of our own program
    done = subprocess.run([str(program), str(_WINDOWS)], capture_output=True, text=True, timeout=_TIMEOUT_S, check=True)
    return json.loads(done.stdout)


def _facts(data: Any) -> CoreFacts:  # Any: JSON, checked here
    try:
        first, second = data["tlb_entries"]
        return CoreFacts(
            clock_ghz=float(data["clock_ghz"]),
            vector_bits=int(data["vector_bits"]),
            loads=float(data["loads"]),
            stores=float(data["stores"]),
            tlb_entries=(int(first), int(second)),
        )
    except (KeyError, TypeError) as error:
        raise ValueError("not the facts of a core") from error
