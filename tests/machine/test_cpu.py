from __future__ import annotations

import json
import math
import os
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from qdkernel.machine import Machine, fingerprint, this_machine
from qdkernel.machine import cpu as _machine
from qdkernel.machine.cpu import (
    ASSUMED_LAST_LEVEL_BYTES,
    CpuInfo,
    count_last_level_caches,
    cpu_quota,
    parse_cpuinfo,
    parse_size,
    read_cache_ways,
    read_caches,
    simd_widths,
    sysconf_cache_ways,
    sysconf_caches,
    usable_cores,
)

pytestmark = pytest.mark.isa_dependent

X86 = """\
processor\t: 0
vendor_id\t: GenuineIntel
model name\t: Intel(R) Xeon(R) Gold 6230 CPU @ 2.10GHz
cpu MHz\t\t: 2100.000
flags\t\t: fpu sse sse2 fma avx hypervisor avx2 avx512f

processor\t: 1
model name\t: something else
flags\t\t: fpu
"""
ARM = """\
processor\t: 0
BogoMIPS\t: 243.75
Features\t: fp asimd evtstrm aes sve
CPU implementer\t: 0x41
CPU part\t: 0xd40
"""
MACHINE = Machine("a CPU", "x86_64", 2, (128, 256), {"L1d": 32768, "L3": 1 << 25}, True, "unknown", "6.1")


def test_the_first_cpu_of_an_x86_cpuinfo_counts() -> None:
    features = frozenset({"fpu", "sse", "sse2", "fma", "avx", "hypervisor", "avx2", "avx512f"})
    assert parse_cpuinfo(X86) == CpuInfo("Intel(R) Xeon(R) Gold 6230 CPU @ 2.10GHz", features, True)


def test_an_arm_cpu_is_named_by_its_numbers() -> None:
    info = parse_cpuinfo(ARM)
    assert (info.model, info.hypervisor) == ("ARM implementer 0x41 part 0xd40", False)
    assert "asimd" in info.features


def test_an_empty_cpuinfo_gives_an_unknown_cpu() -> None:
    assert parse_cpuinfo("") == CpuInfo("unknown", frozenset(), False)


@pytest.mark.parametrize(
    ("arch", "features", "widths"),
    [
        ("x86_64", {"sse2", "avx", "avx2", "fma", "avx512f"}, (128, 256, 512)),
        ("x86_64", {"sse2", "avx"}, (128, 256)),
        ("x86_64", {"sse2"}, (128,)),
        ("aarch64", {"asimd", "sve"}, (128,)),
        ("aarch64", set[str](), ()),
        ("riscv64", set[str](), ()),
    ],
)
def test_simd_widths_follow_the_features(arch: str, features: set[str], widths: tuple[int, ...]) -> None:
    assert simd_widths(arch, features) == widths


@pytest.mark.parametrize(("bits", "widths"), [(0, (128,)), (128, (128,)), (256, (128, 256)), (512, (128, 512))])
def test_scalable_registers_count_where_an_axis_has_their_width(bits: int, widths: tuple[int, ...]) -> None:
    assert simd_widths("aarch64", {"asimd", "sve"}, bits) == widths
    assert simd_widths("aarch64", {"asimd"}, bits) == (128,)


def test_the_compiler_is_told_the_length_of_scalable_vectors() -> None:
    flags = ("-O3", "-march=native")
    scalable = replace(MACHINE, arch="aarch64", simd_widths=(128, 256))
    assert scalable.compiler_flags(flags) == (*flags, "-msve-vector-bits=256")
    assert scalable.compiler_flags((*flags, "-msve-vector-bits=128")) == (*flags, "-msve-vector-bits=128")
    assert replace(scalable, simd_widths=(128,)).compiler_flags(flags) == flags
    assert MACHINE.compiler_flags(flags) == flags


@pytest.mark.parametrize(
    ("text", "size"), [("32K\n", 32768), ("1M", 1 << 20), ("512", 512), ("", 0), ("K", 0), ("big", 0), ("-1K", 0)]
)
def test_sizes_are_read_as_sys_prints_them(text: str, size: int) -> None:
    assert parse_size(text) == size


def _cache_entry(folder: Path, index: int, level: int, kind: str, size: str, shared: str = "0") -> None:
    entry = folder / f"index{index}"
    entry.mkdir(parents=True)
    for name, text in {"level": str(level), "type": kind, "size": size, "shared_cpu_list": shared}.items():
        (entry / name).write_text(text + "\n")


def test_data_and_unified_caches_are_read_and_instruction_caches_left_out(tmp_path: Path) -> None:
    _cache_entry(tmp_path, 0, 1, "Data", "48K")
    _cache_entry(tmp_path, 1, 1, "Instruction", "32K")
    _cache_entry(tmp_path, 2, 2, "Unified", "2048K")
    _cache_entry(tmp_path, 3, 3, "Unified", "36M")
    assert read_caches(tmp_path) == {"L1d": 48 << 10, "L2": 2 << 20, "L3": 36 << 20}


