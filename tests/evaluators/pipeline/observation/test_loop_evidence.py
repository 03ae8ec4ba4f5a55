"""What is told of a hot loop, with the real compiler and, where it is installed, the real llvm-mca."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import pytest

from qdkernel.core import Kernel, Outcome
from qdkernel.evaluators.measurement import core_facts, load_or_measure_core
from qdkernel.evaluators.pipeline import EvaluationContext
from qdkernel.evaluators.pipeline.evaluate import evaluate
from qdkernel.evaluators.toolchain import LoopBound, McaTool, Remark, Toolchain, find_llvm_mca, loop_bound, read_remarks
from qdkernel.machine import fingerprint
from tests.compiled import dgemm
from tests.conftest import HOST, make_spec, timed_with

LLVM_MCA = shutil.which("llvm-mca")

ENDS_EARLY = dgemm(
    """
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++) {
            double sum = 0;
            for (int p = 0; alpha != 0 && p < k; p++) {
                sum += A[(long)i * lda + p] * B[(long)p * ldb + j];
                if (sum == 12345.678)
                    break;
            }
            C[(long)i * ldc + j] = (alpha == 0 ? 0 : alpha * sum) + (beta == 0 ? 0 : beta * C[(long)i * ldc + j]);
        }"""
)


def test_the_hot_loop_has_its_lines_and_the_compilers_reason(tmp_path: Path) -> None:
    spec = timed_with(dataclasses.replace(make_spec(tmp_path), explain=True), clock_ghz=4.0)
    context = EvaluationContext(spec)
    found = evaluate(context, Kernel(ENDS_EARLY))
    context.close()
    assert found.outcome is Outcome.OK, found.detail
    head = 1 + ENDS_EARLY[: ENDS_EARLY.index("for (int p")].count("\n")
    assert found.evidence["hot loop lines"] == f"lines {head} to {head + 2}"
    assert found.evidence["compiler"] == f"gcc, line {head + 1}: not vectorized: control flow in loop."


def test_remarks_that_name_no_cause_are_left_out() -> None:
    text = (
        "kernel.c:7:5: missed: couldn't vectorize loop\n"
        "kernel.c:9:7: missed: not vectorized: complicated access pattern.\n"
        "/usr/include/x.h:1:1: missed: not vectorized: complicated access pattern.\n"
        "kernel.c:9:7: missed:   not vectorized: multiple nested loops.\n"
        "kernel.c:8:7: missed:   reduction: unsafe fp math optimization: sum_1 = _2 + sum_3;\n"
    )
    assert list(read_remarks(text)) == [
        Remark(9, "not vectorized: complicated access pattern."),
        Remark(8, "reduction: unsafe fp math optimization: sum_1 = _2 + sum_3;"),
    ]


@pytest.mark.skipif(LLVM_MCA is None, reason="needs llvm-mca (Debian: apt install llvm)")
def test_a_chain_of_multiply_adds_is_bound_by_its_dependencies(context: EvaluationContext, tmp_path: Path) -> None:
    assert LLVM_MCA is not None
    tool = McaTool(LLVM_MCA, "znver3")

    def bound(*iteration: str) -> LoopBound | None:
        return loop_bound(iteration, tool, context.toolchain, context.built, tmp_path)

    end = ("add rcx, 32", "cmp rcx, 1024", "jne 0x10")
    chain = bound("vmovupd ymm0, ymmword ptr [rax + rcx]", "vfmadd231pd ymm2, ymm0, ymm1", "call 0x500", *end)
    assert chain is not None
    assert chain.model == "znver3"
    assert chain.cycles == pytest.approx(4, rel=0.1)  # the latency of one; the ports would take one in each
    assert chain.port_cycles == 1
    assert chain.busiest
    assert bound("no_such_instruction xmm0", *end) is None
    assert bound() is None


@pytest.mark.skipif(LLVM_MCA is None, reason="needs llvm-mca (Debian: apt install llvm)")
def test_a_bound_by_the_model_of_another_cpu_is_shown_as_such(context: EvaluationContext, tmp_path: Path) -> None:
    assert LLVM_MCA is not None
    end = ("add rcx, 32", "cmp rcx, 1024", "jne 0x10")
    tool = McaTool(LLVM_MCA, "znver3", own=False)
    found = loop_bound(("vaddpd ymm0, ymm0, ymm1", *end), tool, context.toolchain, context.built, tmp_path)
    assert found is not None
    assert found.model == "znver3 (it has none of this CPU, which may be faster)"
    wider = ("vaddpd zmm0, zmm0, zmm1", *end)
    assert loop_bound(wider, tool, context.toolchain, context.built, tmp_path) is None  # Zen 3 has no AVX-512


OLD_LLVM = """#!/bin/sh
case "$1" in
--version) printf '  LLVM version 14.0.6\\n  Host CPU: %s\\n' "$HOST_CPU" ;;
*) printf '  skylake        - Select the skylake processor.\\n  znver2 - Select the znver2 processor.\\n' >&2; exit 1 ;;
esac
"""


@pytest.mark.parametrize(
    ("host_cpu", "name", "model", "own"),
    [
        ("znver5", "AMD EPYC", "znver5", True),
        ("(unknown)", "AMD EPYC", "znver2", False),
        ("x86-64", "Intel(R) Xeon(R)", "skylake", False),
    ],
)
def test_the_newest_model_of_the_vendor_stands_in_for_an_unknown_cpu(
    host_cpu: str, name: str, model: str, own: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "llvm-mca"
    program.write_text(OLD_LLVM)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    monkeypatch.setenv("HOST_CPU", host_cpu)
    find_llvm_mca.cache_clear()
    try:
        assert find_llvm_mca(name) == McaTool(str(program), model, own)
    finally:
        find_llvm_mca.cache_clear()


@pytest.mark.parametrize("cpu", ["Hygon C86", ""])
def test_a_cpu_of_a_vendor_without_models_has_no_bound(
    cpu: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "llvm-mca"
    program.write_text(OLD_LLVM)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("HOST_CPU", "(unknown)")
    find_llvm_mca.cache_clear()
    try:
        assert find_llvm_mca(cpu) is None
    finally:
        find_llvm_mca.cache_clear()


def test_a_core_is_measured_once_and_read_from_the_cache_afterwards(
    toolchain: Toolchain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QDKERNEL_CACHE", str(tmp_path))
    found = load_or_measure_core(HOST, toolchain)
    assert found is not None
    assert 0.3 < found.clock_ghz < 10
    assert found.vector_bits == max(HOST.simd_widths)
    assert 0.1 < found.stores < 5
    assert 0.2 < found.loads < 9
    for program in tmp_path.glob("native-*/core_facts"):
        program.unlink()
    assert load_or_measure_core(HOST, toolchain) == found


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b"\xff", b"null", b"[" * 100_000])
def test_a_damaged_file_of_a_core_is_measured_again(
    toolchain: Toolchain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    monkeypatch.setenv("QDKERNEL_CACHE", str(tmp_path))
    file = tmp_path / fingerprint(HOST, toolchain.version) / "core.json"
    file.parent.mkdir(parents=True)
    file.write_bytes(content)
    kept = {"clock_ghz": 3.0, "vector_bits": 256, "loads": 2.0, "stores": 1.0, "tlb_entries": [64, 2048]}
    monkeypatch.setattr(core_facts, "build_cached", lambda *_: Path("never-run"))
    monkeypatch.setattr(core_facts, "_run", lambda _: kept)
    found = load_or_measure_core(HOST, toolchain)
    assert found is not None
    assert found.tlb_entries == (64, 2048)
    monkeypatch.setattr(core_facts, "_run", lambda _: pytest.fail("measured again"))
    assert load_or_measure_core(HOST, toolchain) == found
