"""The compiler, and the project's own C built with it once per machine."""

from __future__ import annotations

import functools
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from qdkernel.core import Problem, trampoline
from qdkernel.errors import ToolchainError
from qdkernel.evaluators.toolchain.cache import cache_dir

NATIVE = Path(__file__).parents[1] / "native"

# What every kernel is compiled with beside the run's flags, and why:
CODE_FLAGS = (
    "-fPIC",
    "-fno-plt",  # calls go through relocated slots that the disassembly can name
    "-fno-ident",  # no compiler version in the object: equal code hashes equal
    "-fno-asynchronous-unwind-tables",
    "-fno-stack-protector",
    "-ffunction-sections",  # lets the linker drop what nobody calls
    "-fdata-sections",
    "-fmax-errors=5",
    "-fdiagnostics-color=never",
    "-w",  # warnings are advice; a model or a person gets errors
)
# After the run's flags these make the assembly by which published work groups generated code (Hayashi et al. 2026,
# arXiv 2604.17182): what the compiler reads, before it improves anything; no debug lines, comments or bytecode in it.
UNOPTIMISED_FLAGS = ("-O0", "-g0", "-fno-verbose-asm", "-fno-lto")
LINK_FLAGS = ("-shared", "--gc-sections", "-z", "noexecstack", "-z", "relro", "-z", "now")

_OWN_FLAGS = ("-std=gnu11", "-O2")  # of the project's own C

# A precompiled header saves about 125 ms of every kernel that uses intrinsics.
INTRINSICS_HEADER = "#include <immintrin.h>\n#include <math.h>\n#include <omp.h>\n#include <stddef.h>\n" + (
    "#include <stdint.h>\n#include <stdlib.h>\n#include <string.h>\n"
)


@dataclass(frozen=True)
class Toolchain:
    """A compiler with the flags of a run.

    Attributes:
        command: absolute path of the compiler driver.
        linker: absolute path of ``ld``.
        version: first line of ``--version``.
        flags: the run's optimisation flags, e.g. ``("-O3", "-march=native", "-fopenmp")``.
    """

    command: str
    linker: str
    version: str
    flags: tuple[str, ...]

    @property
    def search_path(self) -> str:
        """``PATH`` for the compiler's own helpers."""
        return os.pathsep.join(dict.fromkeys([str(Path(self.command).parent), "/usr/bin", "/bin"]))

    @property
    def readable(self) -> tuple[str, ...]:
        """What the contained compiler may read: itself, its headers and libraries."""
        prefix = str(Path(self.command).resolve().parent.parent)
        system = ["/usr", "/lib", "/lib64", "/bin", "/etc/ld.so.cache", "/etc/alternatives"]
        return tuple(dict.fromkeys([*system, prefix] if prefix != "/" else system))


@functools.cache
def find_toolchain(command: str, flags: tuple[str, ...]) -> Toolchain:
    """The compiler called ``command``.

    Raises:
        ToolchainError: it, or its linker, is not there or does not run.
    """
    path = shutil.which(command)
    if path is None:
        raise ToolchainError(
            f"no compiler {command!r} on PATH; install one (Debian: apt install gcc libc6-dev) "
            "or name another with compiler.command"
        )
    version = _ask(path, "--version").splitlines()[0]
    linker = shutil.which(_ask(path, "-print-prog-name=ld").strip())
    if linker is None:
        raise ToolchainError(f"{path} has no linker; install binutils (Debian: apt install binutils)")
    return Toolchain(path, linker, version, flags)


