"""Kernels for aarch64: compiled by Debian's cross compiler as the evaluator compiles them, and run under qemu-user."""

from __future__ import annotations

import dataclasses
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from qdkernel.evaluators.behaviour import Observed, RuntimeFacts, helped_share, read_counts
from qdkernel.evaluators.binary import Disassembly, SharedObject, disassemble, read_shared_object, scalable_bits
from qdkernel.evaluators.toolchain import (
    FACTS_BYTES,
    TRACE_ROWS,
    Built,
    CompileLimits,
    Toolchain,
    build_cached,
    build_native,
    build_trace,
    compile_counting,
    compile_kernel,
    find_toolchain,
    static_tls,
    trace_bytes,
)
from qdkernel.problems import find_problem

COMPILER = "aarch64-linux-gnu-gcc"
NEON = ("-march=armv8.1-a",)
LIMITS = CompileLimits()
_LIBRARIES = ("-Wl,--no-as-needed", "-fopenmp", "-ldl", "-lm")  # that kernels call
needs_cross_compiler = pytest.mark.skipif(
    shutil.which(COMPILER) is None or shutil.which("qemu-aarch64") is None,
    reason="needs apt-get install gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user",
)


def sve(bits: int) -> tuple[str, ...]:
    """Flags for a machine whose scalable registers have this many bits."""
    return ("-march=armv8.2-a+sve", f"-msve-vector-bits={bits}")


@dataclass(frozen=True)
class CrossCompiled:
    """A dgemm for aarch64.

    Attributes:
        source: C text.
        folder: where it and its parts are.
        toolchain: the cross compiler, with its flags.
        shared_object: what it was compiled to.
        disassembly: of that.
    """

    source: str
    folder: Path
    toolchain: Toolchain
    shared_object: SharedObject
    disassembly: Disassembly

    @property
    def scalable_bits(self) -> int:
        return scalable_bits(self.toolchain.flags)


def cross_compiler(target: tuple[str, ...] = NEON) -> Toolchain:
    return find_toolchain(COMPILER, ("-O3", "-fopenmp", *target))


def _built(toolchain: Toolchain) -> Built:
    """The confinement of this machine, which the cross compiler runs in, and what is linked into counting copies."""
    own = build_native(find_toolchain("gcc", ("-O3", "-fopenmp")), find_problem("dgemm"))
    return dataclasses.replace(own, trace=build_trace(toolchain), intrinsics=None, unoptimised_intrinsics=None)


def cross_compile(source: str, folder: Path, target: tuple[str, ...] = NEON) -> CrossCompiled:
    toolchain = cross_compiler(target)
    path = compile_kernel(source, find_problem("dgemm"), toolchain, _built(toolchain), folder, LIMITS)
    shared_object = read_shared_object(path)
    disassembly = disassemble(shared_object, scalable_bits(toolchain.flags))
    return CrossCompiled(source, folder, toolchain, shared_object, disassembly)


def call(made: CrossCompiled, size: tuple[int, int, int]) -> None:
    """One call under qemu; the driver compares every element with the textbook's sum."""
    _emulate(made, made.folder / "kernel.so", size, 0)


def observe(made: CrossCompiled, size: tuple[int, int, int]) -> Observed:
    """What one call of the counting copy ran, by a team of two threads; its result is compared as well."""
    problem = find_problem("dgemm")
    imports = made.shared_object.imports
    path, counters = compile_counting(made.folder, imports, problem, made.toolchain, _built(made.toolchain), LIMITS)
    trace = np.frombuffer(_emulate(made, path, size, trace_bytes(counters)), np.uint8)
    names = [field.name for field in dataclasses.fields(RuntimeFacts)]
    facts = trace[: 8 * len(names)].view(np.uint64)
    rows = trace[FACTS_BYTES : FACTS_BYTES + 8 * TRACE_ROWS * counters].view(np.uint64).reshape(TRACE_ROWS, counters)
    counts = read_counts(rows, made.disassembly, disassemble(read_shared_object(path)))
    runtime = RuntimeFacts(**dict(zip(names, map(int, facts), strict=True)))
    m, n, k = size
    return Observed(
        counts, counts, runtime, 1.0, 1.0, 8 * (m * k + k * n + m * n), 8 * min(m * k, k * n), helped_share(rows)
    )


def _emulate(made: CrossCompiled, kernel: Path, size: tuple[int, int, int], traced_bytes: int) -> bytes:
    driver = build_cached(cross_compiler(), "driver", [str(Path(__file__).with_name("driver.c")), "-O2", *_LIBRARIES])
    command = ["qemu-aarch64", "-L", "/usr/aarch64-linux-gnu"]
    command += ["-cpu", f"max,sve-max-vq={made.scalable_bits // 128}", "-E", "OMP_NUM_THREADS=2"]
    if traced_bytes:  # As for every copy that counts. Not for qemu's own threads: their stacks of 256 KB have no room.
        command += ["-E", f"GLIBC_TUNABLES={static_tls(made.shared_object.thread_local_bytes)}"]
    command += [str(driver), str(kernel), *map(str, size), str(traced_bytes)]
    done = subprocess.run(command, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout
