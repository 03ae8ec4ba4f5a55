"""Where the race checker's parts are, the program that runs a kernel under it, and the kernel compiled for it.

Objects that GCC makes run on LLVM's OpenMP runtime, which exports GCC's entry points (GOMP_*). GCC's own runtime is not
known to ThreadSanitizer: its barriers and joins look like races.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from qdkernel.core import Signature, trampoline
from qdkernel.errors import ToolchainError
from qdkernel.evaluators.toolchain import (
    OWN_FLAGS,
    Built,
    CompileLimits,
    Toolchain,
    build_cached,
    compile_instrumented,
)

_ARCHER = "libarcher.so"
_OPENMP = "libomp.so.5"
_FOLDERS = ("/usr/lib/llvm-*/lib", "/usr/lib64", "/usr/lib64/llvm*/lib", "/usr/lib", "/usr/lib/x86_64-linux-gnu")
_HOW = "install LLVM's OpenMP runtime with Archer (Debian: apt install libomp-dev; Fedora: dnf install libomp-devel)"
_SANITIZE = ("-fsanitize=thread", "-g1")


@dataclass(frozen=True)
class RaceRuntime:
    """The two libraries.

    Attributes:
        openmp: LLVM's OpenMP runtime.
        archer: its tool that informs ThreadSanitizer of what the runtime orders.
    """

    openmp: Path
    archer: Path


def find_race_runtime(folders: Iterable[str] = _FOLDERS) -> RaceRuntime | None:
    """The newest of the runtimes in some folders, by default where distributions have them; ``None`` without one.

    Args:
        folders: absolute patterns of folders, as for a shell.
    """
    found = [
        RaceRuntime(folder / _OPENMP, folder / _ARCHER)
        for pattern in folders
        for folder in Path("/").glob(pattern.lstrip("/"))
        if (folder / _ARCHER).exists() and (folder / _OPENMP).exists()
    ]
    return max(found, key=lambda each: _version(each.archer), default=None)


def _version(path: Path) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", str(path.resolve().parent))))


@functools.cache
def lacking_race_runtime(toolchain: Toolchain) -> str | None:
    """Why kernels cannot be watched for races here and what to install; ``None`` when they can."""
    if find_race_runtime() is None:
        return f"no {_ARCHER} beside a {_OPENMP}; {_HOW}"
    try:
        build_cached(toolchain, "sanitized.so", ["-shared", "-fPIC", "-x", "c", "/dev/null", "-fsanitize=thread"])
    except ToolchainError:
        return f"{toolchain.command} has no ThreadSanitizer; install it (Debian: it comes with gcc, as libtsan)"
    return None


def build_race_runner(toolchain: Toolchain, problem: Signature, runtime: RaceRuntime) -> Path:
    """The program that runs a kernel of a problem under the sanitizer, from the cache or built now.

    Raises:
        ToolchainError: it cannot be built, e.g. without ThreadSanitizer.
    """
    arguments = ["race_runner.c", *OWN_FLAGS, *_SANITIZE, "-Wl,--no-as-needed", str(runtime.openmp), "-ldl", "-lm"]
    return build_cached(toolchain, "race_runner", arguments, {"call.h": trampoline(problem)})


def compile_watched(folder: Path, source: str, toolchain: Toolchain, built: Built, limits: CompileLimits) -> Path:
    """The shared object of a kernel that ``compile_kernel`` compiled in a folder, at the same flags, instrumented.

    Raises:
        CompileError: the compiler refuses it.
        CompileLate: the deadline passed.
    """
    return compile_instrumented(folder, source, toolchain, built, limits, _SANITIZE)