def _ask(path: str, option: str) -> str:
    try:
        done = subprocess.run([path, option], capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        raise ToolchainError(f"{path} {option} failed ({error}); is it a working C compiler?") from error
    return done.stdout


@dataclass(frozen=True)
class Built:
    """The project's own C, built for one problem.

    Attributes:
        runner: the contained child of a kernel.
        confine: runs the compiler confined.
        supervisor: the parent's native half.
        intrinsics: the precompiled header at the run's flags; ``None`` where there is none.
        unoptimised_intrinsics: the same header for ``UNOPTIMISED_FLAGS``: one made at ``-O3`` does not load at ``-O0``.
    """

    runner: Path
    confine: Path
    supervisor: Path
    intrinsics: Path | None
    unoptimised_intrinsics: Path | None


def build_native(toolchain: Toolchain, problem: Problem) -> Built:
    """Runner, confinement, supervisor and precompiled headers, from the cache or built now (about 2.5 s).

    Raises:
        ToolchainError: the compiler rejects the project's own C; the message holds its words.
    """
    return Built(
        runner=_build(
            toolchain,
            "runner",
            ["runner.c", *_OWN_FLAGS, "-Wl,--no-as-needed,-z,relro,-z,now", "-fopenmp", "-ldl", "-lm"],
            {"call.h": trampoline(problem)},
        ),
        confine=_build(toolchain, "confine", ["confine.c", *_OWN_FLAGS]),
        supervisor=_build(toolchain, "supervisor.so", ["supervisor.c", *_OWN_FLAGS, "-fPIC", "-shared"]),
        intrinsics=_build_intrinsics(toolchain, CODE_FLAGS),
        unoptimised_intrinsics=_build_intrinsics(toolchain, (*CODE_FLAGS, *UNOPTIMISED_FLAGS)),
    )


def build_library_adapter(toolchain: Toolchain, source: Path, library: Path, symbol: str) -> Path:
    """A shared object that defines the problem's function by calling ``symbol`` of ``library``.

    Raises:
        ToolchainError: the library is not there, or lacks the symbol.
    """
    arguments = [str(source), *_OWN_FLAGS, "-fPIC", "-shared", f"-DQD_SYMBOL={symbol}", "-Wl,-z,defs", str(library)]
    arguments += [f"-Wl,-rpath,{library.parent}"]
    return _build(toolchain, "baseline.so", arguments)


def _build_intrinsics(toolchain: Toolchain, further_flags: Sequence[str]) -> Path | None:
    """The precompiled header's plain name (the ``.gch`` lies beside it); ``None`` where there is no such header.

    Its flags are those of kernels and none more, be it a language standard: when they differ, GCC reads the plain
    header and says nothing.
    """
    if platform.machine() not in ("x86_64", "AMD64"):
        return None
    compiled = _build(
        toolchain,
        "intrinsics.h.gch",
        [*toolchain.flags, *further_flags, "-x", "c-header", "intrinsics.h"],
        {"intrinsics.h": INTRINSICS_HEADER},
    )
    header = compiled.with_suffix("")
    if not header.exists():
        header.write_text(INTRINSICS_HEADER)
    return header


def _build(toolchain: Toolchain, name: str, arguments: Sequence[str], generated: dict[str, str] | None = None) -> Path:
    """Builds ``name`` into the cache, under a hash of everything it is made from; atomic, so runs may race."""
    ingredients = hashlib.sha256()
    for part in [toolchain.command, toolchain.version, platform.node(), *arguments]:
        ingredients.update(part.encode() + b"\0")
    for text in (generated or {}).values():
        ingredients.update(text.encode())
    for source in sorted([*NATIVE.glob("*.[ch]"), *(Path(a) for a in arguments if a.endswith(".c") and "/" in a)]):
        ingredients.update(source.read_bytes())
    target = cache_dir() / f"native-{ingredients.hexdigest()[:20]}" / name
    if target.exists():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        for file, text in (generated or {}).items():
            (Path(folder) / file).write_text(text)
        sources = [str(NATIVE / a) if (NATIVE / a).exists() else a for a in arguments]
        made = Path(folder) / name
        command = [toolchain.command, "-I", folder, "-I", str(NATIVE), *sources, "-o", str(made)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=folder, check=False)
        if done.returncode != 0:
            raise ToolchainError(f"{' '.join(command)} failed:\n{done.stderr[:4000]}")
        made.replace(target)
    return target
