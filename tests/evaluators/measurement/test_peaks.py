from __future__ import annotations

import contextlib
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from qdkernel.errors import ToolchainError
from qdkernel.evaluators.measurement import MachinePeaks, load_or_measure_peaks, renew_peaks
from qdkernel.evaluators.measurement import peaks as _peaks
from qdkernel.evaluators.measurement.peaks import Peak, Triad, compile_peaks, measure_peaks, triad_bytes
from qdkernel.evaluators.toolchain import Toolchain
from qdkernel.machine import Machine, fingerprint, this_machine
from tests.conftest import HOST

pytestmark = pytest.mark.isa_dependent

PEAKS = MachinePeaks(
    peaks=(
        Peak("float64", "scalar", 1, 14.0),
        Peak("float64", "512", 1, 58.0),
        Peak("float32", "512", 1, 116.0),
        Peak("float64", "scalar", 8, 100.0),
        Peak("float64", "512", 8, 300.0),
        Peak("float32", "512", 8, 600.0),
    ),
    triads=(Triad(1, 24.0, 36.0), Triad(8, 90.0, None)),
)
MACHINE = Machine("a CPU", "x86_64", 8, (128, 256, 512), {"L1d": 32768, "L3": 33554432}, False, "unknown", "6.1")


@pytest.fixture(scope="module")
def program(toolchain: Toolchain, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compile_peaks(toolchain, tmp_path_factory.mktemp("peaks"), HOST.compiler_flags(_peaks.FLAGS))


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("QDKERNEL_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_the_peak_is_that_of_the_fastest_width() -> None:
    assert PEAKS.peak_gflops("float64", 1) == 58.0
    assert PEAKS.peak_gflops("float32", 8) == 600.0
    assert PEAKS.peak_gflops("float64", 8, "scalar") == 100.0


def test_between_the_measured_counts_threads_add_up_to_what_all_reach() -> None:
    assert PEAKS.peak_gflops("float64", 2) == 116.0
    assert PEAKS.peak_gflops("float64", 7) == 300.0
    assert PEAKS.peak_gflops("float64", 64) == 300.0
    assert [PEAKS.triad_gbytes_per_s(threads) for threads in (1, 2, 3, 8)] == [36.0, 72.0, 90.0, 90.0]


def test_the_bound_of_the_plausible_trusts_the_best_core() -> None:
    assert PEAKS.plausible_gflops("float64", 8) == 8 * 58.0
    assert PEAKS.plausible_gflops("float32", 1) == 116.0
    with pytest.raises(KeyError, match="no float16 peak measured"):
        PEAKS.plausible_gflops("float16", 1)


def test_on_one_core_more_threads_do_not_raise_the_ceiling() -> None:
    single = MachinePeaks((Peak("float64", "128", 1, 10.0),), (Triad(1, 5.0, None),))
    assert (single.peak_gflops("float64", 4), single.triad_gbytes_per_s(4)) == (10.0, 5.0)


def test_a_width_that_was_not_measured_is_named() -> None:
    with pytest.raises(KeyError, match="no float64 peak measured for SIMD width 256"):
        PEAKS.peak_gflops("float64", 1, "256")


def test_peaks_survive_json() -> None:
    assert MachinePeaks.from_json(json.loads(json.dumps(PEAKS.to_json()))) == PEAKS


@pytest.mark.parametrize(
    "damaged",
    [
        {},
        [],
        None,
        {"peaks": [], "triads": []},
        {"peaks": [{"dtype": "float64"}], "triads": []},
        {"peaks": 3, "triads": []},
        replace(PEAKS, triads=(Triad(1, 0.0, None),)).to_json(),
        replace(PEAKS, triads=(Triad(1, float("nan"), None),)).to_json(),
        replace(PEAKS, peaks=PEAKS.peaks[3:]).to_json(),
        {**PEAKS.to_json(), "triads": [{"threads": 1, "plain": "fast", "non_temporal": None}]},
    ],
)
def test_damaged_peaks_are_refused(damaged: object) -> None:
    with pytest.raises(ValueError, match="peaks"):
        MachinePeaks.from_json(damaged)


def test_the_triad_overflows_every_outermost_cache_within_an_eighth_of_the_memory() -> None:
    assert triad_bytes(MACHINE, 1 << 40) == 4 * 33554432
    assert triad_bytes(replace(MACHINE, last_level_instances=2), 1 << 40) == 8 * 33554432
    assert triad_bytes(MACHINE, 1 << 28) == 1 << 25


def test_the_measurement_covers_every_width_type_and_thread_count(toolchain: Toolchain) -> None:
    machine = replace(this_machine(), caches={"L3": 1 << 18}, last_level_instances=1)
    held = []

    @contextlib.contextmanager
    def exclusive() -> Iterator[None]:
        held.append("in")
        yield
        held.append("out")

    peaks = measure_peaks(machine, toolchain, exclusive=exclusive(), windows=1, window_ms=2)
    widths = {"scalar", *map(str, machine.simd_widths)}
    counts = {1, machine.cores}
    assert {(p.dtype, p.simd, p.threads) for p in peaks.peaks} == {
        (dtype, width, count) for dtype in ("float64", "float32") for width in widths for count in counts
    }
    assert {triad.threads for triad in peaks.triads} == counts
    assert MachinePeaks.from_json(peaks.to_json()) == peaks
    assert held == ["in", "out"]


@pytest.mark.skipif(shutil.which("objdump") is None, reason="needs objdump")
def test_the_chains_of_every_peak_live_in_registers(program: Path) -> None:
    # Accumulators in memory once read 26 instead of 58 GFLOP/s.
    listing = subprocess.run(
        ["objdump", "-d", "--no-show-raw-insn", str(program)], capture_output=True, text=True, check=True
    ).stdout
    arithmetic = re.compile(r"\s(v?f?n?m(?:add|ul)\w*|v?add[sp][sd]|fml[as])\s+(.*)")
    for dtype in ("float64", "float32"):
        for simd in ("scalar", *map(str, this_machine().simd_widths)):
            body = re.search(rf"<peak_{dtype}_{simd}>:\n(.*?)\n\n", listing + "\n\n", re.DOTALL)
            assert body is not None
            operands = [match[2] for match in map(arithmetic.search, body[1].splitlines()) if match]
            assert len(operands) >= 12
            assert [text for text in operands if re.search(r"\(%|\[", text)] == []


@pytest.mark.skipif(shutil.which("objdump") is None, reason="needs objdump")
@pytest.mark.skipif(this_machine().arch != "x86_64", reason="needs x86_64 register names")
def test_every_peak_uses_registers_of_its_own_width(program: Path) -> None:
    listing = subprocess.run(
        ["objdump", "-d", "--no-show-raw-insn", str(program)], capture_output=True, text=True, check=True
    ).stdout
    letters = {"scalar": ("x", "s"), "128": ("x", "p"), "256": ("y", "p"), "512": ("z", "p")}
    for simd in ("scalar", *map(str, this_machine().simd_widths)):
        body = re.search(rf"<peak_float64_{simd}>:\n(.*?)\n\n", listing + "\n\n", re.DOTALL)
        assert body is not None
        register, packed = letters[simd]
        assert len(re.findall(rf"v?(?:fmadd\w*|mul){packed}d .*%{register}mm", body[1])) >= 12


def test_peaks_are_measured_once_per_machine(
    cache: Path, toolchain: Toolchain, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured: list[Machine] = []

    def measure(machine: Machine, toolchain: Toolchain) -> MachinePeaks:
        measured.append(machine)
        return PEAKS

    monkeypatch.setattr(_peaks, "measure_peaks", measure)
    assert load_or_measure_peaks(MACHINE, toolchain) == PEAKS
    assert load_or_measure_peaks(MACHINE, toolchain) == PEAKS
    assert measured == [MACHINE]
    other = replace(MACHINE, cpu="another CPU")
    load_or_measure_peaks(other, toolchain)
    assert measured == [MACHINE, other]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b"\xff", b"null"])
def test_an_unreadable_cache_is_measured_again(
    cache: Path, toolchain: Toolchain, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    file = cache / fingerprint(MACHINE, toolchain.version) / "peaks.json"
    file.parent.mkdir(parents=True)
    file.write_bytes(content)
    monkeypatch.setattr(_peaks, "measure_peaks", lambda machine, toolchain: PEAKS)
    assert load_or_measure_peaks(MACHINE, toolchain) == PEAKS
    assert MachinePeaks.from_json({k: v for k, v in json.loads(file.read_text()).items() if k != "method"}) == PEAKS


def test_peaks_of_another_method_are_measured_again(
    cache: Path, toolchain: Toolchain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_peaks, "measure_peaks", lambda machine, toolchain: PEAKS)
    load_or_measure_peaks(MACHINE, toolchain)
    monkeypatch.setattr(_peaks, "WINDOWS", 99)
    newer = replace(PEAKS, triads=(Triad(1, 1.0, None),))
    monkeypatch.setattr(_peaks, "measure_peaks", lambda machine, toolchain: newer)
    assert load_or_measure_peaks(MACHINE, toolchain) == newer


def test_the_cores_are_held_only_when_measuring(
    cache: Path, toolchain: Toolchain, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[str] = []

    @contextlib.contextmanager
    def exclusive() -> Iterator[None]:
        held.append("held")
        yield

    monkeypatch.setattr(_peaks, "measure_peaks", lambda machine, toolchain: PEAKS)
    load_or_measure_peaks(MACHINE, toolchain, exclusive=exclusive())
    load_or_measure_peaks(MACHINE, toolchain, exclusive=exclusive())
    assert held == ["held"]


def test_a_missing_compiler_is_named_with_what_to_install(toolchain: Toolchain, tmp_path: Path) -> None:
    gone = replace(toolchain, command=str(tmp_path / "gcc"))
    with pytest.raises(ToolchainError, match=r"gcc does not run .*apt install gcc libc6-dev.*compiler\.command"):
        compile_peaks(gone, tmp_path)


def test_a_compiler_that_fails_is_quoted(toolchain: Toolchain, tmp_path: Path) -> None:
    broken = tmp_path / "gcc"
    broken.write_text("#!/bin/sh\necho 'no omp.h here' >&2\nexit 1\n")
    broken.chmod(0o755)
    with pytest.raises(ToolchainError, match=r"(?s)failed; a GCC with OpenMP .*no omp\.h here"):
        compile_peaks(replace(toolchain, command=str(broken)), tmp_path)


@pytest.mark.parametrize("script", ["exit 3", "echo nonsense", "kill -9 $$"])
def test_a_measurement_that_breaks_says_how_to_put_it_right(tmp_path: Path, script: str) -> None:
    program = tmp_path / "peaks"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    with pytest.raises(ToolchainError, match=r"could not be measured with 2 threads .*TMPDIR"):
        _peaks._run(program, (), 2)


def test_fewer_threads_than_asked_for_are_an_error(tmp_path: Path) -> None:
    program = tmp_path / "peaks"
    program.write_text('#!/bin/sh\necho \'{"threads": 1, "peaks": [], "triad": {}}\'\n')
    program.chmod(0o755)
    with pytest.raises(ToolchainError, match="expected 2 OpenMP threads, got 1; check"):
        _peaks._run(program, (), 2)


def test_peaks_that_are_measured_again_keep_the_higher_of_each(
    cache: Path, toolchain: Toolchain, monkeypatch: pytest.MonkeyPatch
) -> None:
    lower, higher = Peak("float64", "512", 1, 40.0), Peak("float64", "512", 1, 60.0)
    single = Peak("float32", "512", 1, 80.0)
    monkeypatch.setattr(_peaks, "measure_peaks", lambda *_: MachinePeaks((lower, single), (Triad(1, 30.0, None),)))
    assert load_or_measure_peaks(MACHINE, toolchain).peak_gflops("float64", 1) == 40.0
    monkeypatch.setattr(_peaks, "measure_peaks", lambda *_: MachinePeaks((higher, single), (Triad(1, 20.0, None),)))
    renewed = renew_peaks(MACHINE, toolchain)
    assert (renewed.peak_gflops("float64", 1), renewed.triad_gbytes_per_s(1)) == (60.0, 30.0)
    assert load_or_measure_peaks(MACHINE, toolchain) == renewed
