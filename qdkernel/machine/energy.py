"""Energy that the processor packages have used, where Linux reports it (RAPL, through the powercap class of sysfs).

Documentation/power/powercap/powercap.rst of the Linux kernel. Counters are in microjoules, change about once a
millisecond, and begin at 0 again after ``max_energy_range_uj``. They cover a whole package: whatever else runs there
is in them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

POWERCAP = Path("/sys/class/powercap")


@dataclass(frozen=True)
class EnergyMeter:
    """The counters of all packages.

    Attributes:
        counters: files that hold microjoules.
        ranges_uj: value at which each begins again.
    """

    counters: tuple[Path, ...]
    ranges_uj: tuple[int, ...]

    def read(self) -> tuple[int, ...]:
        """Microjoules of each package.

        Raises:
            OSError: a counter can no longer be read.
            ValueError: it holds no number.
        """
        return tuple(int(path.read_text()) for path in self.counters)

    def joules(self, before: Sequence[int], after: Sequence[int]) -> float:
        """What all packages used between two readings, less than one round of a counter apart."""
        used = [
            later - earlier if later >= earlier else later - earlier + whole
            for earlier, later, whole in zip(before, after, self.ranges_uj, strict=True)
        ]
        return 1e-6 * sum(used)


def find_energy_meter(folder: Path = POWERCAP) -> EnergyMeter | str:
    """The meter of this host, or the reason why it has none that can be read.

    Args:
        folder: where powercap's zones are; of them those named ``package-N`` count, which hold cores and memory
            controller.
    """
    packages = [zone for zone in sorted(folder.glob("*:*")) if _text(zone / "name").startswith("package")]
    if not packages:
        return f"the host reports no energy: no package in {folder} (virtual machines have none)"
    counters = tuple(zone / "energy_uj" for zone in packages)
    try:
        ranges = tuple(int((zone / "max_energy_range_uj").read_text()) for zone in packages)
        meter = EnergyMeter(counters, ranges)
        meter.read()
    except PermissionError as error:
        return f"{error.filename} may not be read; let it be read, as root: chmod a+r {error.filename}"
    except (OSError, ValueError) as error:
        return f"the energy counters in {folder} cannot be read: {error}"
    return meter


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
