"""Levels of instruction sets: what is chosen, and that no kernel, peak or baseline is above it."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from qdkernel.core import Kernel, Outcome
from qdkernel.errors import ConfigError
from qdkernel.evaluators.binary import disassemble, read_shared_object, refuse_object
from qdkernel.evaluators.pipeline import EvaluationContext, evaluate
from qdkernel.machine import LEVELS, fingerprint, flags_of, this_machine
from qdkernel.machine.cpu import simd_widths
from qdkernel.machine.isa import VARIABLE, choose_isa, features_of
from tests.compiled import AVX2, AVX512, compile_c
from tests.conftest import compiled_with, make_spec, naive
from tests.paths import GALLERY

pytestmark = pytest.mark.isa_dependent

ALL = LEVELS["avx512"].features | {"avx512_vnni"}
ZEN_3 = LEVELS["avx2"].features | {"sha_ni"}
USUAL = ("-O3", "-march=native", "-fopenmp")
OWN = (
    "sse2",
    *(
        pytest.param(name, marks=pytest.mark.isa(feature))
        for name, feature in (("avx2", "avx2"), ("avx512", "avx512f"))
    ),
)


@pytest.mark.parametrize(
    ("variable", "configured", "chosen"),
    [
        (None, None, None),
        ("", None, None),
        ("avx2", None, "avx2"),
        (None, "avx2", "avx2"),
        ("avx2", "sse2", "sse2"),
        ("avx2", "avx2", "avx2"),
        ("avx512", "avx2", "avx2"),
    ],
)
def test_the_configuration_chooses_within_what_the_variable_leaves(
    variable: str | None, configured: str | None, chosen: str | None
) -> None:
    environ = {} if variable is None else {VARIABLE: variable}
    assert choose_isa("x86_64", ALL, environ, configured) == chosen


@pytest.mark.parametrize(
    ("arch", "variable", "configured", "complaint"),
    [
        ("x86_64", "avx3", None, "QDKERNEL_ISA: expected one of sse2, avx2, avx512, got 'avx3'; choose one"),
        ("x86_64", "avx512", None, r"QDKERNEL_ISA: expected a level that this host has \(sse2, avx2\), got 'avx512'"),
        ("x86_64", None, "avx512", r"machine\.isa: expected .* it lacks avx512bw, .*; choose a lower one"),
        ("x86_64", "sse2", "avx2", r"machine\.isa: .* host has under QDKERNEL_ISA=sse2 \(sse2\), got 'avx2'"),
        ("aarch64", "sse2", None, "QDKERNEL_ISA: expected an x86-64 host, got aarch64"),
    ],
)
def test_a_level_that_is_none_or_that_the_host_has_not_is_an_error(
    arch: str, variable: str | None, configured: str | None, complaint: str
) -> None:
    with pytest.raises(ConfigError, match=complaint):
        choose_isa(arch, ZEN_3, {VARIABLE: variable} if variable else {}, configured)


def test_the_widths_are_those_of_the_level() -> None:
    widths = {name: simd_widths("x86_64", features_of(ALL, name)) for name in (*LEVELS, None)}
    assert widths == {"sse2": (128,), "avx2": (128, 256), "avx512": (128, 256, 512), None: (128, 256, 512)}


def test_flags_keep_all_but_the_instruction_set() -> None:
    assert flags_of(USUAL, None) == USUAL
    kept = ("-O3", "-fopenmp")
    assert flags_of(USUAL, "avx512") == (*kept, "-march=x86-64-v4", "-mtune=native")
    assert flags_of(USUAL, "avx2") == (*kept, "-march=x86-64-v3", "-mtune=native", "-mno-avx512f")
    assert flags_of((*USUAL, "-mtune=znver3"), "sse2") == (*kept, "-mtune=znver3", "-march=x86-64", "-mno-sse3")
    assert sorted(flags_of(flags_of(USUAL, "avx2"), "avx2")) == sorted(flags_of(USUAL, "avx2"))


def widest(compiled: Path) -> str:
    text = [f.instructions for f in disassemble(read_shared_object(compiled)).functions.values()]
    operands = " ".join(i.operands for instructions in text for i in instructions)
    return next((letter for letter in "zyx" if f"{letter}mm" in operands), "")


@pytest.mark.isa("sse2")
@pytest.mark.parametrize(("isa", "register"), [("sse2", "x"), ("avx2", "y"), ("avx512", "z")])
def test_the_compiler_stays_within_the_level_even_with_flags_of_a_wider_one(
    isa: str, register: str, tmp_path: Path
) -> None:
    wide = ("-O3", "-march=x86-64-v4", "-mavx512f", "-mavx512vl", "-mavx2", "-mprefer-vector-width=512", "-fopenmp")
    target = " ".join(flags_of(wide, isa))
    assert widest(compile_c((GALLERY / "packed_512.c").read_text(), tmp_path, target=target)) == register


@pytest.mark.parametrize(
    ("target", "isa", "reason"),
    [
        (AVX512, "avx2", "above the level avx2; use narrower vectors"),
        (AVX512, "sse2", "above the level sse2; use narrower vectors"),
        (AVX2, "sse2", "above the level sse2; use narrower vectors"),
        (AVX512, "avx512", None),
        (AVX512, None, None),
        (AVX2, "avx2", None),
        ("-march=x86-64", "sse2", None),
    ],
)
def test_an_object_above_the_level_is_refused(target: str, isa: str | None, reason: str | None, tmp_path: Path) -> None:
    so = read_shared_object(compile_c((GALLERY / "packed_512.c").read_text(), tmp_path, target=target))
    refusal = refuse_object(so, disassemble(so), "dgemm", isa)
    assert refusal is None if reason is None else refusal is not None and refusal.endswith(reason)


INTRINSICS = {
    "sse2": "__m256d v = _mm256_setzero_pd(); _mm256_storeu_pd(C, v);",
    "avx2": "__m512d v = _mm512_setzero_pd(); _mm512_storeu_pd(C, v);",
}


@pytest.mark.parametrize("isa", OWN[:2])
def test_intrinsics_above_the_level_do_not_compile(isa: str, tmp_path: Path) -> None:
    context = EvaluationContext(
        compiled_with(dataclasses.replace(make_spec(tmp_path), isa=isa), flags=flags_of(USUAL, isa))
    )
    source = "#include <immintrin.h>\n" + naive().replace("{", "{ if (m > 99) {" + INTRINSICS[isa] + "}", 1)
    try:
        found = evaluate(context, Kernel(source))
    finally:
        context.close()
    assert found.outcome is Outcome.COMPILE_ERROR
    assert "this machine lacks or the run leaves out" in found.detail


@pytest.mark.isa("sse2")
def test_a_level_is_part_of_the_machine_and_of_its_fingerprint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    whole, least = this_machine(), this_machine("sse2")
    assert (whole.isa, least.isa, least.simd_widths) == (None, "sse2", (128,))
    assert fingerprint(whole, "gcc 12") != fingerprint(least, "gcc 12")
    monkeypatch.setenv(VARIABLE, "sse2")
    assert this_machine() == least


@pytest.mark.slow
@pytest.mark.parametrize("isa", OWN)
def test_the_baseline_of_a_level_is_openblas_for_cores_of_the_level(isa: str, tmp_path: Path) -> None:
    context = EvaluationContext(dataclasses.replace(make_spec(tmp_path), isa=isa))
    try:
        context.timer.calibrate()  # when it has run, /proc shows its environment
        process = context.timer.baseline_process.child._process.pid
        environment = Path(f"/proc/{process}/environ").read_bytes().split(b"\0")
    finally:
        context.close()
    assert f"OPENBLAS_CORETYPE={LEVELS[isa].blas}".encode() in environment
