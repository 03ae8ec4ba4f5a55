"""The energy meter on a folder that is laid out like sysfs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from qdkernel.machine import EnergyMeter, find_energy_meter


def zone(folder: Path, number: str, name: str, energy_uj: int, range_uj: int = 1_000_000) -> Path:
    made = folder / f"intel-rapl:{number}"
    made.mkdir()
    (made / "name").write_text(f"{name}\n")
    (made / "energy_uj").write_text(f"{energy_uj}\n")
    (made / "max_energy_range_uj").write_text(f"{range_uj}\n")
    return made


def meter(folder: Path) -> EnergyMeter:
    found = find_energy_meter(folder)
    assert isinstance(found, EnergyMeter)
    return found


def test_packages_count_and_their_parts_do_not(tmp_path: Path) -> None:
    zone(tmp_path, "0", "package-0", 100)
    zone(tmp_path, "0:0", "core", 40)
    zone(tmp_path, "1", "package-1", 7)
    zone(tmp_path, "2", "psys", 900)
    (tmp_path / "dtpm").mkdir()
    assert meter(tmp_path).read() == (100, 7)


def test_a_counter_that_begins_again_is_continued(tmp_path: Path) -> None:
    first, second = zone(tmp_path, "0", "package-0", 999_000), zone(tmp_path, "1", "package-1", 10)
    found = meter(tmp_path)
    before = found.read()
    (first / "energy_uj").write_text("4000\n")
    (second / "energy_uj").write_text("2010\n")
    assert found.joules(before, found.read()) == pytest.approx(5e-3 + 2e-3)


def test_a_host_without_counters_has_the_reason(tmp_path: Path) -> None:
    reason = find_energy_meter(tmp_path / "nothing")
    assert reason == (f"the host reports no energy: no package in {tmp_path / 'nothing'} (virtual machines have none)")


def test_a_counter_that_holds_no_number_has_the_reason(tmp_path: Path) -> None:
    (zone(tmp_path, "0", "package-0", 1) / "energy_uj").write_text("many\n")
    assert "cannot be read: invalid literal" in str(find_energy_meter(tmp_path))


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_counter_for_root_only_tells_how_to_open_it(tmp_path: Path) -> None:
    counter = zone(tmp_path, "0", "package-0", 1) / "energy_uj"
    counter.chmod(0)
    assert find_energy_meter(tmp_path) == f"{counter} may not be read; let it be read, as root: chmod a+r {counter}"
