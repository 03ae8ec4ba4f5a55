"""The README of an exported library or package: its kernels, where they were measured, what was not checked again."""

from __future__ import annotations

from collections.abc import Sequence

from qdkernel.core import size_text
from qdkernel.export.card import table_text
from qdkernel.export.compiled.variants import PORTABLE, Function, Variant
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

| function | level | sizes | kernel |
|---|---|---|---|
{rows}

## What to know

- Every kernel was verified and timed on the machine of its run, compiled with that run's flags. This export neither
  verified nor timed it again{again}. Here it is compiled for the level, so its machine code differs a little from what
  was measured.
- Kernels are given no more threads than they were measured with. One with static memory serves one call at a time;
  others wait.
- The threads are OpenMP's. A process that has called a kernel must not call one after `fork` without `exec`.

| CPU | threads | compiler | flags |
|---|---|---|---|
{machines}
"""


def readme(to: str, how: str, functions: Sequence[Function], records: Sequence[ExportRecord], again: bool) -> bytes:
    """The text.

    Args:
        to: the format's name.
        how: how to build and use it, as Markdown.
        functions: of the library.
        records: of the runs.
        again: whether the elites were timed again for this export.
    """
    rows = "\n".join(
        f"| `{function.problem.name}` | {variant.level} | {_sizes(variant)} | {table_text(variant.origin)} |"
        for function in functions
        for variant in function.variants
    )
    machines = dict.fromkeys((r.hardware.cpu, str(r.hardware.threads), r.compiler, r.flags) for r in records)
    return _HEAD.format(
        mark=CARD_MARK,
        to=to,
        how=how,
        rows=rows,
        again=" except as `--revalidate` does" if again else "",
        machines="\n".join(f"| {' | '.join(map(table_text, machine))} |" for machine in machines),
    ).encode()


def _sizes(variant: Variant) -> str:
    return "any" if variant.level == PORTABLE else "; ".join(map(size_text, variant.sizes))