def test_half_a_cache_folder_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "index0").mkdir()
    (tmp_path / "index0" / "level").write_text("1\n")
    assert read_caches(tmp_path) == {}
    assert read_caches(tmp_path / "missing") == {}


def test_the_c_library_answers_where_sys_does_not() -> None:
    answers = {"SC_LEVEL1_DCACHE_SIZE": 32768, "SC_LEVEL2_CACHE_SIZE": 0, "SC_LEVEL3_CACHE_SIZE": -1}
    assert sysconf_caches(answers.__getitem__) == {"L1d": 32768}


def test_associativity_is_read_beside_the_sizes_and_left_out_where_it_is_not_reported(tmp_path: Path) -> None:
    for index, (level, kind, ways) in enumerate([(1, "Data", "12"), (1, "Instruction", "8"), (2, "Unified", "0")]):
        _cache_entry(tmp_path, index, level, kind, "48K")
        (tmp_path / f"index{index}" / "ways_of_associativity").write_text(f"{ways}\n")
    _cache_entry(tmp_path, 3, 3, "Unified", "32M")
    assert read_cache_ways(tmp_path) == {"L1d": 12}
    answers = {"SC_LEVEL1_DCACHE_ASSOC": 8, "SC_LEVEL2_CACHE_ASSOC": 0, "SC_LEVEL3_CACHE_ASSOC": -1}
    assert sysconf_cache_ways(answers.__getitem__) == {"L1d": 8}


def test_outermost_caches_are_counted_by_who_shares_them(tmp_path: Path) -> None:
    for cpu, shared in enumerate(["0-1", "0-1", "2-3", "2-3"]):
        _cache_entry(tmp_path / f"cpu{cpu}" / "cache", 0, 1, "Data", "32K", str(cpu))
        _cache_entry(tmp_path / f"cpu{cpu}" / "cache", 3, 3, "Unified", "32M", shared)
    assert count_last_level_caches(tmp_path, [0, 1, 2, 3]) == 2
    assert count_last_level_caches(tmp_path, [2, 3]) == 1
    assert count_last_level_caches(tmp_path / "missing", [0, 1]) == 1


def test_a_control_group_or_one_above_it_limits_the_cores(tmp_path: Path) -> None:
    group = tmp_path / "jobs" / "mine"
    group.mkdir(parents=True)
    assert cpu_quota("0::/jobs/mine\n", tmp_path) == math.inf
    (group / "cpu.max").write_text("max 100000\n")
    (tmp_path / "jobs" / "cpu.max").write_text("250000 100000\n")
    assert cpu_quota("1:cpu:/x\n0::/jobs/mine\n", tmp_path) == 2.5
    assert cpu_quota("", tmp_path) == math.inf
    assert cpu_quota("0::/elsewhere/not/mounted\n", tmp_path) == math.inf


@pytest.mark.parametrize(("affinity", "quota", "cores"), [(8, math.inf, 8), (8, 2.5, 2), (8, 0.5, 1), (2, 16.0, 2)])
def test_usable_cores_are_the_affinity_mask_cut_to_the_quota(affinity: int, quota: float, cores: int) -> None:
    assert usable_cores(affinity, quota) == cores


def test_the_outermost_cache_is_the_largest_known() -> None:
    assert MACHINE.last_level_bytes == 1 << 25
    assert replace(MACHINE, caches={}).last_level_bytes == ASSUMED_LAST_LEVEL_BYTES


def test_the_fingerprint_changes_with_machine_and_compiler() -> None:
    prints = {
        fingerprint(MACHINE, "gcc 12"),
        fingerprint(MACHINE, "gcc 13"),
        fingerprint(replace(MACHINE, cores=1), "gcc 12"),
        fingerprint(replace(MACHINE, caches={}), "gcc 12"),
    }
    assert len(prints) == 4
    assert all(len(text) == 16 and int(text, 16) >= 0 for text in prints)
    assert fingerprint(MACHINE, "gcc 12") == fingerprint(replace(MACHINE), "gcc 12")


def test_this_machine_is_described_in_plain_values() -> None:
    machine = this_machine()
    assert json.loads(json.dumps(asdict(machine))) == asdict(machine) | {"simd_widths": list(machine.simd_widths)}
    assert 1 <= machine.cores <= len(os.sched_getaffinity(0))
    assert machine.last_level_bytes > 0


def test_a_container_without_sys_and_proc_is_still_described(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("QDKERNEL_ISA", raising=False)  # nothing says which levels the CPU has
    monkeypatch.setattr(_machine, "CPU_FOLDER", tmp_path)
    monkeypatch.setattr(_machine, "_text", lambda path: None)
    monkeypatch.setattr(_machine, "_sysconf", lambda name: 0)
    machine = this_machine()
    assert (machine.cpu, machine.governor, machine.caches, machine.simd_widths) == ("unknown", "unknown", {}, ())
    assert machine.last_level_instances == 1
