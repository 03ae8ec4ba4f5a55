"""Briefs for the tests of mutators: a made-up machine, and archives with elites chosen by the test."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import cast

from qdkernel.evaluators import Cell, Kernel, Machine, Problem
from qdkernel.mutators import Brief, Elite, Notes

MACHINE = Machine(
    cpu="a test's",
    arch="x86_64",
    cores=2,
    simd_widths=(128, 256, 512),
    caches={"L1d": 32 << 10, "L2": 1 << 20, "L3": 32 << 20},
    hypervisor=False,
    governor="unknown",
    kernel="0",
)


def elite(source: str, cell: Cell = (0, 0, 0, 0), notes: Notes | None = None) -> Elite:
    return Elite(Kernel(source), cell, 1.0, "test", "an idea", notes or {})


def brief(
    problem: str = "dgemm",
    parent: Elite | None = None,
    target: Cell | None = None,
    others: Mapping[Cell, Elite] | None = None,
    threads: int = 2,
) -> Brief:
    elites = dict(others or {})
    if parent is not None:
        elites[parent.cell] = parent
    sizes = ({"m": 512, "n": 512, "k": 512},)
    # The built-in mutators read nothing of a problem but its name.
    return Brief(cast(Problem, SimpleNamespace(name=problem)), MACHINE, threads, sizes, elites, parent, target)
