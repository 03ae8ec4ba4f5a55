"""Compiling one kernel: alone in its translation unit, by a compiler that is itself contained."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import select
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from qdkernel.core import Signature, prototype_header
from qdkernel.evaluators.toolchain.native import Built
from qdkernel.evaluators.toolchain.toolchain import LINK_FLAGS, UNOPTIMISED_FLAGS, Toolchain
from qdkernel.machine import give_way

_DIAGNOSTIC_LIMIT = 4096  # characters of compiler text kept: enough for five errors, small in a prompt
_ASSEMBLY_S = 5.0  # 0.02 to 0.04 s is usual; a kernel that takes longer than this just has no assembly hash
_ASSEMBLY_MB = 4  # 2 to 15 kB is usual
_PREPROCESS_S = 5.0  # 0.02 to 0.1 s is usual; text that takes longer is judged as it stands
_PREPROCESS_MB = 4  # the longest kernels expand to a tenth of it
_INTRINSICS = re.compile(r"""^[ \t]*+#[ \t]*+include[ \t]*+[<"](?:immintrin|x86intrin|arm_neon)\.h[>"]""", re.MULTILINE)

AGENT_RIGHTS, NETWORK_RIGHTS = 1, 2
"""Bits of ``enum rights`` in native/confine.c: folders and programs of its own; TCP connections."""
_LOOK_S = 5e-3  # between two looks for a benchmark that waits; each takes 20 us
_FILES = 64  # open at once; the compiler has a dozen

ASSEMBLY = "optimised.s"
"""The file of a compilation that holds the assembly at the run's flags."""


class CompileError(Exception):
    """The compiler or linker rejected the kernel, or ran out of memory or processor time; carries their words."""


class CompileLate(Exception):
    """The compiler did not finish by the deadline."""


@dataclass(frozen=True)
class CompileLimits:
    """What compiling one kernel may cost.

    Attributes:
        wall_s: deadline.
        memory_mb: address space of each compiler process.
        file_mb: largest file it may write.
    """

    wall_s: float = 20.0
    memory_mb: int = 2048
    file_mb: int = 64


def compile_kernel(
    source: str, problem: Signature, toolchain: Toolchain, built: Built, folder: Path, limits: CompileLimits
) -> Path:
    """The shared object made from a kernel's source; it exports the problem's function and nothing else.

    The problem's prototype is included by force, so a kernel with another signature does not compile.

    Args:
        source: C text.
        problem: whose function it defines.
        toolchain: compiler and flags.
        built: the confinement and the precompiled header.
        folder: an empty folder of its own; the only place the compiler may write.
        limits: deadline and memory.

    Raises:
        CompileError: rejected, or out of memory or processor time.
        CompileLate: the deadline passed.
    """
    (folder / "kernel.c").write_text(source, encoding="utf-8")
    _write_prototype(problem, folder)
    (folder / "export.map").write_text(f"{{ global: {problem.name}; local: *; }};\n")
    flags = _flags(source, toolchain, built.intrinsics)
    confined = Confined(toolchain, built, folder, limits)
    # Always the same file name: the object does not depend on where it was compiled.
    confined.gcc([*flags, "-S", "kernel.c", "-o", ASSEMBLY])
    confined.run([toolchain.assembler, *toolchain.assembler_flags, ASSEMBLY, "-o", "kernel.o"])
    return _linked(confined, "kernel")


def compile_instrumented(
    folder: Path, source: str, toolchain: Toolchain, built: Built, limits: CompileLimits, further_flags: Sequence[str]
) -> Path:
    """The shared object of a kernel with instrumentation that calls a run-time library; for no policy and no timing.

    Args:
        folder: where ``compile_kernel`` compiled this source.
        source: C text.
        toolchain: compiler and flags.
        built: the confinement and the precompiled header.
        limits: deadline and memory.
        further_flags: that instrument the code, e.g. ``-fsanitize=thread``.

    Raises:
        CompileError: rejected, or out of memory or processor time.
        CompileLate: the deadline passed.
    """
    flags = _flags(source, toolchain, built.intrinsics, further_flags)
    confined = Confined(toolchain, built, folder, limits)
    confined.gcc([*flags, "-c", "kernel.c", "-o", "instrumented.o"])
    return _linked(confined, "instrumented")


