"""The README of an exported library or package: its kernels, where they were measured, what was not checked again."""

from __future__ import annotations

from collections.abc import Sequence

from qdkernel.core import size_text
from qdkernel.export.card import table_text
from qdkernel.export.compiled.variants import PORTABLE, Function, Variant
from qdkernel.export.contract import Selection
from qdkernel.export.files import CARD_MARK
from qdkernel.export.record import ExportRecord

_HEAD = """\
# Kernels bred by qdkernel

{mark}, format {to}: C source of the fastest elites of the runs below.

{how}

## Kernels

A call takes a kernel of the highest level that the CPU has, of these the one whose size is nearest to the call's.
`portable` is the naive kernel, for all other CPUs. With `QDKERNEL_VERBOSE=1` in the environment each kernel that is
called is reported, once; `QDKERNEL_ISA=portable`, `sse2`, `avx2` or `avx512` lowers what the CPU is taken to have.

| function | level | sizes | kernel | calls |
|---|---|---|---|---|
{rows}

## What to know

- Every kernel was verified and timed on the machine of its run, compiled with that run's flags. Here it is compiled for
  the level, so its machine code differs a little from what was timed.{again}
- {beyond}
- Kernels are given no more threads than they were measured with. One with static memory serves one call at a time;
  others wait.
- The threads are OpenMP's. A process that has called a kernel must not call one after `fork` without `exec`.

| CPU | threads | compiler | flags |
|---|---|---|---|
{machines}
"""


_CALLED = """\
For this export all kernels but the portable ones were verified again, compiled as here, and called far beyond the
  scored sizes: with up to twice the extents, with extents of 1 to 3, and with offsets past 2^31 elements. The table
  states what was not tried. A kernel that failed was left out. Conditions (`#if`) in the sources are replaced by what
  they were: other lines were not judged."""
_UNCHECKED = """\
The export was made with `--unchecked`: it did not verify the kernels again, and none was called far beyond the scored
  sizes (larger ones, extents of 1 to 3, offsets past 2^31 elements). One may be wrong or crash there."""


def readme(
    to: str, how: str, functions: Sequence[Function], records: Sequence[ExportRecord], selection: Selection
) -> bytes:
    """The text.

    Args:
        to: the format's name.
        how: how to build and use it, as Markdown.
        functions: of the library.
        records: of the runs.
        selection: whether the elites were timed again for this export, and called far beyond the scored sizes.
    """
    rows = "\n".join(
        f"| `{function.problem.name}` | {variant.level} | {_sizes(variant)} | {table_text(variant.origin)} "
        f"| {table_text(variant.beyond)} |"
        for function in functions
        for variant in function.variants
    )
    machines = dict.fromkeys((r.hardware.cpu, str(r.hardware.threads), r.compiler, r.flags) for r in records)
    return _HEAD.format(
        mark=CARD_MARK,
        to=to,
        how=how,
        rows=rows,
        again=" The elites were timed again before this export." if selection.revalidate else "",
        beyond=_UNCHECKED if selection.unchecked else _CALLED,
        machines="\n".join(f"| {' | '.join(map(table_text, machine))} |" for machine in machines),
    ).encode()


def _sizes(variant: Variant) -> str:
    return "any" if variant.level == PORTABLE else "; ".join(map(size_text, variant.sizes))
