"""What machine this is: CPU, instruction sets, caches, cores."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import os
import platform
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from qdkernel.machine.isa import choose_isa, features_of, flags_of

CPU_FOLDER = Path("/sys/devices/system/cpu")
CGROUP_FOLDER = Path("/sys/fs/cgroup")
SCALABLE_BYTES = Path("/proc/sys/abi/sve_default_vector_length")
UNKNOWN = "unknown"
_ARM = ("aarch64", "arm64")
_NEON_BITS = 128

# Heuristic: if neither /sys nor the C library has it, the usual size of an outermost cache in a server.
ASSUMED_LAST_LEVEL_BYTES = 32 << 20


@dataclass(frozen=True)
class Machine:
    """The facts that measurements depend on; plain JSON values only.

    Attributes:
        cpu: model name.
        arch: e.g. ``x86_64``.
        cores: CPUs this process may run on: its affinity mask, cut to its control group's quota; not the whole host.
        simd_widths: floating-point SIMD widths in bits, ascending, e.g. (128, 256, 512).
        caches: data-cache sizes in bytes by name: ``L1d``, ``L2``, ``L3`` (per instance); empty when unknown.
        hypervisor: whether the CPU reports that it is virtual.
        governor: frequency governor, or ``unknown``.
        kernel: operating-system release.
        last_level_instances: outermost caches that the CPUs of the affinity mask span, e.g. 2 for two sockets.
        isa: the instruction-set level that the machine is lowered to (see ``_isa``); ``None`` for all that it has.
        cache_ways: associativity of the caches by the same names; what is not reported is left out.
    """

    cpu: str
    arch: str
    cores: int
    simd_widths: tuple[int, ...]
    caches: Mapping[str, int]
    hypervisor: bool
    governor: str
    kernel: str
    last_level_instances: int = 1
    isa: str | None = None
    cache_ways: Mapping[str, int] = field(default_factory=dict)

    def compiler_flags(self, flags: Sequence[str]) -> tuple[str, ...]:
        """Flags of a compiler that stay within ``isa``, and fix the length of scalable vectors (SVE) to the machine's.

        With a fixed length GCC makes vectors of that many bits from its vector extensions; otherwise it uses NEON's.
        """
        widest = max(self.simd_widths, default=0)
        scalable = self.arch in _ARM and widest > _NEON_BITS
        fixed = any(flag.startswith("-msve-vector-bits=") for flag in flags)
        return (*flags_of(flags, self.isa), *((f"-msve-vector-bits={widest}",) if scalable and not fixed else ()))

    @property
    def last_level_bytes(self) -> int:
        """Size of one outermost cache; an assumed 32 MiB when the machine does not tell."""
        return max(self.caches.values(), default=ASSUMED_LAST_LEVEL_BYTES)


@dataclass(frozen=True)
class CpuInfo:
    """Facts from ``/proc/cpuinfo``.

    Attributes:
        model: a name for people.
        features: instruction-set flags.
        hypervisor: whether the ``hypervisor`` flag is set (x86 only).
    """

    model: str
    features: frozenset[str]
    hypervisor: bool


def this_machine(isa: str | None = None) -> Machine:
    """The machine this process runs on; never fails for missing ``/proc`` or ``/sys`` entries.

    Args:
        isa: the instruction-set level that the configuration asks for; ``QDKERNEL_ISA`` counts, too.

    Raises:
        ConfigError: a level that is none, or that this machine has not.
    """
    info = parse_cpuinfo(_text(Path("/proc/cpuinfo")) or "")
    cpus = sorted(os.sched_getaffinity(0))
    quota = cpu_quota(_text(Path("/proc/self/cgroup")) or "", CGROUP_FOLDER)
    cpu_folder = CPU_FOLDER / f"cpu{cpus[0]}"
    arch = platform.machine()
    isa = choose_isa(arch, info.features, os.environ, isa)
    return Machine(
        cpu=info.model,
        arch=arch,
        cores=usable_cores(len(cpus), quota),
        simd_widths=simd_widths(arch, features_of(info.features, isa), 8 * parse_size(_text(SCALABLE_BYTES) or "")),
        caches=read_caches(cpu_folder / "cache") or sysconf_caches(_sysconf),
        hypervisor=info.hypervisor,
        governor=(_text(cpu_folder / "cpufreq" / "scaling_governor") or UNKNOWN).strip(),
        kernel=platform.release(),
        last_level_instances=count_last_level_caches(CPU_FOLDER, cpus),
        isa=isa,
        cache_ways=read_cache_ways(cpu_folder / "cache") or sysconf_cache_ways(_sysconf),
    )


def fingerprint(machine: Machine, compiler_version: str) -> str:
    """16 hexadecimal digits that change with the machine or the compiler; names a folder of cached measurements."""
    facts = json.dumps([dataclasses.asdict(machine), compiler_version], sort_keys=True)
    return hashlib.sha256(facts.encode()).hexdigest()[:16]


def machine_class(machine: Machine, compiler_version: str, flags: Sequence[str], containment: int) -> str:
    """16 hexadecimal digits, equal for machines whose measurements compare.

    The release of the operating system is left out: nodes are updated one after the other.

    Args:
        machine: CPU, instruction sets, caches, cores, governor.
        compiler_version: as the compiler prints it.
        flags: of every kernel.
        containment: the layers in force around kernels, as bits.
    """
    facts = {**dataclasses.asdict(machine), "kernel": None}
    text = json.dumps([facts, compiler_version, list(flags), containment], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def parse_cpuinfo(text: str) -> CpuInfo:
    """The facts of the first CPU in the text of ``/proc/cpuinfo``, x86 or ARM layout."""
    fields: dict[str, str] = {}
    for line in text.splitlines():
        key, colon, value = line.partition(":")
        if colon:
            fields.setdefault(key.strip(), value.strip())
    features = frozenset((fields.get("flags") or fields.get("Features") or "").split())
    model = fields.get("model name") or fields.get("Model") or UNKNOWN
    if model == UNKNOWN and "CPU part" in fields:  # ARM kernels print numbers only
        model = f"ARM implementer {fields.get('CPU implementer', '?')} part {fields['CPU part']}"
    return CpuInfo(model, features, "hypervisor" in features)


def simd_widths(arch: str, features: Collection[str], scalable_bits: int = 0) -> tuple[int, ...]:
    """Widths in bits of packed floating-point arithmetic, ascending; empty when there is none.

    256 asks for AVX only: without FMA or AVX2 (Sandy Bridge) the compiler still does 256-bit multiplies and adds.

    Args:
        arch: as ``platform.machine()`` names it.
        features: of the CPU that may be used.
        scalable_bits: of Arm's scalable registers (SVE) in this process; they count where an axis has their width.
    """
    if arch in _ARM:
        scalable = (scalable_bits,) if "sve" in features and scalable_bits in (256, 512) else ()
        return (_NEON_BITS, *scalable) if "asimd" in features else ()
    by_feature = {"sse2": 128, "avx": 256, "avx512f": 512}
    return tuple(width for feature, width in by_feature.items() if feature in features)


def usable_cores(affinity: int, quota: float) -> int:
    """Cores that can compute at the same time: the affinity mask, cut to a control group's quota; at least 1."""
    return max(1, min(affinity, math.floor(quota))) if math.isfinite(quota) else affinity


