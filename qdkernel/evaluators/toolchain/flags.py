"""What the compiler's predefined macros show of a run's flags before anything is compiled with them."""

from __future__ import annotations

import platform
import re
import subprocess
from collections.abc import Sequence

from qdkernel.errors import ToolchainError
from qdkernel.evaluators.toolchain.toolchain import Toolchain

# Macros of instruction sets; each is defined where code may use it (GCC manual, "x86 Options").
_INSTRUCTION_SET = re.compile(
    r"__(?:MMX|3dNOW(?:_A)?|SSE\w*|SSSE3|SSE4A|AVX\w*|FMA4?|XOP|LWP|TBM|F16C|BMI2?|LZCNT|ABM|POPCNT|ADX|AES|V?PCLMUL\w*|"
    r"VAES|GFNI|SHA\d*|SM[34]|MOVBE|RDRND|RDSEED|AMX_\w+|CLWB|MOVDIRI|MOVDIR64B|HRESET|KL|WIDEKL|USER_MSR|APX_F)__"
)
_NATIVE = "-march=native"


def check_flags(toolchain: Toolchain) -> None:
    """Checks that the compiler is a GCC, takes the run's flags, and makes OpenMP code for this CPU with them.

    Raises:
        ToolchainError: it does not; the message names the flag, or ``compiler.command``.
    """
    _check_target(toolchain)
    own = _macros(toolchain, toolchain.flags)
    if isinstance(own, str):
        culprits = [flag for flag in toolchain.flags if isinstance(_macros(toolchain, [flag]), str)]
        named = ", ".join(culprits) or " ".join(toolchain.flags)
        raise ToolchainError(f"compiler.flags: {toolchain.command} does not take {named}: {own}; remove or correct it")
    if "__clang__" in own or "__GNUC__" not in own:
        raise ToolchainError(
            f"compiler.command: expected GCC, got {toolchain.version} ({toolchain.command}); what kernels do is read "
            "from GCC's code and its OpenMP calls: write gcc"
        )
    if "_OPENMP" not in own:
        raise ToolchainError(
            f"compiler.flags: expected -fopenmp among {' '.join(toolchain.flags) or 'no flags'}; without it no kernel "
            "has threads: add it"
        )
    native = _macros(toolchain, [_NATIVE])
    lacking = _instruction_sets(own) - _instruction_sets(native) if not isinstance(native, str) else frozenset()
    if lacking:
        raise ToolchainError(
            f"compiler.flags: {_culprit(toolchain, lacking)} makes code for another CPU: this one lacks "
            f"{', '.join(sorted(name.strip('_') for name in lacking))}; write {_NATIVE}"
        )


def _check_target(toolchain: Toolchain) -> None:
    """Refuses a compiler for another processor."""
    if toolchain.processor != platform.machine():
        raise ToolchainError(
            f"compiler.command: {toolchain.command} makes code for {toolchain.processor}, and this machine is "
            f"{platform.machine()}: an emulator could run its kernels, but its times say nothing about a real machine, "
            f"so nothing is timed; run on {toolchain.processor}, or write this machine's own compiler"
        )


def _culprit(toolchain: Toolchain, lacking: frozenset[str]) -> str:
    """The flags each of which brings some of the instruction sets by itself."""
    found = []
    for flag in toolchain.flags:
        alone = _macros(toolchain, [flag]) if flag.startswith("-m") else frozenset()
        if not isinstance(alone, str) and lacking & _instruction_sets(alone):
            found.append(flag)
    return ", ".join(found) or " ".join(toolchain.flags)


def _instruction_sets(macros: frozenset[str]) -> frozenset[str]:
    return frozenset(name for name in macros if _INSTRUCTION_SET.fullmatch(name))


def _macros(toolchain: Toolchain, flags: Sequence[str]) -> frozenset[str] | str:
    """The names of the predefined macros; the first line of the compiler's complaint where it has one."""
    command = [toolchain.command, *flags, "-dM", "-E", "-x", "c", "/dev/null"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=20, check=False)
    except (OSError, subprocess.SubprocessError) as error:
        return str(error)
    if done.returncode != 0:
        return next((line for line in done.stderr.splitlines() if "error" in line), done.stderr.strip()[:200])
    return frozenset(
        line.split()[1].partition("(")[0] for line in done.stdout.splitlines() if line.startswith("#define ")
    )
