from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from qdkernel.evaluators.behaviour.observed import Observed, RuntimeFacts, helped_share, read_counts, repeats
from qdkernel.evaluators.binary import Disassembly, disassemble, read_shared_object
from qdkernel.evaluators.toolchain.counting import with_counters
from tests.compiled import compile_c, dgemm

LOOPS = """\
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++) {
            double sum = 0;
            for (int p = 0; p < k; p++)
                sum += A[(long)i * lda + p] * B[(long)p * ldb + j];
            C[(long)i * ldc + j] = m == 7 ? sum : alpha * sum;
        }
"""
ROW = 'extern __thread long *row __asm__("qd.row"); __attribute__((visibility("hidden"))) __thread long *row;'


def copies(source: str, folder: Path) -> tuple[Disassembly, Disassembly, int]:
    """A kernel, its counting copy, and the number of counters."""
    own = disassemble(read_shared_object(compile_c(source, folder, target="-march=x86-64-v2")))
    flags = "-O3 -fopenmp -fPIC -fno-plt -fno-ident -fno-asynchronous-unwind-tables -ffunction-sections -w"
    command = f"gcc {flags} -march=x86-64-v2 -include prototype.h -S kernel.c -o kernel.s"
    subprocess.run(command.split(), cwd=folder, check=True, timeout=60)
    text, counters = with_counters((folder / "kernel.s").read_text(), "x86_64")
    (folder / "copy.s").write_text(text)
    (folder / "row.c").write_text(ROW)
    subprocess.run(["gcc", "-shared", "-fPIC", "copy.s", "row.c", "-o", "copy.so"], cwd=folder, check=True, timeout=60)
    return own, disassemble(read_shared_object(folder / "copy.so")), counters


def observed(counts: dict[int, tuple[int, ...]], team: int = 1) -> Observed:
    return Observed(counts, counts, RuntimeFacts(largest_team=team), 1.0, 1.0, 0, 0, helped=0.5)


@pytest.mark.parametrize(
    ("blocks", "share"),
    [
        ((0, 30, 30, 0), 0.5),
        ((100, 0, 0, 0), 0.0),
        ((50, 49, 1, 0), 0.01),  # before and after its first region the calling thread counts in two rows
        ((0, 0, 0, 0), 0.0),
    ],
)
def test_what_the_busiest_thread_left_to_the_others(blocks: tuple[int, ...], share: float) -> None:
    assert helped_share(np.array([[count, 0] for count in blocks], np.uint64)) == pytest.approx(share)


def test_blocks_of_kernel_and_copy_are_matched_whatever_the_padding(tmp_path: Path) -> None:
    own, copy, counters = copies(dgemm(LOOPS), tmp_path)
    rows = np.arange(2 * counters, dtype=np.uint64).reshape(2, counters)
    (function,) = own.functions.values()
    (counts,) = read_counts(rows, own, copy).values()
    assert len(counts) == len(function.flow.starts)
    assert counts[0] == counters  # the first counter, of both threads
    seen = [count for count in counts if count]
    assert sorted(seen) == seen  # counters are numbered as the code lies


def test_a_copy_of_other_code_is_told(tmp_path: Path) -> None:
    own, _, _ = copies(dgemm(LOOPS), tmp_path)
    _, other, counters = copies(dgemm(LOOPS.replace("m == 7", "m > n")), tmp_path)
    with pytest.raises(ValueError, match="the counting copy of dgemm is not the same code"):
        read_counts(np.ones((1, counters), np.uint64), own, other)


def test_a_loop_that_ends_after_one_iteration_does_not_repeat(tmp_path: Path) -> None:
    own, _, _ = copies(dgemm("for (int i = 0; i < m; i++) C[i] *= alpha * C[i + 1];"), tmp_path)
    (function,) = own.functions.values()
    loop = next(i for i, loop in enumerate(function.flow.loops) if loop.parent is None)
    entries = function.flow.loops[loop].entries
    once = tuple(1 for _ in function.flow.starts)
    often = tuple(9 if block in entries else 1 for block in range(len(once)))
    assert not repeats(function, loop, observed({function.address: once}))
    assert repeats(function, loop, observed({function.address: often}))