def preprocess(
    source: str, name: str, problem: Signature, toolchain: Toolchain, built: Built, folder: Path, limits: CompileLimits
) -> str | None:
    """The preprocessor's output, with line markers, for the flags of the run; ``None`` when there is none.

    There is none after an error, which the compiler will report, at the deadline, and where the output gets too long.

    Args:
        source: C text.
        name: of the file it is preprocessed from, as line markers show it.
        problem: whose function it defines.
        toolchain: compiler and flags.
        built: the confinement and the precompiled header.
        folder: a folder of its own; the only place the compiler may write.
        limits: as for compiling; here the deadline is at most 5 s and the output at most 4 MB.
    """
    (folder / name).write_text(source, encoding="utf-8")
    _write_prototype(problem, folder)
    flags = [*_flags(source, toolchain, built.intrinsics), "-fpch-preprocess"]
    limits = replace(limits, wall_s=min(limits.wall_s, _PREPROCESS_S), file_mb=min(limits.file_mb, _PREPROCESS_MB))
    try:
        Confined(toolchain, built, folder, limits).gcc([*flags, "-E", name, "-o", "kernel.i"])
        return (folder / "kernel.i").read_text(encoding="utf-8", errors="replace")
    except (CompileError, CompileLate):
        return None


def _write_prototype(problem: Signature, folder: Path) -> None:
    (folder / "prototype.h").write_text(prototype_header(problem))


def assembly_hash(source: str, toolchain: Toolchain, built: Built, folder: Path, limits: CompileLimits) -> str | None:
    """SHA-256 of the assembly of a kernel at ``-O0``; ``None`` when it cannot be had, e.g. after the deadline.

    Kernels that differ in spacing, comments, or names of variables, types and macros have the same assembly; names
    of functions and of static objects are in it. Of GCC's output only the ``.file`` directive is left out. Nothing
    else is normalised, nor needs to be: labels are numbered by the code alone, whatever headers are included and
    however the file is called.

    Args:
        source: C text.
        toolchain: compiler and flags.
        built: the confinement and the precompiled header.
        folder: where ``compile_kernel`` compiled this source at the run's flags.
        limits: of that compilation; here the deadline is at most 5 s and the assembly at most 4 MB.
    """
    flags = _flags(source, toolchain, built.unoptimised_intrinsics, UNOPTIMISED_FLAGS)
    limits = replace(limits, wall_s=min(limits.wall_s, _ASSEMBLY_S), file_mb=min(limits.file_mb, _ASSEMBLY_MB))
    try:
        Confined(toolchain, built, folder, limits).gcc([*flags, "-S", "kernel.c", "-o", "kernel.s"])
    except (CompileError, CompileLate):
        # E.g. an intrinsic whose constant operand is known only after inlining, or code for ``__OPTIMIZE__`` alone.
        return None
    digest = hashlib.sha256()
    with (folder / "kernel.s").open("rb") as lines:
        for line in lines:
            if not line.startswith(b"\t.file\t"):
                digest.update(line)
    return digest.hexdigest()


def _flags(source: str, toolchain: Toolchain, intrinsics: Path | None, further: Sequence[str] = ()) -> list[str]:
    """Flags of a kernel, ``further`` ones last, and the headers that it is compiled with.

    These are the prototype, and before it the precompiled header where the source includes intrinsics.
    """
    precompiled = ["-include", str(intrinsics)] if intrinsics and _INTRINSICS.search(source) else []
    return [*toolchain.flags, *toolchain.code_flags, *further, *precompiled, "-include", "prototype.h"]


def _linked(confined: Confined, name: str) -> Path:
    """The shared object made from an object file; it exports the problem's function only."""
    link = [confined.toolchain.linker, *LINK_FLAGS, "--version-script=export.map"]
    confined.run([*link, f"{name}.o", "-o", f"{name}.so"])
    return confined.folder / f"{name}.so"


