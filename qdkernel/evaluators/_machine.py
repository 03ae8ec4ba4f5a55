"""What machine this is: CPU, instruction sets, caches, cores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Machine:
    """The facts that measurements depend on; plain JSON values only.

    Attributes:
        cpu: model name.
        arch: e.g. ``x86_64``.
        cores: CPUs this process may run on (its affinity mask, not the whole host).
        simd_widths: floating-point SIMD widths in bits, ascending, e.g. (128, 256, 512).
        caches: data-cache sizes in bytes by name: ``L1d``, ``L2``, ``L3`` (per instance).
        hypervisor: whether the CPU says it is virtual.
        governor: frequency governor, or ``unknown``.
        kernel: operating-system release.
    """

    cpu: str
    arch: str
    cores: int
    simd_widths: tuple[int, ...]
    caches: Mapping[str, int]
    hypervisor: bool
    governor: str
    kernel: str
