"""Instruction-set levels: the most that kernels may use of this machine, e.g. to run on weaker hosts.

A level is one of the x86-64 psABI's microarchitecture levels, so code of a level runs on every host that has it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from qdkernel.errors import ConfigError

VARIABLE = "QDKERNEL_ISA"

_V1 = frozenset({"sse", "sse2"})
_V3 = _V1 | {"pni", "ssse3", "sse4_1", "sse4_2", "popcnt", "avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "movbe", "abm"}
_V4 = _V3 | {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"}


@dataclass(frozen=True)
class Level:
    """One instruction-set level.

    Attributes:
        march: the compiler's name of it (System V ABI for x86-64, section 3.1.1; GCC 11 and later).
        excluded: flags that take back what a user's own flags, e.g. ``-mavx512f``, add above it.
        features: what it has, as in ``/proc/cpuinfo``; ``sse2`` implies 128-bit, ``avx`` 256-bit vectors.
        blas: OpenBLAS's name of the cores that its routines may be written for; the nearest that it has.
    """

    march: str
    excluded: tuple[str, ...]
    features: frozenset[str]
    blas: str


LEVELS: Mapping[str, Level] = {
    "sse2": Level("x86-64", ("-mno-sse3",), _V1, "Prescott"),  # without SSE3 GCC drops SSE4, AVX and all above, too
    "avx2": Level("x86-64-v3", ("-mno-avx512f",), _V3, "Haswell"),
    "avx512": Level("x86-64-v4", (), _V4, "SkylakeX"),
}
"""From the least to the most."""


def choose_isa(
    arch: str, features: Collection[str], environ: Mapping[str, str], configured: str | None = None
) -> str | None:
    """The level to compile for; ``None`` for everything that the CPU has.

    The environment variable makes the host a weaker one; the configuration chooses among what that host has, so
    where both are given the configuration's counts, and it cannot be above the variable's.

    Args:
        arch: as ``platform.machine()`` names it.
        features: of the CPU.
        environ: environment variables; an empty ``QDKERNEL_ISA`` counts as not set.
        configured: ``machine.isa`` of the configuration.

    Raises:
        ConfigError: a name that is no level, or a level that the host has not.
    """
    lowered = environ.get(VARIABLE, "").strip() or None
    if lowered is not None:
        _check(VARIABLE, lowered, arch, features, "")
        features = LEVELS[lowered].features
    if configured is not None:
        _check("machine.isa", configured, arch, features, f" under {VARIABLE}={lowered}" if lowered else "")
    return configured or lowered


def features_of(features: Collection[str], isa: str | None) -> frozenset[str]:
    """The CPU's features that code of the level may use."""
    return frozenset(features) if isa is None else LEVELS[isa].features & frozenset(features)


def flags_of(flags: Sequence[str], isa: str | None) -> tuple[str, ...]:
    """Compiler flags that stay within the level: its ``-march`` instead of the given one, tuned for the same CPU."""
    if isa is None:
        return tuple(flags)
    level = LEVELS[isa]
    cpus = [flag.removeprefix("-march=") for flag in flags if flag.startswith("-march=")]
    tuned = any(flag.startswith("-mtune=") for flag in flags) or not cpus or cpus[-1].startswith("x86-64")
    kept = [flag for flag in flags if not flag.startswith("-march=") and flag not in level.excluded]
    return (*kept, f"-march={level.march}", *([] if tuned else [f"-mtune={cpus[-1]}"]), *level.excluded)


def _check(where: str, name: str, arch: str, features: Collection[str], under: str) -> None:
    if name not in LEVELS:
        raise ConfigError(f"{where}: expected one of {', '.join(LEVELS)}, got {name!r}; choose one, or leave it out")
    if arch not in ("x86_64", "AMD64"):
        raise ConfigError(f"{where}: expected an x86-64 host, got {arch}, which has no such levels; leave it out")
    lacking = sorted(LEVELS[name].features.difference(features))
    if lacking:
        had = [level for level, has in LEVELS.items() if has.features.issubset(features)]
        raise ConfigError(
            f"{where}: expected a level that this host has{under} ({', '.join(had) or 'none'}), got {name!r}, for "
            f"which it lacks {', '.join(lacking)}; choose a lower one, or leave it out"
        )