@dataclass(frozen=True)
class Confined:
    """The compiler or one of its tools as it runs on a kernel: in its folder, under ``native/confine.c`` and limits."""

    toolchain: Toolchain
    built: Built
    folder: Path
    limits: CompileLimits

    def gcc(self, arguments: Sequence[str]) -> None:
        """Runs the compiler's driver; as ``run``.

        Its passes end when it does: one that is stopped would remain after a ``kill -9`` of this process.
        """
        self.run([self.toolchain.command, "-wrapper", f"{self.built.confine},--with-parent", *arguments])

    def run(self, command: Sequence[str]) -> None:
        """Runs a command; its standard error goes to a file of limited size.

        Raises:
            CompileError: it failed.
            CompileLate: the deadline passed.
        """
        readable = list(self.toolchain.readable)
        own = (self.built.confine, self.built.intrinsics, self.built.unoptimised_intrinsics, self.built.trace)
        readable += [str(file.parent) for file in own if file]
        limits = self.limits
        confined = confined_command(
            self.built,
            cpu_s=int(self.limits.wall_s) + 1,
            memory_mb=limits.memory_mb,
            file_mb=limits.file_mb,
            files=_FILES,
            rights=0,
            folder=self.folder,
            readable=readable,
            command=command,
        )
        words = self.folder / "words.txt"
        with words.open("wb") as errors:
            process = subprocess.Popen(
                confined,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                cwd=self.folder,
                env={"PATH": self.toolchain.search_path, "TMPDIR": str(self.folder), "LC_ALL": "C"},
                start_new_session=True,
            )
        try:
            in_time = _ends_within(process.pid, limits.wall_s)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # the driver's helpers too
            status = process.wait()
        if not in_time:
            raise CompileLate(f"the compiler was not done after {limits.wall_s:g} s")
        if status != 0:
            raise CompileError(_diagnostic(words, status))


def confined_command(
    built: Built,
    *,
    cpu_s: int,
    memory_mb: int,
    file_mb: int,
    files: int,
    rights: int,
    folder: Path,
    readable: Sequence[str],
    command: Sequence[str],
) -> list[str]:
    """A command under ``native/confine.c``, to be started by this process.

    Args:
        built: the confinement.
        cpu_s: processor seconds of each process.
        memory_mb: address space of each process, MiB.
        file_mb: largest file.
        files: open at once.
        rights: ``AGENT_RIGHTS`` and ``NETWORK_RIGHTS``, beyond those of a compiler.
        folder: the only place where it may write.
        readable: what it may read and run beside that; what does not exist is passed over.
        command: the program's absolute path and its arguments.
    """
    limits = [cpu_s, memory_mb, file_mb, files, rights]
    return [str(built.confine), *map(str, limits), str(folder), str(os.getpid()), *readable, "--", *command]


def _ends_within(pid: int, seconds: float) -> bool:
    """Whether the process that leads a group ends in time, without the time for which it is stopped.

    The group is stopped while a benchmark has the cores: the benchmark would wait for it, and one core would idle.
    """
    fd, deadline_s = os.pidfd_open(pid), time.monotonic() + seconds
    try:
        waiting = select.poll()
        waiting.register(fd, select.POLLIN)
        while not waiting.poll(1e3 * _LOOK_S):
            if time.monotonic() > deadline_s:
                return False
            deadline_s += give_way(partial(os.killpg, pid, signal.SIGSTOP), partial(os.killpg, pid, signal.SIGCONT))
        return True
    finally:
        os.close(fd)


def _diagnostic(words: Path, status: int) -> str:
    with words.open("rb") as file:
        text = file.read(_DIAGNOSTIC_LIMIT + 1).decode("utf-8", "replace")
    if len(text) > _DIAGNOSTIC_LIMIT:
        text = text[:_DIAGNOSTIC_LIMIT].rsplit("\n", 1)[0] + "\n[...]"
    if not text.strip():
        how = f"was killed by {signal.Signals(-status).name}" if status < 0 else f"left with status {status}"
        text = f"the compiler {how} (it may have run out of memory or processor time)"
    return _without_instruction_set(text) or text.strip()


_LACKING = re.compile(
    r"inlining failed in call to 'always_inline' '(?P<name>\w+)'.*: target specific option mismatch|"
    r"needs isa option (?P<flag>-m[\w.-]+)"
)
_CALLED_FROM = re.compile(r"^kernel\.c:(\d+):\d+: note: called from here", re.MULTILINE)


def _without_instruction_set(text: str) -> str | None:
    """One line for intrinsics of an instruction set that the flags leave out, instead of GCC's notes on inlining.

    ``None`` when anything else is wrong as well.
    """
    errors = [line for line in text.splitlines() if " error: " in line]
    lacking = [match for line in errors if (match := _LACKING.search(line))]
    if not lacking or len(lacking) < len(errors):
        return None
    what = lacking[0]["name"] or lacking[0]["flag"]
    place = _CALLED_FROM.search(text)
    where = f"line {place[1]}: " if place else ""
    lack = "512-bit vectors, which" if "512" in what else "an instruction set that"
    return (
        f"error: {where}{what} needs {lack} this machine lacks or the run leaves out; use narrower vectors, or guard "
        "it with #ifdef, e.g. __AVX512F__"
    )
