"""Facts about this machine's processors, and the lock that keeps benchmarks apart."""

from qdkernel.machine.affinity import running_on
from qdkernel.machine.core_lock import CoreLock, give_way, lent_s
from qdkernel.machine.cpu import Machine, fingerprint, machine_class, this_machine
from qdkernel.machine.energy import EnergyMeter, find_energy_meter
from qdkernel.machine.isa import LEVELS, flags_of
from qdkernel.machine.memory import free_bytes, memory_bytes
from qdkernel.machine.scaling import scaled_to_threads

__all__ = [
    "LEVELS",
    "CoreLock",
    "EnergyMeter",
    "Machine",
    "find_energy_meter",
    "fingerprint",
    "flags_of",
    "free_bytes",
    "give_way",
    "lent_s",
    "machine_class",
    "memory_bytes",
    "running_on",
    "scaled_to_threads",
    "this_machine",
]
