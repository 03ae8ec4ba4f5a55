"""The compiler of a run, and the flags that every kernel is compiled with."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from qdkernel.errors import ToolchainError

# Flags of every kernel in addition to the run's, on every processor:
_CODE_FLAGS = (
    "-fPIC",
    "-fno-ident",  # no compiler version in the object: equal code hashes equal
    "-fno-asynchronous-unwind-tables",
    "-fno-stack-protector",
    "-ffunction-sections",  # lets the linker drop unused functions
    "-fdata-sections",
    "-fmax-errors=5",
    "-fdiagnostics-color=never",
    "-w",  # models and people are shown errors only
)
_FLAGS_OF_PROCESSOR = {
    "x86_64": ("-fno-plt",),  # calls go through relocated slots that the disassembly can name
    # There calls go through stubs, which it names as well: without them GCC keeps the functions' addresses in registers
    # and on the stack. It follows no jump tables, and helpers that choose atomics while they are loaded are refused.
    "aarch64": ("-fno-jump-tables", "-mno-outline-atomics", "-mbranch-protection=none"),
}
_ASSEMBLER_FLAGS = {"x86_64": ("--64",)}
# After the run's flags these make the assembly by which published work groups generated code (Hayashi et al. 2026,
# arXiv 2604.17182): the assembly of the source before any optimization, without debug lines, comments or bytecode.
UNOPTIMISED_FLAGS = ("-O0", "-g0", "-fno-verbose-asm", "-fno-lto")
# Without -z noexecstack, so that an object which needs an executable stack is marked so and is refused.
LINK_FLAGS = ("-shared", "--gc-sections", "-z", "relro", "-z", "now")


@dataclass(frozen=True)
class Toolchain:
    """A compiler with the flags of a run.

    Attributes:
        command: absolute path of the compiler driver.
        assembler: absolute path of ``as``.
        linker: absolute path of ``ld``.
        version: first line of ``--version``.
        flags: the run's optimisation flags, e.g. ``("-O3", "-march=native", "-fopenmp")``.
        processor: that it makes code for, as ``platform.machine()`` names it.
    """

    command: str
    assembler: str
    linker: str
    version: str
    flags: tuple[str, ...]
    processor: str = "x86_64"

    @property
    def code_flags(self) -> tuple[str, ...]:
        """Flags of every kernel in addition to the run's."""
        return (*_CODE_FLAGS, *self.processor_flags)

    @property
    def processor_flags(self) -> tuple[str, ...]:
        """Those of them that only compilers for this processor take."""
        return _FLAGS_OF_PROCESSOR.get(self.processor, ())

    @property
    def assembler_flags(self) -> tuple[str, ...]:
        """Flags of the assembler."""
        return _ASSEMBLER_FLAGS.get(self.processor, ())

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
        ToolchainError: it, its assembler or its linker is not there or does not run.
    """
    path = shutil.which(command)
    if path is None:
        raise ToolchainError(
            f"no compiler {command!r} on PATH; install one (Debian: apt install gcc libc6-dev) "
            "or name another with compiler.command"
        )
    version = _ask(path, "--version").splitlines()[0]
    tools = {name: shutil.which(_ask(path, f"-print-prog-name={name}").strip()) for name in ("as", "ld")}
    assembler, linker = tools["as"], tools["ld"]
    if assembler is None or linker is None:
        lacking = " and no ".join(name for name, tool in tools.items() if tool is None)
        raise ToolchainError(f"{path} has no {lacking}; install binutils (Debian: apt install binutils)")
    processor = _ask(path, "-dumpmachine").partition("-")[0]
    return Toolchain(path, assembler, linker, version, flags, processor)


def _ask(path: str, option: str) -> str:
    try:
        done = subprocess.run([path, option], capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        raise ToolchainError(f"{path} {option} failed ({error}); is it a working C compiler?") from error
    return done.stdout
