"""How fast a loop can run at most by its ports and by its dependencies, from llvm-mca's model of the CPU.

llvm-mca (https://llvm.org/docs/CommandGuide/llvm-mca.html) assumes that all loads hit the first-level cache. What a
measured loop lacks to the bound is therefore waiting for memory, or code outside of the loop.
"""

from __future__ import annotations

import functools
import json
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qdkernel.evaluators.toolchain.compiler import CompileError, CompileLate, CompileLimits, Confined
from qdkernel.evaluators.toolchain.native import Built
from qdkernel.evaluators.toolchain.toolchain import Toolchain

_PROGRAMS = ("llvm-mca", *(f"llvm-mca-{version}" for version in range(22, 13, -1)))
_HOST_CPU = re.compile(r"^\s*Host CPU: ([\w.-]+)", re.MULTILINE)
_GENERIC = frozenset({"generic", "x86-64", "x86-64-v2", "x86-64-v3", "x86-64-v4"})  # models of no CPU
# Models by a word of the CPU's name, newest first; LLVM 14 to 22 know some of them.
_MODELS = {
    "AMD": ("znver5", "znver4", "znver3", "znver2"),
    "Intel": ("graniterapids", "sapphirerapids", "icelake-server", "cascadelake", "skylake-avx512", "skylake"),
}
_KNOWN_CPU = re.compile(r"^\s+([\w-]+)\s+- Select the ", re.MULTILINE)
_ITERATIONS = 100
_LONGEST_LOOP = 2000  # instructions; an unrolled tile has 300, and the tool's time grows with them
_LIMITS = CompileLimits(wall_s=5.0, memory_mb=1024, file_mb=8)


@dataclass(frozen=True)
class McaTool:
    """llvm-mca as it is called here.

    Attributes:
        command: the program.
        model: the CPU whose model it uses.
        own: whether that is this machine's CPU; otherwise it is the newest of its vendor that the program knows.
    """

    command: str
    model: str
    own: bool = True


@dataclass(frozen=True)
class LoopBound:
    """Cycles that an iteration takes at least.

    Attributes:
        model: the CPU whose model was used, in words.
        port_cycles: by the ports and the width of dispatch, if nothing depended on anything.
        cycles: in the steady state, dependencies included.
        busiest: name of the unit that is used longest.
    """

    model: str
    port_cycles: float
    cycles: float
    busiest: str


@functools.cache
def find_llvm_mca(cpu: str) -> McaTool | None:
    """llvm-mca with its model of this machine's CPU, or with the newest one that it has of the same vendor.

    Ports and widths change from one CPU to the next, so who reads the bound is told that the model is another CPU's.

    Args:
        cpu: the name of this machine's CPU.

    Returns:
        ``None`` where it is not installed, or knows no CPU of the vendor.
    """
    for command in filter(None, map(shutil.which, _PROGRAMS)):
        found = _HOST_CPU.search(_said(command, "--version"))
        if found and found[1] not in _GENERIC:
            return McaTool(command, found[1])
        known = set(_KNOWN_CPU.findall(_said(command, "-mtriple=x86_64", "-mcpu=help", "/dev/null")))
        models = next((models for vendor, models in _MODELS.items() if vendor in cpu), ())
        if newest := next((model for model in models if model in known), None):
            return McaTool(command, newest, own=False)
    return None


def _said(command: str, *arguments: str) -> str:
    """What the tool prints; it lists its CPUs as an error."""
    try:
        done = subprocess.run([command, *arguments], capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout + done.stderr


def loop_bound(
    iteration: Sequence[str], tool: McaTool, toolchain: Toolchain, built: Built, folder: Path
) -> LoopBound | None:
    """The bound of a loop; ``None`` when the model lacks one of its instructions, or the tool fails.

    Args:
        iteration: its instructions in Intel's syntax, inner loops left out.
        tool: llvm-mca.
        toolchain: the compiler, whose confinement the tool shares.
        built: the confinement.
        folder: the only place where the tool may write.
    """
    if not 0 < len(iteration) <= _LONGEST_LOOP:
        return None
    lines = list(_assembly(iteration))
    (folder / "loop.s").write_text("\n".join([".intel_syntax noprefix", "again:", *lines, ""]), encoding="utf-8")
    command = [tool.command, "-mtriple=x86_64", f"-mcpu={tool.model}", f"-iterations={_ITERATIONS}", "-json"]
    try:
        Confined(toolchain, built, folder, _LIMITS).run([*command, "loop.s", "-o", "loop.json"])
        model = tool.model if tool.own else f"{tool.model} (it has none of this CPU, which may be faster)"
        return _read(json.loads((folder / "loop.json").read_text(encoding="utf-8")), model, len(lines))
    except (CompileError, CompileLate, OSError, ValueError, KeyError, IndexError, TypeError):
        return None


def _assembly(iteration: Sequence[str]) -> Iterator[str]:
    """The instructions with a label in place of the addresses that jumps name; calls are left out, as is their cost."""
    for line in iteration:
        mnemonic = line.split(" ")[0]
        if mnemonic != "call":
            yield f"{mnemonic} again" if mnemonic.startswith("j") else line


def _read(found: Any, model: str, whole: int) -> LoopBound | None:  # Any: JSON of a tool
    region = found["CodeRegions"][0]
    if len(region["Instructions"]) != whole:  # it goes on without those that it cannot read
        return None
    summary = region["SummaryView"]
    pressure: dict[int, float] = {}
    for entry in region["ResourcePressureView"]["ResourcePressureInfo"]:
        if entry["InstructionIndex"] == whole:  # sums over the iteration
            pressure[entry["ResourceIndex"]] = float(entry["ResourceUsage"])
    names = found["TargetInfo"]["Resources"]
    busiest = max(pressure, key=lambda index: pressure[index], default=None)
    return LoopBound(
        model=model,
        port_cycles=float(summary["BlockRThroughput"]),
        cycles=summary["TotalCycles"] / summary["Iterations"],
        busiest="" if busiest is None else str(names[busiest]),
    )