def cpu_quota(membership: str, root: Path) -> float:
    """CPUs' worth of time that control groups grant this process; infinity for no limit.

    Version 2 only (``cpu.max``); a container on a version 1 host is limited through its affinity mask or not at all.

    Args:
        membership: text of ``/proc/self/cgroup``.
        root: where the version 2 hierarchy is mounted.
    """
    path = next((line[3:] for line in membership.splitlines() if line.startswith("0::")), "/")
    folder = root / path.strip("/")
    least = math.inf
    for group in (folder, *folder.parents):
        quota, _, period = (_text(group / "cpu.max") or "max").strip().partition(" ")
        if quota.isdigit() and period.isdigit() and int(period) > 0:
            least = min(least, int(quota) / int(period))
        if group == root:
            break
    return least


def read_caches(folder: Path) -> dict[str, int]:
    """Data and unified caches described in a ``/sys/devices/system/cpu/cpuN/cache`` folder, bytes by name."""
    sizes = {name: parse_size(_text(index / "size") or "") for name, index in _data_caches(folder)}
    return {name: size for name, size in sizes.items() if size}


def read_cache_ways(folder: Path) -> dict[str, int]:
    """The associativity of the same caches by name; a fully associative one, reported as 0, is left out."""
    ways = {name: (_text(index / "ways_of_associativity") or "").strip() for name, index in _data_caches(folder)}
    return {name: int(number) for name, number in ways.items() if number.isdecimal() and int(number) > 0}


def _data_caches(folder: Path) -> Iterator[tuple[str, Path]]:
    for index in sorted(folder.glob("index*")):
        kind, level = (_text(index / "type") or "").strip(), (_text(index / "level") or "").strip()
        if kind in ("Data", "Unified") and level.isdigit():
            yield "L1d" if level == "1" else f"L{level}", index


_SYSCONF_CACHES = {"L1d": "SC_LEVEL1_DCACHE", "L2": "SC_LEVEL2_CACHE", "L3": "SC_LEVEL3_CACHE"}


def sysconf_caches(sysconf: Callable[[str], int]) -> dict[str, int]:
    """Data caches by the C library's account, which x86 glibc takes from the CPU itself; absent ones are left out."""
    sizes = {cache: sysconf(f"{name}_SIZE") for cache, name in _SYSCONF_CACHES.items()}
    return {cache: size for cache, size in sizes.items() if size > 0}


def sysconf_cache_ways(sysconf: Callable[[str], int]) -> dict[str, int]:
    """The associativity of the same caches by the C library's account; absent ones are left out."""
    ways = {cache: sysconf(f"{name}_ASSOC") for cache, name in _SYSCONF_CACHES.items()}
    return {cache: number for cache, number in ways.items() if number > 0}


def count_last_level_caches(cpu_root: Path, cpus: Sequence[int]) -> int:
    """How many different outermost caches the CPUs use; 1 when the machine does not tell."""
    sharing = set()
    for cpu in cpus:
        indices = sorted((cpu_root / f"cpu{cpu}" / "cache").glob("index*"))
        sharing.add(_text(indices[-1] / "shared_cpu_list") if indices else None)
    return max(1, len(sharing))


def parse_size(text: str) -> int:
    """Bytes in a size as ``/sys`` prints it, e.g. ``32K``; 0 for anything else."""
    text = text.strip()
    unit = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}.get(text[-1:], 1)
    digits = text if unit == 1 else text[:-1]
    return int(digits) * unit if digits.isdecimal() else 0


def _sysconf(name: str) -> int:
    try:
        return os.sysconf(name)
    except (ValueError, OSError):  # a C library without these names, or without an answer
        return 0


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
