"""The project's own C, built once per machine into the cache."""

from __future__ import annotations

import hashlib
import platform
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from qdkernel.core import Signature, trampoline
from qdkernel.errors import ToolchainError
from qdkernel.evaluators.toolchain.cache import cache_dir
from qdkernel.evaluators.toolchain.runtime_calls import wrappers_header
from qdkernel.evaluators.toolchain.toolchain import UNOPTIMISED_FLAGS, Toolchain

NATIVE = Path(__file__).parents[1] / "native"

OWN_FLAGS = ("-std=gnu11", "-O2")  # of the project's own C

# No thread-local storage that is allocated on first use: counters must not call anything. Sections: unused wrappers go.
_TRACE_FLAGS = ("-c", "-fPIC", "-ftls-model=initial-exec", "-ffunction-sections", "-fno-stack-protector")

# A precompiled header saves about 125 ms of every kernel that uses intrinsics.
_INTRINSICS = {"x86_64": "immintrin.h", "aarch64": "arm_neon.h"}
_OTHER_HEADERS = "".join(f"#include <{name}.h>\n" for name in ("math", "omp", "stddef", "stdint", "stdlib", "string"))


@dataclass(frozen=True)
class Built:
    """The project's own C, built for one problem.

    Attributes:
        runner: the contained child of a kernel.
        confine: runs the compiler confined.
        trace: object file that is linked into copies of kernels that count (see ``compile_counting``).
        intrinsics: the precompiled header at the run's flags; ``None`` where there is none.
        unoptimised_intrinsics: the same header for ``UNOPTIMISED_FLAGS``: one made at ``-O3`` does not load at ``-O0``.
    """

    runner: Path
    confine: Path
    trace: Path
    intrinsics: Path | None
    unoptimised_intrinsics: Path | None


def build_native(toolchain: Toolchain, problem: Signature) -> Built:
    """Runner, confinement and precompiled headers, from the cache or built now (about 2.5 s).

    Raises:
        ToolchainError: the compiler rejects the project's own C; the message holds its diagnostics.
    """
    return Built(
        runner=build_cached(
            toolchain,
            "runner",
            ["runner.c", *OWN_FLAGS, "-Wl,--no-as-needed,-z,relro,-z,now", "-fopenmp", "-ldl", "-lm"],
            {"call.h": trampoline(problem)},
        ),
        confine=build_cached(toolchain, "confine", ["confine.c", *OWN_FLAGS]),
        trace=build_trace(toolchain),
        intrinsics=_build_intrinsics(toolchain, toolchain.code_flags),
        unoptimised_intrinsics=_build_intrinsics(toolchain, (*toolchain.code_flags, *UNOPTIMISED_FLAGS)),
    )


def build_trace(toolchain: Toolchain) -> Path:
    """The object file that counts what a kernel asks of the runtime; see ``Built.trace``."""
    arguments = ["trace.c", *OWN_FLAGS, *_TRACE_FLAGS, *toolchain.processor_flags]
    return build_cached(toolchain, "trace.o", arguments, {"wrappers.h": wrappers_header()})


def build_library_adapter(toolchain: Toolchain, source: str, library: Path, symbol: str) -> Path:
    """A shared object made from C text that defines the problem's function by calling ``symbol`` of ``library``.

    Raises:
        ToolchainError: the library is not there, or lacks the symbol.
    """
    arguments = ["adapter.c", *OWN_FLAGS, "-fPIC", "-shared", f"-DQD_SYMBOL={symbol}", "-Wl,-z,defs", str(library)]
    arguments += [f"-Wl,-rpath,{library.parent}"]
    return build_cached(toolchain, "baseline.so", arguments, {"adapter.c": source})


def _build_intrinsics(toolchain: Toolchain, further_flags: Sequence[str]) -> Path | None:
    """The precompiled header's plain name (the ``.gch`` is in the same folder); ``None`` where there is no such header.

    Its flags are exactly those of kernels, the language standard included: if they differ, GCC silently reads the
    plain header.
    """
    if toolchain.processor not in _INTRINSICS:
        return None
    text = f"#include <{_INTRINSICS[toolchain.processor]}>\n{_OTHER_HEADERS}"
    compiled = build_cached(
        toolchain,
        "intrinsics.h.gch",
        [*toolchain.flags, *further_flags, "-x", "c-header", "intrinsics.h"],
        {"intrinsics.h": text},
    )
    header = compiled.with_suffix("")
    if not header.exists():
        header.write_text(text)
    return header


def build_cached(
    toolchain: Toolchain, name: str, arguments: Sequence[str], generated: dict[str, str] | None = None
) -> Path:
    """Builds ``name`` into the cache, under a hash of all its inputs; atomic, so several runs may build it at once."""
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
